// SPDX-License-Identifier: MIT OR Apache-2.0
//! Connects to one destination, in a network namespace of its own: a number of them, timed one by one, or a number a
//! second. Prints one line of JSON.

mod crowd;
mod ground;
mod pace;
mod sockets;
mod timing;

use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crowd::Crowd;
use ground::Ground;
use sockets::{Destination, Family};

const EXAMPLES: &str = "\
Examples:
  connect-load time --fill 51 --connects 60          what a connect() costs beyond the parity cliff
  connect-load time --family 6 --connects 5000       what it costs over ::1 with the whole range free
  connect-load pace --rate 50000 --seconds 10        50,000 connects a second, and how many they really were";

#[derive(Parser)]
#[command(version, about = "Connects to load a tracer with, made in a network namespace of their own", after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    load: Load,
    /// 4: over 127.0.0.1, 6: over ::1
    #[arg(long, global = true, default_value = "4", value_parser = Family::parse)]
    family: Family,
    /// Share of the local ports that held connections take towards the destination
    #[arg(long, global = true, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=99))]
    fill: u32,
}

#[derive(Subcommand)]
enum Load {
    /// Time connects one by one
    Time {
        /// How many
        #[arg(long, default_value_t = 1000)]
        connects: u32,
    },
    /// Make connects at a steady rate
    Pace {
        /// Connects a second, all threads together; what cannot be held is reported, never made up for
        #[arg(long)]
        rate: u32,
        #[arg(long, default_value_t = 1)]
        seconds: u32,
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
        threads: u32,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let ground = Ground::enter()?;
    let destination = Destination::listen(arguments.family)?;
    let crowd = Crowd::fill(&ground, &destination, arguments.fill)?;
    let said = match arguments.load {
        Load::Time { connects } => serde_json::to_string(&timing::run(&destination, connects)?)?,
        Load::Pace { rate, seconds, threads } => {
            let length = Duration::from_secs(u64::from(seconds));
            serde_json::to_string(&pace::run(&destination, rate, length, threads)?)?
        }
    };
    println!("{said}");
    drop(crowd);
    Ok(())
}
