// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was measured, as docs/benchmarks.json has it.

use connect_load::{Answer, Measured};
use serde::Serialize;

use super::{bounds::Verdict, modes::UNTRACED, native::Native};

#[derive(Debug, Default, Serialize)]
pub struct Figures {
    pub guests: Vec<Guest>,
    pub native: Vec<Native>,
    pub bounds: Vec<Verdict>,
}

/// Everything from one kernel.
#[derive(Debug, Serialize)]
pub struct Guest {
    pub line: String,
    pub release: String,
    pub rows: Vec<Row>,
}

/// One run.
#[derive(Debug, Serialize)]
pub struct Row {
    pub family: u32,
    pub fill: u32,
    pub mode: String,
    /// Or why there are none.
    #[serde(flatten, serialize_with = "figures_or_reason")]
    pub figures: Result<Cost, String>,
}

/// Instructions, and how many times those that the same connects take when nobody traces.
#[derive(Debug, Serialize)]
pub struct Cost {
    pub connects: u32,
    pub median: u64,
    pub median_ratio: f64,
    pub mean: u64,
    pub p99: u64,
    pub busy: u64,
    pub busy_ratio: f64,
    /// From its start until it was attached; nothing where nobody traced.
    pub start: Option<u64>,
    /// That the tracer wrote.
    pub lines: Option<u64>,
}

fn figures_or_reason<S: serde::Serializer>(figures: &Result<Cost, String>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct NotRun<'a> {
        not_run: &'a str,
    }
    match figures {
        Ok(cost) => cost.serialize(serializer),
        Err(why) => NotRun { not_run: why }.serialize(serializer),
    }
}

impl Guest {
    pub fn new(line: &str, release: &str, answers: &[Answer]) -> Self {
        let rows = answers.iter().map(|answer| Row {
            family: answer.family,
            fill: answer.fill,
            mode: answer.mode.clone(),
            figures: cost(answer, answers),
        });
        Self { line: line.to_owned(), release: release.to_owned(), rows: rows.collect() }
    }
}

fn cost(answer: &Answer, all: &[Answer]) -> Result<Cost, String> {
    let same_stage = |other: &&Answer| (other.family, other.fill) == (answer.family, answer.fill);
    let untraced = all.iter().filter(same_stage).find(|other| other.mode == UNTRACED);
    let untraced = untraced.ok_or("nothing to compare with")?.measured.as_ref()?;
    let Measured { timed, busy_ns, start_ns, lines } = answer.measured.as_ref()?;
    Ok(Cost {
        connects: timed.connects,
        median: timed.median_ns,
        median_ratio: ratio(timed.median_ns, untraced.timed.median_ns),
        mean: timed.mean_ns,
        p99: timed.p99_ns,
        busy: *busy_ns,
        busy_ratio: ratio(*busy_ns, untraced.busy_ns),
        start: *start_ns,
        lines: *lines,
    })
}

/// To four digits: what is written is what is held against the bound.
fn ratio(traced: u64, untraced: u64) -> f64 {
    (traced as f64 / untraced as f64 * 10_000.0).round() / 10_000.0
}

impl Figures {
    /// What is not as it must be, in words.
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
