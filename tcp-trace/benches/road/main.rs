// SPDX-License-Identifier: MIT OR Apache-2.0
//! The road of user space alone: raw events -> decode -> enrich -> aggregate -> answer, with and without a JSON line
//! for each, and a script that does the same job beside it. Prints one line of JSON.
//!
//! `cargo bench -p tcp-trace --bench road`. Rates are the best of several short runs: what the machine does meanwhile
//! only ever takes away. Allocations are counted, so they are the same at every run.

mod counting;
mod recorded;

use std::{env, fs, path::PathBuf, process::Command, time::Instant};

use counting::{Allocated, Counting, allocated};
use jiff::Timestamp;
use serde_json::json;
use tcp_trace::{
    aggregate::connect::ConnectAggregate,
    clock::Anchor,
    decode::Decoder,
    enrich::cgroup::Cgroups,
    event::Event,
    export::{calendar::Calendar, json, sink::Sink},
    kernel::rules::SearchRules,
    model::folded::{Folded, FoldedRow},
};
use tcp_trace_common::connect::RawConnect;
use zerocopy::IntoBytes;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Destinations, each another one.
const MANY: u32 = 1_000_000;
const ROUNDS: u32 = 8;
/// Rings of events in a round.
const RINGS: u32 = 20;

/// What the live road is made of, between the ring buffer and the file.
struct Road {
    decoder: Decoder,
    cgroups: Cgroups,
    connects: ConnectAggregate,
    lines: Option<Sink>,
    buffer: Vec<u8>,
    calendar: Calendar,
}

impl Road {
    fn new(lines: bool) -> Self {
        let rules = SearchRules { perturb_table: true, ..SearchRules::default() };
        let anchor = Anchor::at(0, Timestamp::from_second(1_760_000_000).expect("a time of our century"));
        let sink = || Sink::open(Some(&PathBuf::from("/dev/null"))).expect("/dev/null takes everything");
        Self {
            decoder: Decoder::new(rules.walk(), anchor),
            cgroups: Cgroups::find(),
            connects: ConnectAggregate::default(),
            lines: lines.then(sink),
            buffer: Vec::new(),
            calendar: Calendar::default(),
        }
    }

    fn take(&mut self, raw: &RawConnect) {
        let mut event = self.decoder.decode(raw.as_bytes()).expect("raw events of the contract");
        self.cgroups.enrich(&mut event);
        // What is counted comes with the rows, and is measured with them.
        if matches!(event, Event::Connect(_)) {
            self.connects.hear();
        }
        if let Some(sink) = &mut self.lines {
            self.buffer.clear();
            json::event(&mut self.buffer, &mut self.calendar, &event);
            sink.write(&self.buffer).expect("/dev/null takes everything");
        }
    }
}

/// Result of a benchmark run.
struct Figures {
    events_per_second: f64,
    per_event: [f64; 2],
    per_answer: Allocated,
}

/// Rings of events through the road; every one ends with an answer, as an interval would.
fn measure(events: &mut [RawConnect], lines: bool, many: bool, rounds: u32) -> Figures {
    let mut road = Road::new(lines);
    let mut next = 0;
    let mut ring = |road: &mut Road| {
        for raw in &mut *events {
            if many {
                recorded::set_destination(raw, next % MANY);
                next += 1;
            }
            road.take(raw);
        }
    };
    // Whatever is kept is there from now on. Every destination is seen once.
    for _ in 0..if many { MANY as usize / recorded::EVENTS + 1 } else { 2 } {
        ring(&mut road);
    }
    std::hint::black_box(road.connects.tick());
    ring(&mut road);
    let (mut best, mut asked, mut answers) = (0.0_f64, Allocated { times: 0, bytes: 0 }, asked_nothing());
    for _ in 0..rounds {
        let (before, begin) = (allocated(), Instant::now());
        for _ in 0..RINGS {
            ring(&mut road);
        }
        let seconds = begin.elapsed().as_secs_f64();
        let news = allocated().since(before);
        (asked.times, asked.bytes) = (asked.times + news.times, asked.bytes + news.bytes);
        best = best.max(f64::from(RINGS) * recorded::EVENTS as f64 / seconds);
        let before = allocated();
        std::hint::black_box(road.connects.tick());
        answers = allocated().since(before);
    }
    let total = f64::from(rounds * RINGS) * recorded::EVENTS as f64;
    Figures {
        events_per_second: best.round(),
        per_event: [asked.times as f64 / total, asked.bytes as f64 / total],
        per_answer: answers,
    }
}

/// Rows a second, each towards another destination, from the kernel side's totals to an answer.
fn rows(events: &mut [RawConnect], rounds: u32) -> f64 {
    let mut decoder = Road::new(false).decoder;
    let mut connects = ConnectAggregate::default();
    let mut best = 0.0_f64;
    for round in 0..rounds {
        let decoded = events.iter_mut().zip(round * recorded::EVENTS as u32..).filter_map(|(raw, number)| {
            recorded::set_destination(raw, number % MANY);
            match decoder.decode(raw.as_bytes()).expect("raw events of the contract") {
                Event::Connect(connect) => Some(FoldedRow::of(&connect)),
                _ => None,
            }
        });
        let folded = Folded { rows: decoded.collect(), ..Folded::default() };
        let begin = Instant::now();
        connects.observe_folded(&folded, true);
        std::hint::black_box(connects.tick());
        best = best.max(folded.rows.len() as f64 / begin.elapsed().as_secs_f64());
    }
    best.round()
}

fn asked_nothing() -> Allocated {
    Allocated { times: 0, bytes: 0 }
}

/// `VmHWM` of this process: the most it ever held, in KiB.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Events a second of the script beside this file; `None`: not run.
fn peer(events: &[RawConnect], mode: &str) -> Option<u64> {
    let file = env::temp_dir().join(format!("tcp-trace-road-{}.bin", std::process::id()));
    fs::write(&file, events.as_bytes()).ok()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/road/peer.py");
    let runs = (0..3).filter_map(|_| {
        let output = Command::new("python3").arg(script).arg(&file).arg(mode).output().ok()?;
        output.status.success().then_some(())?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    });
    let best = runs.max();
    // A file in the temporary folder that could not be removed is no reason to fail.
    let _ = fs::remove_file(&file);
    best
}

fn main() {
    // `cargo test --benches` only wants to see it run.
    let rounds = if env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    let mut events = recorded::events();
    let peers = [peer(&events, "summary"), peer(&events, "lines")];
    let ways = [("summary", false), ("lines", true)];
    let mut said = serde_json::Map::new();
    for ((name, lines), peer) in ways.into_iter().zip(peers) {
        let few = measure(&mut events, lines, false, rounds);
        let many = measure(&mut events.clone(), lines, true, rounds);
        let one = |figures: &Figures| {
            let [allocations, bytes] = figures.per_event;
            json!({
                "events_per_second": figures.events_per_second,
                "allocations_per_event": allocations,
                "bytes_per_event": bytes,
                "allocations_per_answer": figures.per_answer.times,
                "bytes_per_answer": figures.per_answer.bytes,
            })
        };
        said.insert(
            name.into(),
            json!({ "few_destinations": one(&few), "million_destinations": one(&many), "python_events_per_second": peer }),
        );
    }
    said.insert("rows_per_second".into(), json!(rows(&mut events.clone(), rounds)));
    said.insert("peak_resident_kib".into(), json!(peak_kib()));
    println!("{}", serde_json::Value::Object(said));
}
