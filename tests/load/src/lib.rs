// SPDX-License-Identifier: MIT OR Apache-2.0
//! The data format of a benchmark's request, and of a guest's results.

use serde::{Deserialize, Serialize};

/// Everything that one guest measures, stage after stage.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// Stages in order.
    pub stages: Vec<Stage>,
}

/// One share of taken ports, held while the runs take turns.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stage {
    /// Address family: 4 or 6.
    pub family: u32,
    /// Percent of the local ports that are taken.
    pub fill: u32,
    /// Number of destination addresses, used in turn; more than one with IPv4 only.
    pub destinations: u32,
    /// Number of connects per run.
    pub connects: u32,
    /// Runs in order.
    pub runs: Vec<Run>,
}

/// One set of connects, with or without a tracer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Name of the mode, to identify the result.
    pub mode: String,
    /// The tracer; `None`: untraced.
    pub tracer: Option<Tracer>,
}

/// A program that traces until SIGINT.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tracer {
    /// Command line; the guest replaces [`OUTPUT`] and [`READY`].
    pub argv: Vec<String>,
    /// How it shows that it is attached.
    pub ready: Ready,
}

/// How a tracer shows that it is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ready {
    /// It creates [`READY`].
    File,
    /// It becomes idle.
    Quiet,
}

/// File for a tracer's standard output, or for what it writes itself.
pub const OUTPUT: &str = "/tmp/tracer.output";

/// File that a tracer creates once it is attached.
pub const READY: &str = "/tmp/tracer.ready";

/// Result of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Address family of the stage.
    pub family: u32,
    /// Share of taken ports of the stage.
    pub fill: u32,
    /// Number of destinations of the stage.
    pub destinations: u32,
    /// Mode of the run.
    pub mode: String,
    /// Measurements, or why there are none.
    pub measured: Result<Measured, String>,
}

/// Measurements; times on a clock that counts instructions are instructions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Times of the connects.
    pub timed: Timed,
    /// Time in ns that the CPU was not idle, from the first connect until the tracer has processed all of them.
    pub busy_ns: u64,
    /// Measurements of the tracer, if there is one.
    pub traced: Option<Traced>,
}

/// Cost and output of the tracer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Traced {
    /// Busy time in ns until it was attached.
    pub start_ns: u64,
    /// Its own CPU time in ns from then on, until it ended.
    pub agent_ns: u64,
    /// Busy time in ns from SIGINT until it ended, including its final report and detaching.
    pub stop_ns: u64,
    /// Number of lines that it wrote.
    pub lines: u64,
}

/// Times of connect() alone; `total_ns` includes creating and closing the sockets, and the server's part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Timed {
    /// Number of connects.
    pub connects: u32,
    /// Number of failed connects.
    pub errors: u32,
    /// Median in ns, including failed connects.
    pub median_ns: u64,
    /// Mean of the connects, in ns.
    pub mean_ns: u64,
    /// 99th percentile of the connects, in ns.
    pub p99_ns: u64,
    /// Time in ns from before the first to after the last connect.
    pub total_ns: u64,
}
