// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bounds for the cost of tracing: one table for both families and all kernels.

use serde::{Deserialize, Serialize};

use super::{
    figures::{Cost, Guest, Row},
    modes::{DEFAULTS, UNTRACED_AGAIN},
};

/// Figure that is compared with the same figure untraced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// The median connect().
    Median,
    /// All instructions from the first connect until the tracer has processed all of them.
    Busy,
    /// All instructions until the tracer has ended, including its own work. Its start is a figure of its own.
    Whole,
}

impl Measure {
    /// Maximum difference of the two runs without a tracer, first and last of a stage; beyond it there is no valid
    /// comparison.
    fn tolerance(self) -> f64 {
        match self {
            Self::Median => 0.002,
            // They have all work in the background in them, and as many ticks of the clock as fall into them.
            Self::Busy | Self::Whole => 0.01,
        }
    }
}

pub struct Bound {
    mode: &'static str,
    fill: u32,
    measure: Measure,
    at_most: f64,
    /// The goal.
    stretch: Option<f64>,
}

const fn bound(mode: &'static str, fill: u32, measure: Measure, at_most: f64, stretch: Option<f64>) -> Bound {
    Bound { mode, fill, measure, at_most, stretch }
}

/// The bounds are the figures of the time when totals by process and destination were added, with a small margin;
/// before that the first of them was 1.10.
pub const BOUNDS: [Bound; 15] = [
    bound("fentry", 0, Measure::Median, 1.15, Some(1.05)),
    bound("fentry", 0, Measure::Busy, 1.20, Some(1.12)),
    bound("fentry", 0, Measure::Whole, 1.28, Some(1.18)),
    bound("fentry", 51, Measure::Median, 1.005, Some(1.002)),
    bound("fentry", 95, Measure::Median, 1.005, Some(1.002)),
    bound("fentry, port probes always", 51, Measure::Median, 1.5, None),
    bound("kprobe", 0, Measure::Median, 1.26, Some(1.15)),
    bound("kprobe", 51, Measure::Median, 1.01, Some(1.002)),
    bound("tracepoint", 0, Measure::Median, 1.16, Some(1.10)),
    bound(DEFAULTS, 0, Measure::Median, 1.15, Some(1.06)),
    bound(DEFAULTS, 0, Measure::Busy, 1.10, Some(1.05)),
    bound(DEFAULTS, 0, Measure::Whole, 1.18, Some(1.10)),
    bound(DEFAULTS, 51, Measure::Median, 1.005, Some(1.002)),
    bound("doctor", 0, Measure::Median, 1.40, Some(1.20)),
    bound("doctor", 0, Measure::Busy, 1.35, Some(1.18)),
];

/// A bound, and the measured figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    pub kernel: String,
    pub family: u32,
    pub fill: u32,
    pub mode: String,
    pub measure: Measure,
    /// The ratio; `None` if it was not measured, or the runs without a tracer differ too much; that meets no bound.
    pub ratio: Option<f64>,
    pub at_most: f64,
    pub stretch: Option<f64>,
    pub met: bool,
}

/// Every bound for every guest. What was not requested is left out; what was requested and failed counts as not met.
pub fn verdicts(guests: &[Guest]) -> Vec<Verdict> {
    let rows = guests.iter().flat_map(|guest| guest.rows.iter().map(move |row| (guest, row)));
    let pairs = rows.flat_map(|(guest, row)| {
        BOUNDS.iter().filter(|bound| bound.is_about(row)).map(move |bound| (guest, row, bound))
    });
    pairs.map(|(guest, row, bound)| bound.verdict(guest, row)).collect()
}

impl Bound {
    fn is_about(&self, row: &Row) -> bool {
        self.mode == row.mode && (self.fill, 1) == (row.fill, row.destinations)
    }

    fn verdict(&self, guest: &Guest, row: &Row) -> Verdict {
        let of = |cost: &Cost| match self.measure {
            Measure::Median => cost.median_ratio,
            Measure::Busy => cost.busy_ratio,
            Measure::Whole => cost.whole_ratio,
        };
        let mut stage = guest.rows.iter().filter(|other| other.stage() == row.stage());
        let again = stage.find(|other| other.mode == UNTRACED_AGAIN).and_then(|other| other.cost.as_ref());
        let repeats = again.is_some_and(|cost| (of(cost) - 1.0).abs() <= self.measure.tolerance());
        let ratio = row.cost.as_ref().filter(|_| repeats).map(of);
        Verdict {
            kernel: guest.line.clone(),
            family: row.family,
            fill: row.fill,
            mode: row.mode.clone(),
            measure: self.measure,
            ratio,
            at_most: self.at_most,
            stretch: self.stretch,
            met: ratio.is_some_and(|ratio| ratio <= self.at_most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(mode: &str, median_ratio: f64, whole_ratio: f64) -> Row {
        let (connects, median, mean, p99, busy, whole) = (60, 1, 1, 1, 1, 1);
        let cost =
            Cost { connects, median, median_ratio, mean, p99, busy, busy_ratio: 1.0, whole, whole_ratio, tracer: None };
        Row { family: 6, fill: 0, destinations: 1, mode: mode.to_owned(), cost: Some(cost), not_run: None }
    }

    /// Median and whole of fentry with all ports free: ratio, and whether the bound is met.
    fn judged(rows: Vec<Row>) -> Vec<(Option<f64>, bool)> {
        let guest = Guest { line: String::new(), release: String::new(), peers: Vec::new(), rows };
        let verdicts = verdicts(&[guest]);
        let both = verdicts.iter().filter(|verdict| verdict.measure != Measure::Busy);
        both.map(|verdict| (verdict.ratio, verdict.met)).collect()
    }

    #[test]
    fn what_does_not_repeat_meets_no_bound() {
        let beside = |median, whole| judged(vec![row("fentry", 1.0, 1.0), row(UNTRACED_AGAIN, median, whole)]);
        assert_eq!(beside(1.001, 0.997), [(Some(1.0), true), (Some(1.0), true)]);
        // Measured once: what the stage before had left was still being freed.
        assert_eq!(beside(0.9344, 1.0), [(None, false), (Some(1.0), true)]);
        assert_eq!(beside(1.0, 1.02), [(Some(1.0), true), (None, false)]);
        assert_eq!(judged(vec![row("fentry", 1.0, 1.0)]), [(None, false), (None, false)]);
    }

    #[test]
    fn what_is_above_its_bound_does_not_meet_it() {
        let rows = vec![row("fentry", 1.16, 1.29), row(UNTRACED_AGAIN, 1.0, 1.0)];
        assert_eq!(judged(rows), [(Some(1.16), false), (Some(1.29), false)]);
    }
}
