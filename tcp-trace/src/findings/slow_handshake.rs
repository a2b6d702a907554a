// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `slow-handshake`: connects of this machine waited because a listener of this machine dropped their SYNs.

use super::{Code, Evidence, Finding, Severity, grouped};
use crate::{aggregate::observed::Observed, event::DropCause};

pub(super) fn find(observed: &Observed) -> Vec<Finding> {
    let found = observed.listen.slow.iter().map(|slow| {
        let listener = observed.listen.listeners.iter().find(|listener| listener.endpoint == slow.listener);
        let owner = listener.and_then(|listener| listener.owner);
        let owner = owner.map_or("an unknown process".into(), |owner| format!("{} ({})", owner.comm, owner.pid));
        let caller = format!("{} ({})", slow.caller.comm, slow.caller.pid);
        let because = match slow.cause {
            DropCause::AcceptQueue | DropCause::AcceptQueueAtAck => "its accept queue is full",
            DropCause::SynQueue | DropCause::SynBacklog => "its SYN queue is full",
            DropCause::Other => "for a reason other than a full queue",
        };
        Finding {
            code: Code::SlowHandshake,
            severity: Severity::Warning,
            headline: format!(
                "{} handshakes of {caller} with {} waited for SYN retransmits: {owner}, on this machine, drops \
                 them, {because}",
                grouped(slow.connects),
                slow.listener.address()
            ),
            evidence: vec![
                ("listener", Evidence::Text(slow.listener.address().to_string())),
                ("netns", Evidence::Number(slow.listener.netns.into())),
                ("owner", Evidence::Text(owner)),
                ("caller", Evidence::Text(caller)),
                ("connects", Evidence::Number(slow.connects)),
                ("syn_retransmits", Evidence::Number(slow.retransmits)),
                ("handshake_max_ns", Evidence::number(slow.max_ns)),
                ("cause", Evidence::Text(slow.cause.name().into())),
            ],
            fix: vec!["# see the finding about that listener's queue".into()],
            gain: Some("these handshakes then take one round trip instead of seconds".into()),
            risk: None,
        }
    });
    found.collect()
}
