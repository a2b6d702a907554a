// SPDX-License-Identifier: MIT OR Apache-2.0
//! Larger machines, by simulation: the kernel side's rows (tcp-trace-ebpf/src/rows.rs) and the agent's two generations.
//! The results are reproducible.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher},
};

use serde::{Deserialize, Serialize};
use tcp_trace_common::connect_rows::{RawRow, RawRowKey, shards};

/// Number of places in a generation (tcp-trace/src/probes/map_sizes.rs).
const PLACES: usize = 4_096;

/// Number of intervals of a second; the last one is reported.
const INTERVALS: u32 = 4;

/// Instructions of the map's operations on 6.12: see ARCHITECTURE.md, "What keeps a program small".
const LOOK: u64 = 110;
const INSERT: u64 = 500;

/// Time in ns that the agent takes for a row: reading, adding up shards, folding into tables. Measured on Linux 6.18 as
/// the difference between connects to 4,000 destinations in turn and to one.
const DRAIN_NS_PER_ROW: f64 = 2_700.0;

/// Assumed time in ns for adding to a row whose lines no other CPU had; each line that one had costs extra.
const ADD_NS: f64 = 150.0;
const LINE_NS: f64 = 100.0;
/// Number of cache lines of a row that an established attempt writes.
const LINES: f64 = 8.0;

/// Bytes per element beside key and value: `struct htab_elem`.
const ELEMENT: usize = 48;

/// One machine under load.
struct Case {
    cpus: u32,
    connects_per_second: u32,
    destinations: u32,
    spread: Spread,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spread {
    /// The nth destination is used 1/n as often as the first.
    Zipf,
    /// All destinations are used equally often.
    Even,
}

const CASES: [Case; 6] = [
    Case { cpus: 2, connects_per_second: 20_000, destinations: 1, spread: Spread::Even },
    Case { cpus: 2, connects_per_second: 100_000, destinations: 100_000, spread: Spread::Zipf },
    Case { cpus: 16, connects_per_second: 100_000, destinations: 100_000, spread: Spread::Zipf },
    Case { cpus: 128, connects_per_second: 1_000_000, destinations: 1, spread: Spread::Even },
    Case { cpus: 128, connects_per_second: 1_000_000, destinations: 1_000_000, spread: Spread::Zipf },
    Case { cpus: 128, connects_per_second: 1_000_000, destinations: 1_000_000, spread: Spread::Even },
];

/// Result for one case.
#[derive(Debug, Serialize, Deserialize)]
pub struct Scale {
    pub cpus: u32,
    pub connects_per_second: u32,
    pub destinations: u32,
    pub spread: String,
    /// Share of connects without a row, of 1.
    pub in_remainder: f64,
    /// Number of destinations with exact rows, from the heaviest to the first that lacks a connect.
    pub exact_from_heaviest: u32,
    /// Instructions per connect to find its row.
    pub finding_instructions: u64,
    /// Time in ns per connect to add to its row: if another CPU had the row last, its cache lines must be transferred.
    pub adding_ns: f64,
    /// Share of the time, of 1, in which a program adds to the busiest row.
    pub busiest_row: f64,
    pub drain_ms: f64,
    pub memory_mib: f64,
}

pub fn simulate() -> Vec<Scale> {
    CASES.iter().map(of).collect()
}

/// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u32) -> u32 {
        ((u64::from(end) * (self.next() >> 32)) >> 32) as u32
    }
}

/// Random destinations, the heaviest first.
struct Draw {
    /// Cumulative weights; empty if all are equal.
    weights: Vec<f64>,
    destinations: u32,
}

impl Draw {
    fn of(case: &Case) -> Self {
        let mut sum = 0.0;
        let mut up_to = |number: u32| {
            sum += 1.0 / f64::from(number);
            sum
        };
        let weights =
            if case.spread == Spread::Zipf { (1..=case.destinations).map(&mut up_to).collect() } else { Vec::new() };
        Self { weights, destinations: case.destinations }
    }

    fn next(&self, random: &mut Random) -> u32 {
        let Some(sum) = self.weights.last() else { return random.below(self.destinations) };
        let at = (random.next() >> 11) as f64 / (1u64 << 53) as f64 * sum;
        self.weights.partition_point(|weight| *weight <= at) as u32
    }
}

/// Rows by destination and shard: number of connects, CPU of the last one, and how often that was another CPU.
type Rows = HashMap<(u32, u32), Row, BuildHasherDefault<DefaultHasher>>;

#[derive(Default)]
struct Row {
    connects: u32,
    last_cpu: u32,
    moved: u32,
}

/// Result of an interval.
#[derive(Default)]
struct Interval {
    rows: Rows,
    made: HashMap<u32, u32, BuildHasherDefault<DefaultHasher>>,
    remainder: u32,
    looks: u64,
    inserts: u64,
}

