// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is counted for one process or one destination.

use std::net::IpAddr;

use crate::event::{Comm, Connect, Outcome, SourcePort};

/// A process: its thread group and the name of the thread that called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Name.
    pub comm: Comm,
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

/// A sum with the number of values it is made of, and the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many values were known.
    pub known: u64,
    /// Their sum.
    pub sum: u64,
    /// The largest; 0 while none is known.
    pub max: u64,
}

impl Sum {
    pub(super) fn add(&mut self, value: Option<u64>) {
        if let Some(value) = value {
            self.known += 1;
            self.sum = self.sum.saturating_add(value);
            self.max = self.max.max(value);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.known += other.known;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }

    /// `None` while no value is known.
    pub fn mean(&self) -> Option<u64> {
        self.sum.checked_div(self.known)
    }
}

/// Counts of one process or destination.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Attempts.
    pub connects: u64,
    /// Of these, ended in something else than a connection. Those still pending are not among them.
    pub failures: u64,
    /// EADDRNOTAVAIL, bound sockets included.
    pub no_port: u64,
    /// Searches that found no port in the whole range: `no_port` without the bound sockets.
    pub exhausted: u64,
    /// ECONNREFUSED.
    pub refused: u64,
    /// Given up, by the kernel or by the caller, after SYNs that were sent again.
    pub unanswered: u64,
    /// Searches that found a port only in the second pass.
    pub second_pass: u64,
    /// Searches of which it is known whether there was a second pass, those that found no port included.
    pub second_pass_known: u64,
    /// Ports visited.
    pub visited: Sum,
    /// Ports visited by the searches of `second_pass`.
    pub second_pass_visited: Sum,
    /// Time in the port search.
    pub search_ns: Sum,
    /// Time in the searches of `second_pass`.
    pub second_pass_search_ns: Sum,
    /// Time in the searches that found a port in their first pass.
    pub first_pass_search_ns: Sum,
    /// Candidates refused because a live connection holds the four-tuple; sampled.
    pub in_use: Sum,
    /// Candidates refused because of TIME_WAIT; sampled.
    pub time_wait: Sum,
    /// The range last searched.
    pub range: Option<(u16, u16)>,
    /// Searches of the socket's own range.
    pub local_range: u64,
    /// Who called last.
    pub caller: Option<Process>,
}

impl Tally {
    pub(super) fn observe(&mut self, connect: &Connect, process: &Process) {
        self.connects += 1;
        self.failures += u64::from(!matches!(connect.outcome, Outcome::Established | Outcome::Pending));
        let no_port = connect.outcome == Outcome::NoPort;
        self.no_port += u64::from(no_port);
        self.exhausted += u64::from(no_port && connect.source_port.is_some_and(|port| port != SourcePort::Bound));
        self.refused += u64::from(connect.outcome == Outcome::Refused);
        self.unanswered += u64::from(match connect.outcome {
            Outcome::TimedOut => true,
            Outcome::Abandoned | Outcome::Interrupted | Outcome::Pending => connect.syn_retransmits > Some(0),
            _ => false,
        });
        self.second_pass_known += u64::from(connect.second_pass.is_some());
        let visited = connect.ports_visited.map(u64::from);
        self.visited.add(visited);
        self.search_ns.add(connect.port_search_ns);
        if !no_port {
            match connect.second_pass {
                Some(true) => {
                    self.second_pass += 1;
                    self.second_pass_visited.add(visited);
                    self.second_pass_search_ns.add(connect.port_search_ns);
                }
                Some(false) => self.first_pass_search_ns.add(connect.port_search_ns),
                None => {}
            }
        }
        if let Some(candidates) = connect.candidates {
            self.in_use.add(Some(candidates.in_use.into()));
            self.time_wait.add(Some(candidates.time_wait.into()));
        }
        self.range = connect.range.or(self.range);
        self.local_range += u64::from(connect.source_port == Some(SourcePort::LocalRange));
        self.caller = Some(*process);
    }

    /// Adds what came later.
    pub(super) fn merge(&mut self, later: &Self) {
        self.connects += later.connects;
        self.failures += later.failures;
        self.no_port += later.no_port;
        self.exhausted += later.exhausted;
        self.refused += later.refused;
        self.unanswered += later.unanswered;
        self.second_pass += later.second_pass;
        self.second_pass_known += later.second_pass_known;
        self.local_range += later.local_range;
        let sums = [
            (&mut self.visited, &later.visited),
            (&mut self.second_pass_visited, &later.second_pass_visited),
            (&mut self.search_ns, &later.search_ns),
            (&mut self.second_pass_search_ns, &later.second_pass_search_ns),
            (&mut self.first_pass_search_ns, &later.first_pass_search_ns),
            (&mut self.in_use, &later.in_use),
            (&mut self.time_wait, &later.time_wait),
        ];
        for (sum, later) in sums {
            sum.merge(later);
        }
        self.range = later.range.or(self.range);
        self.caller = later.caller.or(self.caller);
    }
}
