// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts of one process, one program or one destination.

use std::net::IpAddr;

use crate::{
    event::{Cgroup, Comm, Outcome},
    model::folded::{FoldedCounts, FoldedRow, FoldedSpread, FoldedSum},
};

/// A process: its thread group and the name of the thread that called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Name.
    pub comm: Comm,
}

/// Identity of a process, because pids are reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// Start time on the boot-time clock in ns; `None`: unknown.
    pub started_ns: Option<u64>,
}

/// What all processes of a program have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name of the thread that called.
    pub comm: Comm,
    /// User id.
    pub uid: u32,
    /// Cgroup v2 of the process.
    pub cgroup: Option<Cgroup>,
}

/// Key of a row of processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessKey {
    /// Process id.
    pub pid: u32,
    /// Start time on the boot-time clock in ns; `None`: unknown.
    pub started_ns: Option<u64>,
    /// The program of the process, as of its last connect.
    pub program: Program,
}

/// Key of a row of programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramKey {
    /// The program.
    pub program: Program,
    /// Number of its processes, including those that ended.
    pub processes: u64,
    /// Whether `processes` is a lower bound.
    pub processes_at_least: bool,
}

/// The key under which the processes of a program are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ProgramId {
    comm: Comm,
    uid: u32,
    cgroup_id: u64,
}

/// A destination, as seen from one network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination {
    /// Inode of the network namespace.
    pub netns: u32,
    /// Remote address.
    pub daddr: IpAddr,
    /// Remote port.
    pub dport: u16,
}

impl ProcessId {
    pub(super) fn of(row: &FoldedRow) -> Self {
        Self { pid: row.pid, started_ns: (row.process_start_ns != 0).then_some(row.process_start_ns) }
    }
}

impl ProgramId {
    pub(super) fn of(row: &FoldedRow) -> Self {
        Self { comm: row.comm, uid: row.uid, cgroup_id: row.cgroup_id }
    }

    pub(super) fn program(&self) -> Program {
        Program { comm: self.comm, uid: self.uid, cgroup: Cgroup::from_kernel(self.cgroup_id) }
    }
}

impl Destination {
    pub(super) fn of(row: &FoldedRow) -> Self {
        Self { netns: row.netns, daddr: row.daddr, dport: row.dport }
    }
}

/// Counts of one process, program or destination.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Number of attempts.
    pub connects: u64,
    /// Attempts that ended without a connection. Pending attempts are not included.
    pub failures: u64,
    /// Attempts that failed with EADDRNOTAVAIL, including those of bound sockets.
    pub no_port: u64,
    /// Searches that found no port in the whole range: `no_port` without bound sockets.
    pub exhausted: u64,
    /// Attempts that failed with ECONNREFUSED.
    pub refused: u64,
    /// Attempts that the kernel or the caller gave up after SYN retransmits.
    pub unanswered: u64,
    /// Searches that found a port only in the second pass.
    pub second_pass: u64,
    /// Searches for which `second_pass` is known, including those that found no port.
    pub second_pass_known: u64,
    /// SYN retransmits.
    pub syn_retransmits: u64,
    /// Ports visited.
    pub visited: FoldedSpread,
    /// Ports visited by searches that needed the second pass.
    pub second_pass_visited: FoldedSum,
    /// Time in the port search, in ns.
    pub search_ns: FoldedSpread,
    /// Time of searches that needed the second pass, in ns.
    pub second_pass_search_ns: FoldedSum,
    /// Time of searches that found a port in the first pass, in ns.
    pub first_pass_search_ns: FoldedSum,
    /// Time from the SYN to the end of the attempt, in ns.
    pub handshake_ns: FoldedSpread,
    /// Time from the call to the end of the attempt, in ns.
    pub total_ns: FoldedSpread,
    /// Candidates refused because a live connection holds the four-tuple, from sampled searches.
    pub in_use: FoldedSum,
    /// Candidates refused because of TIME_WAIT, from sampled searches.
    pub time_wait: FoldedSum,
    /// The range that was searched last.
    pub range: Option<(u16, u16)>,
    /// Searches of a range that the socket set with IP_LOCAL_PORT_RANGE.
    pub local_range: u64,
    /// The caller: of several, the one with most trouble in an interval, then the one with most attempts, then the
    /// last.
    pub caller: Option<Process>,
    /// Trouble and attempts of the caller.
    pub(super) caller_weight: (u64, u64),
    /// The program of the last caller.
    pub(super) program: Option<ProgramId>,
    /// Processes seen for the first time; counted for programs only.
    pub(super) processes: Processes,
}

