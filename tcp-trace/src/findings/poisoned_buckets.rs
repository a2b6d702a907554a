// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `poisoned-buckets`: connections share ports that a `bind()` of another socket marked. Every `connect()`, to
//! any destination, skips them.

use super::{Code, Evidence, Finding, Severity, grouped, netns_shell::NetnsShell};
use crate::{
    aggregate::{
        bind::{Binder, SpaceMarks},
        observed::Observed,
    },
    kernel::rules::{SearchRules, Sysctls},
};

/// Fewer marked ports come and go.
const ENOUGH: u64 = 50;

pub(super) fn find(observed: &Observed, rules: &SearchRules, sysctls: &Sysctls) -> Vec<Finding> {
    let spaces = observed.bind.marks.iter().flatten();
    spaces.filter_map(|space| in_space(space, observed, rules, sysctls)).collect()
}

fn severity(space: &SpaceMarks) -> Option<Severity> {
    let of = &space.marks;
    let half = of.ports().div_ceil(2);
    if of.poisoned < ENOUGH {
        None
    } else if of.poisoned_first_half * 10 >= half * 9 || of.poisoned >= half {
        // Nine in ten ports of the first half: connects walk it to find the tenth.
        Some(Severity::Critical)
    } else if of.poisoned * 10 >= of.ports() {
        Some(Severity::Warning)
    } else if of.poisoned * 100 >= of.ports() {
        Some(Severity::Info)
    } else {
        None
    }
}

fn in_space(space: &SpaceMarks, observed: &Observed, rules: &SearchRules, sysctls: &Sysctls) -> Option<Finding> {
    let severity = severity(space)?;
    let of = &space.marks;
    let binders = observed.bind.binders.iter().filter(|binder| binder.netns == space.netns && binder.in_range > 0);
    let binder = binders.max_by_key(|binder| binder.in_range);
    let by = binder.map_or("an unknown process".to_owned(), Binder::name);
    let shell = NetnsShell::of(observed, sysctls, space.netns, binder.map(|binder| binder.process.pid));
    let until = if rules.heals_buckets {
        "until the sockets that bound them are closed"
    } else {
        "until the last connection on each of them ends"
    };
    let text = |text: String| Evidence::Text(text);
    Some(Finding {
        code: Code::PoisonedBuckets,
        severity,
        headline: format!(
            "{} of {} local ports carry connections and the mark of a later bind() by {by}: every \
             connect() skips them, {until}",
            grouped(of.poisoned),
            grouped(of.ports())
        ),
        evidence: vec![
            ("netns", Evidence::Number(space.netns.into())),
            ("poisoned", Evidence::Number(of.poisoned)),
            ("poisoned_first_half", Evidence::Number(of.poisoned_first_half)),
            ("skipped", Evidence::Number(of.skipped())),
            ("ports", Evidence::Number(of.ports())),
            ("range", text(format!("{}-{}", of.range.0, of.range.1))),
            ("bound_by", binder.map_or(Evidence::Unknown, |binder| text(binder.name()))),
            ("binds_in_range", Evidence::number(binder.map(|binder| binder.in_range))),
            ("healed_by_kernel", Evidence::Flag(rules.heals_buckets)),
        ],
        fix: fix(of.range, binder, rules, &shell),
        gain: Some(format!("connect() can share {} more ports towards every destination", grouped(of.poisoned))),
        risk: None,
    })
}

fn fix(range: (u16, u16), binder: Option<&Binder>, rules: &SearchRules, shell: &NetnsShell) -> Vec<String> {
    let (low, high) = range;
    let who = binder.map_or("the program that binds these ports".to_owned(), Binder::name);
    let mut lines = vec![
        format!("# {who}: bind() only outside {low}-{high}; to find a free port, bind to port 0 and keep that socket"),
        "# if it needs a fixed port: reserve it before connect() uses it".into(),
        shell.command("sysctl net.ipv4.ip_local_reserved_ports"),
        "# processes that use the ports, and that bound them:".into(),
        shell.command(&format!("ss -tanp 'sport >= :{low} and sport <= :{high}'")),
    ];
    if rules.heals_buckets {
        lines.push("# this kernel removes the mark when the socket that bound the port is closed: close it".into());
    } else {
        lines.push(
            "# marks stay until the connections on the ports end: let the program that uses them reconnect".into(),
        );
        lines.push("# a kernel from 6.18 on removes the mark when the socket that bound the port is closed".into());
    }
    lines
}
