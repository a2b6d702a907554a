// SPDX-License-Identifier: MIT OR Apache-2.0
//! listener-chain: finding the listener of a SYN takes long, because many sockets share a slot of the kernel's table.
//! Only where look-ups are timed.

use super::{Code, Evidence, Finding, Severity, grouped};
use crate::aggregate::observed::Observed;

/// A look-up takes some hundred nanoseconds, the probes as much again.
const SLOW_NS: u64 = 20_000;
/// Fewer say nothing.
const LOOKUPS: u64 = 100;

pub(super) fn find(observed: &Observed) -> Vec<Finding> {
    let sockets: u64 = observed.listen.listeners.iter().filter_map(|listener| Some(listener.now?.members)).sum();
    let found = observed.listen.listeners.iter().filter_map(|listener| {
        let counts = listener.counts?;
        let mean_ns = counts.lookup_mean_ns().filter(|mean_ns| *mean_ns >= SLOW_NS && counts.lookups >= LOOKUPS)?;
        let members = listener.now.map(|now| now.members);
        Some(Finding {
            code: Code::ListenerChain,
            severity: Severity::Warning,
            headline: format!(
                "the kernel takes {} us to find the listener of a SYN to {}: {} sockets listen there, {} in all",
                grouped(mean_ns / 1000),
                listener.endpoint.address(),
                members.map_or("?".into(), grouped),
                grouped(sockets)
            ),
            evidence: vec![
                ("listener", Evidence::Text(listener.endpoint.address().to_string())),
                ("netns", Evidence::Number(listener.endpoint.netns.into())),
                ("lookups", Evidence::Number(counts.lookups)),
                ("lookup_mean_ns", Evidence::Number(mean_ns)),
                ("sockets", Evidence::number(members)),
                ("listening_sockets", Evidence::Number(sockets)),
            ],
            fix: vec![
                "# this kernel hashes listeners by address and port: sockets of a SO_REUSEPORT group cost one look \
                 together, others on the same address and port one each"
                    .into(),
                "# fewer sockets per port: one for each CPU is enough, and fewer listeners bound to a device".into(),
            ],
            gain: Some("every SYN, also of a flood, is handled that much faster".into()),
            risk: None,
        })
    });
    found.collect()
}
