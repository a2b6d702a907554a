// SPDX-License-Identifier: MIT OR Apache-2.0
//! The words in which a benchmark is asked for, and in which a guest answers.

use serde::{Deserialize, Serialize};

/// Everything that one guest is to measure, stage after stage.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// In this order.
    pub stages: Vec<Stage>,
}

/// One filling of the port range, held while the runs take turns.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stage {
    /// 4 or 6.
    pub family: u32,
    /// Percent of the local ports that are taken.
    pub fill: u32,
    /// How many addresses the connects go to, one after the other; more than one with IPv4 alone.
    pub destinations: u32,
    /// How many connects every run makes.
    pub connects: u32,
    /// In this order.
    pub runs: Vec<Run>,
}

/// The connects once, with or without a tracer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// What the answer is found by.
    pub mode: String,
    /// Nobody traces without one.
    pub tracer: Option<Tracer>,
}

/// A program that traces until SIGINT.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tracer {
    /// [`OUTPUT`] and [`READY`] are names that the guest knows.
    pub argv: Vec<String>,
    /// How it says that it is attached.
    pub ready: Ready,
}

/// How a tracer says that it is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ready {
    /// By creating [`READY`].
    File,
    /// By doing nothing any more.
    Quiet,
}

/// Where a tracer's standard output goes, or what it writes itself.
pub const OUTPUT: &str = "/tmp/tracer.output";

/// What a tracer creates when it is attached.
pub const READY: &str = "/tmp/tracer.ready";

/// What one run gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Of the stage.
    pub family: u32,
    /// Of the stage.
    pub fill: u32,
    /// Of the stage.
    pub destinations: u32,
    /// Of the run.
    pub mode: String,
    /// Or why there is none.
    pub measured: Result<Measured, String>,
}

/// Times on a clock that counts instructions are instructions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// The connects, one by one.
    pub timed: Timed,
    /// How long the CPU was not idle, from the first connect until the tracer had dealt with all of them.
    pub busy_ns: u64,
    /// Of the tracer, where there is one.
    pub traced: Option<Traced>,
}

/// What the tracer itself took and gave.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Traced {
    /// Busy until it was attached.
    pub start_ns: u64,
    /// Its own time on the CPU from then on, until it was gone.
    pub agent_ns: u64,
    /// Busy from SIGINT until it was gone: its last answer, and what the kernel takes down.
    pub stop_ns: u64,
    /// That it wrote.
    pub lines: u64,
}

/// Times of connect() alone; `total_ns` has making and closing the sockets in it, and the server's part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Timed {
    /// How many.
    pub connects: u32,
    /// How many of them failed.
    pub errors: u32,
    /// Of all, failed ones included.
    pub median_ns: u64,
    /// As above.
    pub mean_ns: u64,
    /// As above.
    pub p99_ns: u64,
    /// From before the first to after the last.
    pub total_ns: u64,
}
