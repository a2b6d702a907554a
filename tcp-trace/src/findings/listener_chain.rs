// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `listener-chain`: finding the listener of a SYN takes long, because many sockets share a slot of the
//! kernel's table. Based on timed lookups, or else on the number of sockets that one lookup visits.

use super::{Code, Evidence, Finding, Severity, grouped};
use crate::aggregate::{listen::Listener, observed::Observed};

/// A lookup takes some hundred nanoseconds, and the probes add as much again.
const SLOW_NS: u64 = 20_000;
/// Fewer timed lookups are not enough for a verdict.
const LOOKUPS: u64 = 100;
/// Each socket is one or two cache lines in another place: this many take about ten microseconds.
const MANY: u64 = 500;

pub(super) fn find(observed: &Observed) -> Vec<Finding> {
    let sockets: u64 = observed.listen.listeners.iter().filter_map(|listener| Some(listener.now?.members)).sum();
    observed.listen.listeners.iter().filter_map(|listener| chain(listener, sockets)).collect()
}

fn chain(listener: &Listener, all: u64) -> Option<Finding> {
    let timed = listener.counts.filter(|counts| counts.lookups >= LOOKUPS);
    let mean_ns = timed.and_then(|counts| counts.lookup_mean_ns());
    let (members, length) = (listener.now.map(|now| now.members), listener.now.map(|now| now.chain));
    let address = listener.endpoint.address();
    let listening = members.map_or("?".into(), grouped);
    let headline = match mean_ns {
        Some(mean_ns) if mean_ns >= SLOW_NS => format!(
            "the kernel takes {} us to find the listener of a SYN to {address}: {listening} sockets listen there, {} in all",
            grouped(mean_ns / 1000),
            grouped(all)
        ),
        None if length.is_some_and(|length| length >= MANY) => format!(
            "each SYN to {address} makes the kernel look at {} listeners one by one, each bound to a device of its own",
            length.map_or("?".into(), grouped)
        ),
        Some(_) | None => return None,
    };
    let mut fix = vec![
        "# this kernel hashes listeners by address and port: a SO_REUSEPORT group costs one step, \
         other sockets on the same address and port one each"
            .into(),
        "# fewer sockets per port: one for each CPU is enough, and fewer listeners bound to a device".into(),
    ];
    if mean_ns.is_none() {
        fix.push("tcp-trace listen --lookup-cost   # how long a lookup takes".into());
    }
    Some(Finding {
        code: Code::ListenerChain,
        severity: Severity::Warning,
        headline,
        evidence: vec![
            ("listener", Evidence::Text(address.to_string())),
            ("netns", Evidence::Number(listener.endpoint.netns.into())),
            ("lookups", Evidence::number(timed.map(|counts| counts.lookups))),
            ("lookup_mean_ns", Evidence::number(mean_ns)),
            ("sockets", Evidence::number(members)),
            ("lookup_chain", Evidence::number(length)),
            ("listening_sockets", Evidence::Number(all)),
        ],
        fix,
        gain: Some("the kernel handles every SYN that much faster, including those of a flood".into()),
        risk: None,
    })
}
