// SPDX-License-Identifier: MIT OR Apache-2.0
//! Attempts by program, by process and by destination. Each table is bounded; with its remainder it holds all attempts.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, Hash},
};

use foldhash::fast::{FixedState, RandomState};

use super::Others;
use crate::{
    aggregate::{
        tally::{Destination, ProcessId, ProcessKey, Processes, ProgramId, ProgramKey, Tally},
        top::{Row, Top},
    },
    model::folded::{FoldedCounts, FoldedRow},
};

/// Number of rows in each table.
const TOP: usize = 1024;
/// Number of processes that are distinguished when they are counted.
const PROCESSES: usize = 1 << 16;

/// The three tables and their remainders.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    programs: Top<ProgramId, Tally>,
    processes: Top<ProcessId, Tally>,
    destinations: Top<Destination, Tally>,
    other: Others,
    /// Attempts that came without a row: each row may lack some of them.
    without_row: u64,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            programs: Top::new(TOP),
            processes: Top::new(TOP),
            destinations: Top::new(TOP),
            other: Others::default(),
            without_row: 0,
        }
    }
}

impl Tables {
    pub(super) fn add(&mut self, row: &FoldedRow, processes: Processes) {
        let tally = Tally::of_row(row);
        add(&mut self.destinations, &mut self.other.destinations, &Destination::of(row), &tally, tally.connects);
        add(&mut self.processes, &mut self.other.processes, &ProcessId::of(row), &tally, tally.connects);
        let tally = Tally { processes, ..tally };
        add(&mut self.programs, &mut self.other.programs, &ProgramId::of(row), &tally, tally.connects);
    }

    pub(super) fn add_other(&mut self, counts: &FoldedCounts) {
        let tally = Tally::of(counts);
        self.without_row = self.without_row.saturating_add(tally.connects);
        let Others { programs, processes, destinations } = &mut self.other;
        [programs, processes, destinations].into_iter().for_each(|other| other.merge(&tally));
    }

    pub(super) fn merge(&mut self, later: &Self) {
        merge(&mut self.programs, &mut self.other.programs, &later.programs);
        merge(&mut self.processes, &mut self.other.processes, &later.processes);
        merge(&mut self.destinations, &mut self.other.destinations, &later.destinations);
        self.other.programs.merge(&later.other.programs);
        self.other.processes.merge(&later.other.processes);
        self.other.destinations.merge(&later.other.destinations);
        self.without_row = self.without_row.saturating_add(later.without_row);
    }

    pub(super) fn clear(&mut self) {
        self.programs.clear();
        self.processes.clear();
        self.destinations.clear();
        self.other = Others::default();
        self.without_row = 0;
    }

    pub(super) fn other(&self) -> Others {
        self.other.clone()
    }

    pub(super) fn destinations(&self) -> Vec<Row<Destination, Tally>> {
        self.worst_first(&self.destinations, |key, _| *key)
    }

    pub(super) fn processes(&self) -> Vec<Row<ProcessKey, Tally>> {
        self.worst_first(&self.processes, |key, tally| {
            let program = tally.program.expect("a row has one").program();
            ProcessKey { pid: key.pid, started_ns: key.started_ns, program }
        })
    }

    pub(super) fn programs(
        &self,
        processes: impl Fn(&Processes) -> u64,
        seen: &ProcessSet,
    ) -> Vec<Row<ProgramKey, Tally>> {
        self.worst_first(&self.programs, |key, tally| ProgramKey {
            program: key.program(),
            processes: processes(&tally.processes).max(1),
            processes_at_least: seen.is_full,
        })
    }

    /// Rows with trouble first, then those with most attempts; the key breaks ties, so that rows keep their order.
    fn worst_first<K, R>(&self, top: &Top<K, Tally>, key_of: impl Fn(&K, &Tally) -> R) -> Vec<Row<R, Tally>>
    where
        K: Clone + Eq + Ord + Hash,
    {
        let mut rows: Vec<_> = top.iter().collect();
        rows.sort_unstable_by(|(a, x, ..), (b, y, ..)| {
            (y.trouble(), y.connects).cmp(&(x.trouble(), x.connects)).then_with(|| a.cmp(b))
        });
        rows.into_iter()
            .map(|(key, tally, _, replaced_another)| Row {
                key: key_of(key, tally),
                value: tally.clone(),
                at_least: replaced_another || self.without_row > 0,
            })
            .collect()
    }
}

/// Adds to a row. The values of an evicted row are added to the remainder.
fn add<K: Clone + Eq + Hash>(top: &mut Top<K, Tally>, other: &mut Tally, key: &K, tally: &Tally, weight: u64) {
    let (value, replaced) = top.add_or_replace(key, weight);
    value.merge(tally);
    if let Some(replaced) = replaced {
        other.merge(&replaced);
    }
}

fn merge<K: Clone + Eq + Hash>(total: &mut Top<K, Tally>, other: &mut Tally, interval: &Top<K, Tally>) {
    for (key, tally, weight, at_least) in interval.iter() {
        add(total, other, key, tally, weight);
        if at_least {
            total.mark(key);
        }
    }
}

/// Processes that were seen, each with its program: enough to count them in bounded memory.
#[derive(Clone, Debug, Default)]
pub(super) struct ProcessSet {
    met: HashSet<u64, RandomState>,
    /// The last process seen: consecutive rows often have the same process.
    last: Option<u64>,
    /// Whether there are more processes than can be distinguished.
    is_full: bool,
    /// Start time of the last process of each pid.
    started: HashMap<u32, u64, RandomState>,
}

impl ProcessSet {
    /// Returns whether the process of a row is new.
    pub(super) fn meet(&mut self, row: &FoldedRow) -> bool {
        let hash = FixedState::with_seed(0).hash_one((ProgramId::of(row), ProcessId::of(row)));
        if self.last == Some(hash) {
            return false;
        }
        self.last = Some(hash);
        if row.process_start_ns != 0 && (self.started.len() < PROCESSES || self.started.contains_key(&row.pid)) {
            self.started.insert(row.pid, row.process_start_ns);
        }
        if self.met.len() < PROCESSES {
            return self.met.insert(hash);
        }
        self.is_full |= !self.met.contains(&hash);
        false
    }

    /// Start time of a process as known from rows, in ns; 0: unknown.
    pub(super) fn started_ns(&self, pid: u32) -> u64 {
        self.started.get(&pid).copied().unwrap_or(0)
    }

    pub(super) fn clear(&mut self) {
        self.met.clear();
        self.last = None;
        self.is_full = false;
        self.started.clear();
    }
}
