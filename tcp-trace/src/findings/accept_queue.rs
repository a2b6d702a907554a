// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `accept-queue-overflow`: connections arrive faster than the application accepts them, and the accept queue
//! is full.

use super::{Code, Evidence, Finding, Severity, grouped, netns_shell::NetnsShell};
use crate::{
    aggregate::{
        listen::{ListenCounts, Listener, Now, SpaceCounters},
        observed::Observed,
    },
    event::DropCause,
    kernel::rules::Sysctls,
};

/// Default of net.core.somaxconn since Linux 5.4.
const USUAL: u64 = 4096;

pub(super) fn find(observed: &Observed, own: &Sysctls) -> Vec<Finding> {
    if !observed.listen.traced {
        return observed.listen.spaces.iter().filter_map(|space| of_space(observed, own, space)).collect();
    }
    let listeners = observed.listen.listeners.iter();
    listeners.filter_map(|listener| of_listener(observed, own, listener, &listener.counts?)).collect()
}

/// Severity of `dropped` SYNs out of `of`: a lost SYN costs its client at least a second, so from one in a hundred on
/// it dominates the client's p99.
pub(super) fn severity(dropped: u64, of: u64) -> Severity {
    if dropped >= 10 && dropped * 100 >= of { Severity::Critical } else { Severity::Warning }
}

fn of_listener(observed: &Observed, own: &Sysctls, listener: &Listener, counts: &ListenCounts) -> Option<Finding> {
    let dropped = counts.by_accept_queue();
    if dropped == 0 {
        return None;
    }
    let [at_syn, at_ack, ..] = counts.drops;
    let shell = NetnsShell::of(observed, own, listener.endpoint.netns, listener.owner.map(|owner| owner.pid));
    let limit = listener.now.map(|now| now.limit);
    let of_limit = limit.map_or(String::new(), |limit| format!(" of {}", grouped(limit)));
    let accepted = counts.accepted().map(|accepted| per_second(accepted, observed.seconds));
    let accepts = accepted.map_or(String::new(), |rate| format!(", which accepts {rate} a second"));
    let come = per_second(counts.queued + dropped, observed.seconds);
    Some(Finding {
        code: Code::AcceptQueueOverflow,
        severity: severity(dropped, counts.syns),
        headline: format!(
            "the accept queue{of_limit} of {} is full: {} SYNs and {} finished handshakes were dropped; {come} \
             connections a second arrive at {}{accepts}",
            listener.endpoint.address(),
            grouped(at_syn),
            grouped(at_ack),
            who(listener),
        ),
        evidence: evidence(listener, counts, &shell.sysctls),
        fix: fix(&shell, listener),
        gain: Some(format!(
            "each of the {} drops delayed its client by 1 s, 3 s or more, until the SYN was retransmitted",
            grouped(dropped)
        )),
        risk: Some(
            "connections wait longer in a longer queue: it helps with bursts, but not with a \
             server that is always too slow"
                .into(),
        ),
    })
}

/// The accepting process as `comm (pid)`.
pub(super) fn who(listener: &Listener) -> String {
    listener.owner.map_or("an unknown process".into(), |owner| format!("{} ({})", owner.comm, owner.pid))
}

fn per_second(count: u64, seconds: f64) -> String {
    if seconds > 0.0 { format!("{:.1}", count as f64 / seconds) } else { "?".into() }
}

pub(super) fn evidence(listener: &Listener, counts: &ListenCounts, sysctls: &Sysctls) -> Vec<(&'static str, Evidence)> {
    let now = |of: fn(&Now) -> u64| Evidence::number(listener.now.as_ref().map(of));
    let mut evidence = vec![
        ("listener", Evidence::Text(listener.endpoint.address().to_string())),
        ("netns", Evidence::Number(listener.endpoint.netns.into())),
        ("owner", listener.owner.map_or(Evidence::Unknown, |_| Evidence::Text(who(listener)))),
        ("sockets", now(|now| now.members)),
        ("accept_queue", now(|now| now.accept_queue)),
        ("accept_queue_high", Evidence::number(listener.accept_high)),
        ("syn_queue", now(|now| now.syn_queue)),
        ("syn_queue_high", Evidence::number(listener.syn_high)),
        ("limit", now(|now| now.limit)),
        ("backlog_requested", Evidence::number(listener.asked)),
        ("somaxconn", Evidence::number(sysctls.somaxconn.map(u64::from))),
        ("syns", Evidence::Number(counts.syns)),
    ];
    for (cause, dropped) in DropCause::ALL.into_iter().zip(counts.drops) {
        if dropped > 0 {
            evidence.push((dropped_by(cause), Evidence::Number(dropped)));
        }
    }
    evidence.extend([
        ("cookies", Evidence::Number(counts.cookies)),
        ("queued", Evidence::Number(counts.queued)),
        ("accepted", Evidence::number(counts.accepted())),
        ("tcp_syncookies", Evidence::number(sysctls.tcp_syncookies.map(u64::from))),
        ("tcp_abort_on_overflow", Evidence::number(sysctls.tcp_abort_on_overflow.map(u64::from))),
    ]);
    evidence
}

