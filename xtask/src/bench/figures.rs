// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measured figures, as in docs/benchmarks.json.

use std::{fs, process::Command};

use anyhow::Result;
use connect_load::{Answer, Measured};
use serde::{Deserialize, Serialize};

use super::{bounds::Verdict, modes::UNTRACED, native::Native, scale::Scale};
use crate::workspace::output;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// The machine of the measurement.
    pub machine: Machine,
    pub guests: Vec<Guest>,
    pub native: Vec<Native>,
    pub bounds: Vec<Verdict>,
    #[serde(default)]
    pub scale: Vec<Scale>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Machine {
    pub qemu: String,
    /// Processor of the native part.
    pub processor: String,
    pub kernel: String,
}

/// All figures of one kernel.
#[derive(Debug, Serialize, Deserialize)]
pub struct Guest {
    pub line: String,
    pub release: String,
    /// Packages with versions.
    pub peers: Vec<String>,
    pub rows: Vec<Row>,
}

/// One run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    pub family: u32,
    pub fill: u32,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub destinations: u32,
    pub mode: String,
    #[serde(flatten)]
    pub cost: Option<Cost>,
    /// Why there is no figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_run: Option<String>,
}

/// Instructions, and their ratio to those of the same connects untraced.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cost {
    pub connects: u32,
    pub median: u64,
    pub median_ratio: f64,
    pub mean: u64,
    pub p99: u64,
    /// Instructions from the first connect until the tracer has processed all of them.
    pub busy: u64,
    pub busy_ratio: f64,
    /// Instructions until the tracer has written its final report, detached its programs and ended.
    pub whole: u64,
    pub whole_ratio: f64,
    /// Figures of the tracer, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracer: Option<Tracer>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Tracer {
    /// Busy instructions until it was attached.
    pub start: u64,
    /// Its own share of the busy instructions.
    pub agent: u64,
    /// Busy instructions from SIGINT until it ended.
    pub stop: u64,
    /// Number of lines that it wrote.
    pub lines: u64,
}

impl Row {
    /// The stage whose runs it is compared with.
    pub fn stage(&self) -> (u32, u32, u32) {
        (self.family, self.fill, self.destinations)
    }
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_one(destinations: &u32) -> bool {
    *destinations == 1
}

impl Guest {
    pub fn new(line: &str, release: &str, peers: Vec<String>, answers: &[Answer]) -> Self {
        let rows = answers.iter().map(|answer| {
            let cost = cost(answer, answers);
            let Answer { family, fill, destinations, ref mode, .. } = *answer;
            Row {
                family,
                fill,
                destinations,
                mode: mode.clone(),
                not_run: cost.as_ref().err().cloned(),
                cost: cost.ok(),
            }
        });
        Self { line: line.to_owned(), release: release.to_owned(), peers, rows: rows.collect() }
    }
}

fn cost(answer: &Answer, all: &[Answer]) -> Result<Cost, String> {
    let stage = |answer: &Answer| (answer.family, answer.fill, answer.destinations);
    let same_stage = |other: &&Answer| stage(other) == stage(answer);
    let untraced = all.iter().filter(same_stage).find(|other| other.mode == UNTRACED);
    let untraced = untraced.ok_or("nothing to compare with")?.measured.as_ref()?;
    let Measured { timed, busy_ns, traced } = answer.measured.as_ref()?;
    let whole = busy_ns + traced.map_or(0, |traced| traced.stop_ns);
    Ok(Cost {
        connects: timed.connects,
        median: timed.median_ns,
        median_ratio: ratio(timed.median_ns, untraced.timed.median_ns),
        mean: timed.mean_ns,
        p99: timed.p99_ns,
        busy: *busy_ns,
        busy_ratio: ratio(*busy_ns, untraced.busy_ns),
        whole,
        whole_ratio: ratio(whole, untraced.busy_ns),
        tracer: traced.map(|traced| Tracer {
            start: traced.start_ns,
            agent: traced.agent_ns,
            stop: traced.stop_ns,
            lines: traced.lines,
        }),
    })
}

/// Rounds to four digits, because the bound applies to the written figure.
fn ratio(traced: u64, untraced: u64) -> f64 {
    (traced as f64 / untraced as f64 * 10_000.0).round() / 10_000.0
}

impl Machine {
    pub fn this() -> Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let name = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Self {
            qemu: output(Command::new("qemu-system-x86_64").arg("--version"))?
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
            processor: name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned()),
            kernel: output(Command::new("uname").arg("-r"))?,
        })
    }
}

impl Figures {
    pub fn row(&self, line: &str, family: u32, fill: u32, mode: &str) -> Option<&Row> {
        let guest = self.guests.iter().find(|guest| guest.line == line)?;
        guest.rows.iter().find(|row| row.stage() == (family, fill, 1) && row.mode == mode)
    }

    /// Figures that are out of bounds, in words.
    pub fn out_of_bounds(&self) -> Vec<String> {
        let guests = self.bounds.iter().filter(|verdict| !verdict.met).map(|verdict| {
            let Verdict { kernel, family, fill, mode, measure, ratio, at_most, .. } = verdict;
            let ratio = ratio.map_or_else(|| "not run".to_owned(), |ratio| ratio.to_string());
            format!("{kernel} IPv{family} {fill} % {mode}: {measure:?} {ratio}, at most {at_most}")
        });
        let native = self.native.iter().filter(|native| native.met == Some(false));
        let native = native.map(|native| {
            let value = native.value.map_or_else(|| "not run".to_owned(), |value| format!("{value} {}", native.unit));
            format!("{}: {value}, {}", native.name, native.bound.as_deref().unwrap_or_default())
        });
        guests.chain(native).collect()
    }
}
