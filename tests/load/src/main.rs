// SPDX-License-Identifier: MIT OR Apache-2.0
//! Connects to one destination, in a network namespace of its own: a number of them, timed one by one, or a number a
//! second. Prints one line of JSON.

mod busy;
mod crowd;
mod ground;
mod guest;
mod pace;
mod sockets;
mod timing;
mod tracer;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use clap::Parser;
use crowd::Crowd;
use ground::Ground;
use serde::Serialize;
use sockets::{Destination, Family};

const EXAMPLES: &str = "\
Examples:
  connect-load time --fill 51 --connects 60          what a connect() costs beyond the parity cliff
  connect-load time --family 6 --connects 5000       what it costs over ::1 with the whole range free
  connect-load pace --rate 50000 --seconds 10        50,000 connects a second, and how many they really were";

#[derive(Parser)]
#[command(version, about = "Connects to load a tracer with, made in a network namespace of their own", after_help = EXAMPLES)]
enum Arguments {
    /// Time connects one by one
    Time {
        #[command(flatten)]
        place: Place,
        /// Number of connects
        #[arg(long, default_value_t = 1000)]
        connects: u32,
    },
    /// Make connects at a steady rate
    Pace {
        #[command(flatten)]
        place: Place,
        /// Connects per second, all threads together; connects that the machine is too slow for are reported, never
        /// made up for
        #[arg(long)]
        rate: u32,
        #[arg(long, default_value_t = 1)]
        seconds: u32,
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
        threads: u32,
    },
    /// Measure the cost of tracers for `cargo xtask bench`: one line of JSON per run
    Guest {
        /// Stages and tracers, as JSON
        plan: PathBuf,
    },
}

#[derive(clap::Args)]
struct Place {
    /// 4: over 127.0.0.1, 6: over ::1
    #[arg(long, default_value = "4", value_parser = Family::parse)]
    family: Family,
    /// Share of the local ports that held connections take towards the destination
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=99))]
    fill: u32,
}

impl Place {
    /// Runs `work` with this share of the ports taken, and prints its result.
    fn within<T: Serialize>(&self, work: impl FnOnce(&Destination) -> Result<T>) -> Result<()> {
        let ground = Ground::enter()?;
        let destination = Destination::listen(self.family)?;
        let _crowd = Crowd::fill(&ground, &destination, self.fill)?;
        println!("{}", serde_json::to_string(&work(&destination)?)?);
        Ok(())
    }
}

fn main() -> Result<()> {
    match Arguments::parse() {
        Arguments::Time { place, connects } => place.within(|destination| timing::run(destination, connects)),
        Arguments::Pace { place, rate, seconds, threads } => {
            let length = Duration::from_secs(u64::from(seconds));
            place.within(|destination| pace::run(destination, rate, length, threads))
        }
        Arguments::Guest { plan } => guest::run(&plan),
    }
}