fn dropped_by(cause: DropCause) -> &'static str {
    match cause {
        DropCause::AcceptQueue => "dropped_accept_queue",
        DropCause::AcceptQueueAtAck => "dropped_accept_queue_at_ack",
        DropCause::SynQueue => "dropped_syn_queue",
        DropCause::SynBacklog => "dropped_syn_backlog",
        DropCause::Other => "dropped_other",
    }
}

fn fix(shell: &NetnsShell, listener: &Listener) -> Vec<String> {
    let mut lines = vec![format!(
        "# accept faster: more workers or threads for {}, or less work before the next accept()",
        who(listener)
    )];
    lines.extend(longer(shell, listener));
    if shell.sysctls.tcp_abort_on_overflow == Some(1) {
        lines.push("# clients get resets, as tcp_abort_on_overflow asks for; 0 lets them try again:".into());
        lines.push(shell.command("sysctl -w net.ipv4.tcp_abort_on_overflow=0"));
    }
    lines
}

/// Commands and hints that raise the limit. Both queues share one limit: the lower of the application's backlog and
/// somaxconn at the time of its listen().
pub(super) fn longer(shell: &NetnsShell, listener: &Listener) -> Vec<String> {
    let Some(limit) = listener.now.map(|now| now.limit) else { return Vec::new() };
    let somaxconn = shell.sysctls.somaxconn.map(u64::from);
    let wanted = (limit * 4).max(USUAL);
    let mut lines = Vec::new();
    let raise = || shell.command(&format!("sysctl -w net.core.somaxconn={wanted}"));
    let again = "and restart the application: the new limit takes effect at its next listen()";
    match (somaxconn, listener.asked) {
        (Some(somaxconn), Some(asked)) if asked > somaxconn || asked > limit => {
            lines.push(format!(
                "# listen() asked for {} and got {}, because somaxconn is lower: raise it, {again}",
                grouped(asked),
                grouped(limit)
            ));
            lines.push(raise());
        }
        (Some(somaxconn), _) if limit >= somaxconn => {
            lines.push(format!("# the limit is somaxconn: raise it, and the application's own backlog, {again}"));
            lines.push(raise());
        }
        (Some(somaxconn), _) => lines.push(format!(
            "# the application's backlog, {}, is below somaxconn, {}: raise it in its configuration (nginx: listen ... \
             backlog={}), {again}",
            grouped(limit),
            grouped(somaxconn),
            somaxconn.max(wanted.min(somaxconn))
        )),
        (None, _) => lines.push(format!(
            "# the limit, {}, is the lower of the application's backlog and somaxconn: raise it, {again}",
            grouped(limit)
        )),
    }
    lines
}

/// The finding where no program can be attached, from the namespace's counters and the queues as they are now.
fn of_space(observed: &Observed, own: &Sysctls, space: &SpaceCounters) -> Option<Finding> {
    let overflows = space.overflows.filter(|overflows| *overflows > 0)?;
    let mut here = observed.listen.listeners.iter().filter(|listener| listener.endpoint.netns == space.netns);
    let full = here.find(|listener| listener.now.is_some_and(|now| now.fullest >= now.limit));
    let shell = NetnsShell::of(observed, own, space.netns, full.and_then(|full| full.owner).map(|owner| owner.pid));
    let whose =
        full.map_or("an unknown listener".into(), |full| format!("{} of {}", full.endpoint.address(), who(full)));
    Some(Finding {
        code: Code::AcceptQueueOverflow,
        severity: severity(overflows, 0),
        headline: format!(
            "an accept queue is full: the kernel's counters for this namespace show {} dropped connections; full right \
             now: {whose}",
            grouped(overflows)
        ),
        evidence: vec![
            ("netns", Evidence::Number(space.netns.into())),
            ("listen_overflows", Evidence::Number(overflows)),
            ("listen_drops", Evidence::number(space.drops)),
            ("accept_queue", Evidence::number(full.and_then(|full| full.now).map(|now| now.fullest))),
            ("limit", Evidence::number(full.and_then(|full| full.now).map(|now| now.limit))),
        ],
        fix: full.map_or_else(Vec::new, |full| fix(&shell, full)),
        gain: None,
        risk: None,
    })
}