/// Number of processes of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Processes {
    /// Processes in this interval.
    pub(super) now: u64,
    /// Processes of `now` that were seen for the first time in the run.
    pub(super) new: u64,
}

impl Tally {
    /// A tally of folded counts.
    pub(super) fn of(counts: &FoldedCounts) -> Self {
        let connected = counts.ended(Outcome::Established).saturating_add(counts.ended(Outcome::Pending));
        let attempts = counts.attempts();
        Self {
            connects: attempts,
            failures: attempts.saturating_sub(connected),
            no_port: counts.ended(Outcome::NoPort),
            exhausted: counts.exhausted,
            refused: counts.ended(Outcome::Refused),
            unanswered: counts.unanswered,
            second_pass: counts.second_pass,
            second_pass_known: counts.second_pass_known,
            syn_retransmits: counts.syn_retransmits,
            visited: counts.visited.clone(),
            second_pass_visited: counts.second_pass_visited,
            search_ns: counts.search_ns.clone(),
            second_pass_search_ns: counts.second_pass_search_ns,
            first_pass_search_ns: counts.first_pass_search_ns,
            handshake_ns: counts.handshake_ns.clone(),
            total_ns: counts.total_ns.clone(),
            in_use: counts.in_use,
            time_wait: counts.time_wait,
            range: counts.range,
            local_range: counts.local_range,
            caller: None,
            caller_weight: (0, 0),
            program: None,
            processes: Processes::default(),
        }
    }

    /// A tally of a row.
    pub(super) fn of_row(row: &FoldedRow) -> Self {
        let caller = Some(Process { pid: row.pid, comm: row.comm });
        let tally = Self::of(&row.counts);
        let caller_weight = (tally.trouble(), tally.connects);
        Self { caller, caller_weight, program: Some(ProgramId::of(row)), ..tally }
    }

    /// Number of attempts that deserve attention.
    pub(super) fn trouble(&self) -> u64 {
        self.failures.saturating_add(self.second_pass)
    }

    /// Adds a later tally.
    pub(super) fn merge(&mut self, later: &Self) {
        let counts = [
            (&mut self.connects, later.connects),
            (&mut self.failures, later.failures),
            (&mut self.no_port, later.no_port),
            (&mut self.exhausted, later.exhausted),
            (&mut self.refused, later.refused),
            (&mut self.unanswered, later.unanswered),
            (&mut self.second_pass, later.second_pass),
            (&mut self.second_pass_known, later.second_pass_known),
            (&mut self.syn_retransmits, later.syn_retransmits),
            (&mut self.local_range, later.local_range),
            (&mut self.processes.now, later.processes.now),
            (&mut self.processes.new, later.processes.new),
        ];
        for (count, later) in counts {
            *count = count.saturating_add(later);
        }
        let sums = [
            (&mut self.second_pass_visited, &later.second_pass_visited),
            (&mut self.second_pass_search_ns, &later.second_pass_search_ns),
            (&mut self.first_pass_search_ns, &later.first_pass_search_ns),
            (&mut self.in_use, &later.in_use),
            (&mut self.time_wait, &later.time_wait),
        ];
        for (sum, later) in sums {
            sum.merge(later);
        }
        let spreads = [
            (&mut self.visited, &later.visited),
            (&mut self.search_ns, &later.search_ns),
            (&mut self.handshake_ns, &later.handshake_ns),
            (&mut self.total_ns, &later.total_ns),
        ];
        for (spread, later) in spreads {
            spread.merge(later);
        }
        self.range = later.range.or(self.range);
        if later.caller.is_some() && later.caller_weight >= self.caller_weight {
            (self.caller, self.caller_weight) = (later.caller, later.caller_weight);
        }
        self.program = later.program.or(self.program);
    }
}
