// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace listen`: which listener drops what, and why?

use super::live::{self, LiveArgs};
use crate::{exit::Failure, mode::Mode, probes::table::Signal, session::request::TraceRequest};

const EXAMPLES: &str = "\
Of the filters --netns holds for listeners; the others choose the connects of this machine that are told to have waited.

Examples:
  sudo tcp-trace listen                           accept and SYN queues, drops by cause, who accepts
  sudo tcp-trace listen --events --format json     every SYN or handshake that a listener drops
  sudo tcp-trace listen --lookup-cost             and how long the kernel takes to find each listener";

/// Listeners: accept queue and SYN queue, their limits, drops by cause, accept rates
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A line for every SYN or handshake that a listener drops as well
    #[arg(long)]
    events: bool,
    /// Time the kernel's look-up of the listener, for every SYN; the probes' own time is in it
    ///
    /// Two kprobes on a function that all SYNs go through, those of a flood too.
    #[arg(long)]
    lookup_cost: bool,
    #[command(flatten)]
    pub(super) live: LiveArgs,
}

/// Looks until the end; the exit code says whether `--fail-on` was met.
///
/// # Errors
/// As [`live::run`].
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    let extra = args.lookup_cost.then_some(Signal::ListenerLookup).into_iter().collect();
    let request = TraceRequest { extra, ..TraceRequest::for_mode(Mode::Listen, args.events, verbose) };
    live::answer_to(&request, &args.live, args.events)
}
