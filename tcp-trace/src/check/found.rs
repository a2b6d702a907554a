// SPDX-License-Identifier: MIT OR Apache-2.0
//! Findings of a run, and whether the run could have had one that it has not.

use std::collections::BTreeMap;

use super::complete::Run;
use crate::{
    findings::{Code, Finding},
    probes::table::Signal,
};

/// Findings of all intervals and of the run, with the headline of the first.
#[derive(Debug, Default)]
pub(super) struct Found(BTreeMap<Code, String>);

/// What a finding is based on.
#[derive(Clone, Copy)]
enum Basis {
    Connects,
    SecondPass,
    Signal(Signal),
    ListenEvents,
    Sockets,
    Marks,
    Limits,
}

impl Found {
    pub(super) fn learn(&mut self, findings: &[Finding]) {
        for finding in findings {
            self.0.entry(finding.code).or_insert_with(|| finding.headline.clone());
        }
    }

    /// The headline of a finding.
    pub(super) fn headline(&self, code: Code) -> Option<&str> {
        self.0.get(&code).map(String::as_str)
    }
}

fn basis(code: Code) -> &'static [Basis] {
    match code {
        Code::ParityCliff => &[Basis::Connects, Basis::SecondPass, Basis::Sockets],
        Code::RangeFull => &[Basis::Connects, Basis::Sockets],
        Code::ConnectRefused | Code::ConnectUnanswered => &[Basis::Connects],
        Code::PoisonedBuckets => &[Basis::Sockets, Basis::Marks],
        Code::BindBeforeConnect => &[Basis::Signal(Signal::Bind), Basis::Sockets, Basis::Marks],
        Code::TimeWaitPileup | Code::ListenerChain => &[Basis::Sockets],
        Code::TimeWaitOverflow => &[Basis::Signal(Signal::TimeWait)],
        Code::CloseWaitLeak => &[Basis::Signal(Signal::State), Basis::Sockets],
        Code::LingerReset | Code::ShortConnections => &[Basis::Signal(Signal::State)],
        Code::AcceptQueueOverflow | Code::SynQueueOverflow => &[Basis::Signal(Signal::Listen)],
        Code::SlowHandshake => &[Basis::Connects, Basis::Signal(Signal::Listen), Basis::ListenEvents],
        Code::ConntrackFull | Code::LimitNear | Code::UnsafeSysctl => &[Basis::Sockets, Basis::Limits],
    }
}

/// Why a finding may be missing from the run although its cause was there; `None`: it would have been found.
pub(super) fn may_be_missing(code: Code, run: &Run<'_>) -> Option<String> {
    let lost = run.unseen().why.or_else(|| run.lost_signals());
    lost.or_else(|| basis(code).iter().find_map(|basis| basis.is_missing(run)))
}

impl Basis {
    fn is_missing(self, run: &Run<'_>) -> Option<String> {
        match self {
            Self::Connects => run.unseen().everything,
            Self::SecondPass => run.unknown_second_pass().1,
            Self::Signal(signal) => run.limitation(signal),
            Self::ListenEvents => {
                let streamed = run.session.streamed.contains(&Signal::Listen);
                (!streamed).then(|| "dropped handshakes were not recorded one by one".into())
            }
            Self::Sockets => run.rooms.unread(),
            Self::Marks => run.rooms.unknown_marks(),
            Self::Limits => {
                run.summary.observed.limits.now.is_none().then(|| "limits and settings were not read".into())
            }
        }
    }
}