impl Interval {
    /// Adds a connect, as `place` in tcp-trace-ebpf/src/rows.rs does.
    fn connect(&mut self, destination: u32, cpu: u32, shards: u32) {
        *self.made.entry(destination).or_default() += 1;
        let shard = cpu % shards;
        let mut key = (destination, shard);
        self.looks += 1;
        if !self.rows.contains_key(&key) {
            let mut of_all = false;
            if shard != 0 {
                self.looks += 1;
                of_all = self.rows.contains_key(&(destination, 0));
            }
            if self.rows.len() < PLACES {
                key = (destination, if of_all { shard } else { 0 });
                self.inserts += 1;
            } else if of_all {
                key = (destination, 0);
            } else {
                self.remainder += 1;
                return;
            }
        }
        let row = self.rows.entry(key).or_default();
        row.moved += u32::from(row.connects > 0 && row.last_cpu != cpu);
        (row.connects, row.last_cpu) = (row.connects + 1, cpu);
    }

    /// Connects by destination, most first.
    fn sums(&self) -> Vec<(u32, u32)> {
        let mut sums = HashMap::<u32, u32>::new();
        for ((destination, _), row) in &self.rows {
            *sums.entry(*destination).or_default() += row.connects;
        }
        let mut sums: Vec<_> = sums.into_iter().filter(|(_, connects)| *connects > 0).collect();
        sums.sort_unstable_by_key(|(destination, connects)| (std::cmp::Reverse(*connects), *destination));
        sums
    }

    /// Drains a generation, as `drain` in tcp-trace/src/source/connect_rows.rs does: reserves places for the heaviest,
    /// if it was filling up.
    fn heaviest(&self, shards: u32) -> Rows {
        let share = PLACES / 4;
        if self.rows.len() <= share {
            return Rows::default();
        }
        let heaviest = self.sums().into_iter().take(share / shards as usize);
        heaviest
            .flat_map(|(destination, _)| (0..shards).map(move |shard| ((destination, shard), Row::default())))
            .collect()
    }
}

fn of(case: &Case) -> Scale {
    let (mut random, draw, shards) = (Random(1), Draw::of(case), shards(case.cpus));
    let mut interval = Interval::default();
    for _ in 0..INTERVALS {
        interval = Interval { rows: interval.heaviest(shards), ..Interval::default() };
        for _ in 0..case.connects_per_second {
            let destination = draw.next(&mut random);
            interval.connect(destination, random.below(case.cpus), shards);
        }
    }
    let connects = f64::from(case.connects_per_second);
    let mut made: Vec<_> = interval.made.iter().collect();
    made.sort_unstable_by_key(|(destination, connects)| (std::cmp::Reverse(**connects), **destination));
    let in_rows: HashMap<u32, u32> = interval.sums().into_iter().collect();
    let exact = made.iter().take_while(|(destination, connects)| in_rows.get(destination) == Some(connects)).count();
    let moved: f64 = interval.rows.values().map(|row| f64::from(row.moved)).sum();
    let adding_ns = |moved_share: f64| ADD_NS + LINES * LINE_NS * moved_share;
    let busiest = interval.rows.values().max_by_key(|row| row.connects);
    let busiest_row = busiest.map_or(0.0, |row| {
        let connects = f64::from(row.connects);
        connects * adding_ns(f64::from(row.moved) / connects.max(1.0)) / 1e9
    });
    let place = size_of::<RawRowKey>() + size_of::<RawRow>() + ELEMENT;
    Scale {
        cpus: case.cpus,
        connects_per_second: case.connects_per_second,
        destinations: case.destinations,
        spread: if case.spread == Spread::Zipf { "Zipf's law".to_owned() } else { "evenly".to_owned() },
        in_remainder: rounded(f64::from(interval.remainder) / connects, 4),
        exact_from_heaviest: exact as u32,
        finding_instructions: (interval.looks * LOOK + interval.inserts * INSERT) / u64::from(case.connects_per_second),
        adding_ns: rounded(adding_ns(moved / connects), 0),
        busiest_row: rounded(busiest_row, 3),
        drain_ms: rounded(interval.rows.len() as f64 * DRAIN_NS_PER_ROW / 1e6, 1),
        memory_mib: rounded((2 * PLACES * place) as f64 / f64::from(1 << 20), 1),
    }
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_exact_and_what_does_not_is_in_the_remainder() {
        let few = of(&Case { cpus: 4, connects_per_second: 10_000, destinations: 100, spread: Spread::Even });
        assert_eq!((few.in_remainder, few.exact_from_heaviest), (0.0, 100));
        let many = of(&Case { cpus: 4, connects_per_second: 50_000, destinations: 50_000, spread: Spread::Zipf });
        assert!(many.in_remainder > 0.1, "{many:?}");
        assert!(many.exact_from_heaviest > 50, "{many:?}");
    }

    /// A process that moves to another CPU once there is no room left keeps its row.
    #[test]
    fn a_row_that_found_a_place_has_one_for_each_cpu() {
        let mut interval = Interval::default();
        interval.connect(0, 1, 2);
        (1..=PLACES as u32).for_each(|destination| interval.connect(destination, 1, 2));
        assert_eq!(interval.remainder, 1);
        interval.connect(0, 0, 2);
        interval.connect(0, 1, 2);
        assert_eq!((interval.remainder, interval.sums()[0]), (1, (0, 3)));
    }
}
