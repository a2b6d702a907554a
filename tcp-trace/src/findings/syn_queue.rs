// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `syn-queue-overflow`: clients that are slow, far away or malicious begin handshakes faster than they
//! complete them.

use super::{
    Code, Evidence, Finding, Severity,
    accept_queue::{evidence, longer, severity, who},
    grouped,
    netns_shell::NetnsShell,
};
use crate::{
    aggregate::{
        listen::{ListenCounts, Listener, SpaceCounters},
        observed::Observed,
    },
    kernel::rules::Sysctls,
};

pub(super) fn find(observed: &Observed, own: &Sysctls) -> Vec<Finding> {
    if !observed.listen.traced {
        return observed.listen.spaces.iter().filter_map(of_space).collect();
    }
    let listeners = observed.listen.listeners.iter();
    listeners.filter_map(|listener| of_listener(observed, own, listener, &listener.counts?)).collect()
}

fn of_listener(observed: &Observed, own: &Sysctls, listener: &Listener, counts: &ListenCounts) -> Option<Finding> {
    let (dropped, cookies) = (counts.by_syn_queue(), counts.cookies);
    let shell = NetnsShell::of(observed, own, listener.endpoint.netns, listener.owner.map(|owner| owner.pid));
    // With tcp_syncookies=2 the kernel answers every SYN with a cookie, whether the queue is full or not.
    let always = shell.sysctls.tcp_syncookies == Some(2);
    if dropped == 0 && (cookies == 0 || always) {
        return None;
    }
    let limit = listener.now.map_or(String::new(), |now| format!(" of {}", grouped(now.limit)));
    let mut sysctls = evidence(listener, counts, &shell.sysctls);
    sysctls.push(("tcp_max_syn_backlog", Evidence::number(shell.sysctls.tcp_max_syn_backlog.map(u64::from))));
    Some(Finding {
        code: Code::SynQueueOverflow,
        severity: if dropped > 0 { severity(dropped, counts.syns) } else { Severity::Warning },
        headline: format!(
            "the SYN queue{limit} of {} ({}) is full: {} SYNs were dropped, {} answered by cookies",
            listener.endpoint.address(),
            who(listener),
            grouped(dropped),
            grouped(cookies)
        ),
        evidence: sysctls,
        fix: fix(&shell, listener, counts),
        gain: (dropped > 0).then(|| {
            "with cookies on, the kernel drops no SYN because of a full queue: clients connect at once again".to_owned()
        }),
        risk: Some(
            "a connection accepted by cookie has window scaling and SACK only if both ends have timestamps on".into(),
        ),
    })
}

fn fix(shell: &NetnsShell, listener: &Listener, counts: &ListenCounts) -> Vec<String> {
    let mut lines = vec![
        "# which clients begin handshakes and do not complete them? If few addresses send many: rate-limit or filter them"
            .to_owned(),
        shell.command(&format!("ss -tn state syn-recv 'sport = :{}'", listener.endpoint.sport)),
    ];
    if shell.sysctls.tcp_syncookies == Some(0) {
        lines.push("# cookies are off; turned on, they take over when the queue is full".into());
        lines.push(shell.command("sysctl -w net.ipv4.tcp_syncookies=1"));
        let backlog = shell.sysctls.tcp_max_syn_backlog.map(u64::from);
        if let (1.., Some(backlog)) = (counts.drops[3], backlog) {
            lines.push("# while they are off, the kernel keeps the last quarter of this for known peers:".into());
            let wanted = (backlog * 4).max(4096);
            lines.push(shell.command(&format!("sysctl -w net.ipv4.tcp_max_syn_backlog={wanted}")));
        }
    }
    lines.extend(longer(shell, listener));
    lines
}

fn of_space(space: &SpaceCounters) -> Option<Finding> {
    let (dropped, cookies) = (space.full_drops.unwrap_or(0), space.full_cookies.unwrap_or(0));
    if dropped + cookies == 0 {
        return None;
    }
    Some(Finding {
        code: Code::SynQueueOverflow,
        severity: if dropped > 0 { severity(dropped, 0) } else { Severity::Warning },
        headline: format!(
            "a SYN queue is full: the kernel's counters for this namespace show {} SYNs dropped, {} answered by cookies",
            grouped(dropped),
            grouped(cookies)
        ),
        evidence: vec![
            ("netns", Evidence::Number(space.netns.into())),
            ("tcp_req_q_full_drop", Evidence::number(space.full_drops)),
            ("tcp_req_q_full_do_cookies", Evidence::number(space.full_cookies)),
        ],
        fix: vec!["ss -tn state syn-recv".into()],
        gain: None,
        risk: None,
    })
}
