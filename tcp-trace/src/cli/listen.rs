// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace listen`: which listener drops SYNs or handshakes, and why?

use super::live::{self, LiveArgs};
use crate::{exit::Failure, mode::Mode, probes::table::Signal, session::request::TraceRequest};

const EXAMPLES: &str = "\
Only the filter --netns applies to listeners. The other filters choose which connects of this machine are reported as waiting.

Examples:
  sudo tcp-trace listen                           accept and SYN queues, drops by cause, who accepts
  sudo tcp-trace listen --events --format json     every SYN or handshake that a listener drops
  sudo tcp-trace listen --lookup-cost             and how long the kernel takes to find each listener";

/// Listeners: accept queue and SYN queue, their limits, drops by cause, accept rates
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Also write a line for every SYN or handshake that a listener drops
    #[arg(long)]
    events: bool,
    /// Time the kernel's listener lookup for every SYN; the time includes the probes themselves
    ///
    /// This attaches two kprobes to a function that every SYN passes, including the SYNs of a flood.
    #[arg(long)]
    lookup_cost: bool,
    #[command(flatten)]
    pub(super) live: LiveArgs,
}

/// Traces until the run ends. Returns the exit code, which says whether `--fail-on` was met.
///
/// # Errors
/// See [`live::run`].
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    let extra = args.lookup_cost.then_some(Signal::ListenerLookup).into_iter().collect();
    let request = TraceRequest { extra, ..TraceRequest::for_mode(Mode::Listen, args.events, verbose) };
    live::answer_to(&request, &args.live, args.events)
}
