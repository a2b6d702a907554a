// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace bind`: which program binds before connecting, and which ports stay marked afterwards?

use super::live::{self, LiveArgs};
use crate::{exit::Failure, mode::Mode};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace bind                             searches, failures, who binds and then connects, poisoned buckets
  sudo tcp-trace bind --events --format json       every bind() of a TCP socket";

/// bind() of TCP sockets: port searches, failures, binds before connect, ports marked by bind()
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Also write a line for every bind()
    #[arg(long)]
    events: bool,
    #[command(flatten)]
    pub(super) live: LiveArgs,
}

/// Traces until the run ends. Returns the exit code, which says whether `--fail-on` was met.
///
/// # Errors
/// See [`live::run`].
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    let filters = &args.live.filters;
    if filters.port.is_some() || filters.daddr.is_some() {
        return Err(Failure::Usage {
            headline: "--port and --daddr are not supported here: bind() has no destination yet".into(),
            try_next: vec!["use --pid, --comm, --uid, --cgroup, --netns, -4, -6".into()],
        });
    }
    live::answer(Mode::Bind, &args.live, args.events, verbose)
}
