// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a run does not show: what was not traced, lost, shed, or cannot be seen on its tier.

use super::{found::Found, room::Rooms};
use crate::{
    aggregate::words::grouped,
    event::Outcome,
    mode::Mode,
    probes::{
        table::{Signal, Uncertain, uncertain_outcomes},
        tier::Tier,
    },
    recording::trigger::{Phase, Trigger},
    session_info::SessionInfo,
    summarize::summary::Summary,
};

/// A run that has ended.
pub(super) struct Run<'a> {
    pub(super) summary: &'a Summary,
    pub(super) session: &'a SessionInfo,
    pub(super) rooms: &'a Rooms,
    pub(super) found: &'a Found,
    pub(super) is_truncated: bool,
}

/// Connects that the counts do not include.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unseen {
    /// Why nothing is known about any connect.
    pub(super) everything: Option<String>,
    /// An upper bound of their number.
    pub(super) connects: u64,
    /// Why they are not included; `None`: there are none.
    pub(super) why: Option<String>,
}

impl Run<'_> {
    /// Connects that are in no count.
    pub(super) fn unseen(&self) -> Unseen {
        let everything = |why: &str| Unseen { everything: Some(why.into()), ..Unseen::default() };
        let Some(active) = self.session.signals.get(&Signal::Connect).filter(|_| self.session.traced) else {
            return everything("connects were not traced");
        };
        let Some(counts) = self.summary.ledger.counts else {
            return everything("what the kernel side counted could not be read");
        };
        let by_events = |count: u64| if self.session.has_rows { 0 } else { count };
        let kprobes = counts.kprobes_missed.filter(|_| active.tier == Tier::Kprobe).unwrap_or(0);
        let parts = [
            (counts.not_followed, "connects were only counted, because detail was shed (sampled)"),
            (counts.attempts_full, "connects found no room in a map"),
            (counts.returns_missed, "returns were missed"),
            (counts.runs_missed.unwrap_or(0), "runs of programs were missed"),
            (kprobes, "kprobes were missed"),
            (by_events(counts.endings_full), "outcomes found no room in a map"),
            (by_events(counts.undecoded), "events could not be decoded"),
        ];
        let missing = parts.iter().filter(|(count, _)| *count > 0);
        let mut reasons: Vec<_> = missing.map(|(count, what)| format!("{} {what}", grouped(*count))).collect();
        if self.is_truncated {
            reasons.push("the recording is truncated".into());
        }
        Unseen {
            everything: None,
            connects: parts.iter().fold(0, |sum, (count, _)| sum.saturating_add(*count)),
            why: (!reasons.is_empty()).then(|| reasons.join(", ")),
        }
    }

    /// Why a value that a condition about each connect names is unknown here.
    pub(super) fn unknown_value(&self, condition: &Trigger) -> Option<String> {
        match condition {
            Trigger::Any(parts) | Trigger::All(parts) => parts.iter().find_map(|part| self.unknown_value(part)),
            Trigger::Takes(phase, ..) => self.unknown_phase(*phase),
            _ => None,
        }
    }

    /// Why connects may have ended in another way than a condition about each connect names.
    pub(super) fn unknown_end(&self, condition: &Trigger) -> Option<String> {
        match condition {
            Trigger::Any(parts) | Trigger::All(parts) => parts.iter().find_map(|part| self.unknown_end(part)),
            Trigger::Ends(outcome, same) => self.unknown_outcome(*outcome, !same),
            _ => None,
        }
    }

    /// Why this measurement is not what its name says, on this tier.
    pub(super) fn unknown_phase(&self, phase: Phase) -> Option<String> {
        (self.session.tier(Mode::ConnectLatency) == Some(Tier::Tracepoint)).then_some(())?;
        match phase {
            Phase::PortSearch | Phase::PortsVisited => Some(format!("{phase} is unknown on the tracepoint tier")),
            Phase::Handshake => Some("handshake includes the port search on the tracepoint tier".into()),
            Phase::Total => None,
        }
    }

    /// Why connects that ended like this (`same`), or in any other way, may not be counted as such.
    pub(super) fn unknown_outcome(&self, outcome: Outcome, same: bool) -> Option<String> {
        let limitations = self.session.signals.get(&Signal::Connect).map(|active| &active.limitations)?;
        let uncertain = limitations.iter().find(|limitation| match uncertain_outcomes(limitation) {
            // One of them is reported as another of them.
            Uncertain::Mixed(outcomes) => outcomes.contains(&outcome),
            Uncertain::Unseen(outcomes) => !outcomes.is_empty() && (!same || outcomes.contains(&outcome)),
        });
        uncertain.cloned()
    }

    /// Searches of which it is unknown whether they went through the second parity: their number, and why.
    pub(super) fn unknown_second_pass(&self) -> (u64, Option<String>) {
        let connect = &self.summary.observed.connect;
        let searches = match self.session.tier(Mode::ConnectLatency) {
            // It does not see which connects searched.
            Some(Tier::Tracepoint) => connect.connects - connect.outcome_unknown - connect.ended(Outcome::Pending),
            _ => connect.port_search.count,
        };
        let unknown = searches.saturating_sub(connect.second_pass_known);
        let why =
            format!("it is unknown for {} connects whether they went through the second parity", grouped(unknown));
        (unknown, (unknown > 0).then_some(why))
    }

    /// Whether there is an event of each connect that ended.
    pub(super) fn has_each_event(&self) -> bool {
        let ledger = &self.summary.ledger;
        ledger.counts.is_some_and(|counts| counts.made == ledger.delivered)
    }

    /// How many connects have an event.
    pub(super) fn events_in_words(&self) -> String {
        let ledger = &self.summary.ledger;
        let made = ledger.counts.map_or(0, |counts| counts.made);
        format!("{} of {} connects have an event, the others only totals", grouped(ledger.delivered), grouped(made))
    }

    /// Why events or totals of signals other than connect are incomplete.
    pub(super) fn lost_signals(&self) -> Option<String> {
        let counts = self.summary.ledger.counts?;
        let parts = [
            (counts.signals_shed, "events were shed"),
            (counts.signals_ring_full, "events were lost in the ring buffer"),
            (counts.signals_map_full, "entries found no room in a map"),
            (counts.kprobes_missed.unwrap_or(0), "kprobes were missed"),
        ];
        let missing = parts.into_iter().find(|(count, _)| *count > 0);
        missing.map(|(count, what)| format!("{} {what}", grouped(count)))
    }

    /// Why a signal shows nothing, or not everything.
    pub(super) fn limitation(&self, signal: Signal) -> Option<String> {
        let Some(active) = self.session.signals.get(&signal).filter(|_| self.session.traced) else {
            return Some(format!("the signal {signal} was not traced"));
        };
        // The counters say whether that happened.
        active.limitations.iter().find(|limitation| !limitation.ends_with("(counted as missed)")).cloned()
    }
}
