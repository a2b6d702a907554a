// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace replay`: any live command, from a recording.

use std::{
    fs::{self, File},
    io::{self, BufReader, IsTerminal as _},
    path::PathBuf,
};

use super::{bind, connect_latency, doctor, flamegraph, listen, ports, progress, report, states, time_wait, what_if};
use crate::{
    exit::Failure,
    mode::Mode,
    recording::{
        parquet::ParquetWriter,
        player::Player,
        recorder::Recorder,
        redact::{self, Redacted},
        replay::{Replay, ReplayOptions},
        writer::Target,
    },
    session::request::{RunOptions, TraceRequest},
    session_info::SessionInfo,
    stream::Consumer,
};

const EXAMPLES: &str = "\
COMMAND is one of the live commands, with its own flags. It reports what it would have reported when the recording was made.
--interval may be longer than that of the recording, --duration shorter.

Examples:
  tcp-trace replay incident.rec doctor                          causes, worst first; no root, on any machine
  tcp-trace replay incident.rec connect-latency --format json   a line per connect
  tcp-trace replay incident.rec --speed 1 connect-latency       as fast as it happened, to watch it
  tcp-trace replay incident.rec ports --port 3306
  tcp-trace replay incident.rec redact shared.rec               pseudonyms for addresses, programs and cgroups
  tcp-trace replay incident.rec parquet folder                  for DuckDB, ClickHouse, pandas: docs/recordings.md has queries";

/// Report from a recording: any live command, without root, on any machine
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Recording made by `record`, or by --record of any live command
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Replay this many times as fast as real time [default: as fast as possible]
    #[arg(long, value_name = "FACTOR", value_parser = speed, allow_hyphen_values = true)]
    speed: Option<f64>,
    /// Read on whatever memory and work it takes: only for recordings from a source you trust
    #[arg(long)]
    unlimited: bool,
    /// What to report
    #[command(subcommand)]
    command: Command,
}

/// What to report.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Why is connect() slow or failing?
    ConnectLatency(Box<connect_latency::Args>),
    /// Local ports per source and destination
    Ports(Box<ports::Args>),
    /// TIME_WAIT by destination and by who closed first
    TimeWait(Box<time_wait::Args>),
    /// bind() of TCP sockets
    Bind(Box<bind::Args>),
    /// Listeners and their queues
    Listen(Box<listen::Args>),
    /// TCP states
    States(Box<states::Args>),
    /// Call paths that led to connect(), if stacks were recorded
    Flamegraph(Box<flamegraph::Args>),
    /// One self-contained HTML page about the recorded run
    Report(Box<report::Args>),
    /// What another range, more addresses or fewer connects would have done
    WhatIf(Box<what_if::Args>),
    /// Write a copy with pseudonyms for addresses, programs and cgroups, for sharing
    Redact(RedactArgs),
    /// Write the events as Parquet, one file per signal, for DuckDB, ClickHouse and pandas
    Parquet(ParquetArgs),
    /// What was wrong there, worst cause first
    Doctor(Box<doctor::Args>),
}

/// Where the redacted recording is written.
#[derive(Debug, clap::Args)]
struct RedactArgs {
    /// Output file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Where the Parquet files are written.
#[derive(Debug, clap::Args)]
struct ParquetArgs {
    /// Output folder, created if missing: connect.parquet, time_wait.parquet, bind.parquet and so on
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// A recording that replaces the kernel as the source of events.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Path of the recording.
    pub file: PathBuf,
    /// Playback speed as a multiple of real time; `None`: as fast as possible.
    pub speed: Option<f64>,
    /// Whether to read on without limits on memory and work.
    pub unlimited: bool,
}

/// Reports. Returns the exit code, which says whether `--fail-on` was met.
///
/// # Errors
/// When the recording cannot be read, or lacks what the command needs.
pub fn run(args: Args, verbose: u8) -> Result<u8, Failure> {
    let recording = Recording { file: args.file, speed: args.speed, unlimited: args.unlimited };
    match args.command {
        Command::ConnectLatency(mut args) => {
            args.live.recording = Some(recording);
            connect_latency::run(&args, verbose)
        }
        Command::Ports(mut args) => {
            args.live.recording = Some(recording);
            ports::run(&args, verbose)
        }
        Command::TimeWait(mut args) => {
            args.live.recording = Some(recording);
            time_wait::run(&args, verbose)
        }
        Command::Bind(mut args) => {
            args.live.recording = Some(recording);
            bind::run(&args, verbose)
        }
        Command::Listen(mut args) => {
            args.live.recording = Some(recording);
            listen::run(&args, verbose)
        }
        Command::States(mut args) => {
            args.live.recording = Some(recording);
            states::run(&args, verbose)
        }
        Command::Flamegraph(mut args) => {
            args.live.recording = Some(recording);
            flamegraph::run(&args, verbose)
        }
        Command::Report(mut args) => {
            args.recording = Some(recording);
            report::run(&args, verbose)
        }
        Command::WhatIf(mut args) => {
            args.live.recording = Some(recording);
            what_if::run(&args, verbose)
        }
        Command::Redact(args) => redact(&args, &recording).map(|()| 0),
        Command::Parquet(args) => write_parquet(&args, &recording).map(|()| 0),
        Command::Doctor(mut args) => {
            args.recording = Some(recording);
            doctor::run(&args, verbose)
        }
    }
}

impl Recording {
    /// Replays the recording to the consumer and returns it.
    ///
    /// # Errors
    /// When the recording cannot be read, or lacks what the command needs.
    pub fn feed<F: Consumer>(
        &self,
        options: &RunOptions,
        request: &TraceRequest,
        consumer: impl FnOnce(&SessionInfo) -> Result<F, Failure>,
    ) -> Result<F, Failure> {
        let replay_options = ReplayOptions {
            mode: request.mode,
            streamed: request.streamed(),
            filters: options.filters,
            interval: options.interval,
            duration: options.duration,
        };
        self.play(self.open()?, replay_options, consumer)
    }

    fn open(&self) -> Result<Player<BufReader<File>>, Failure> {
        let player = Player::open(&self.file)?;
        Ok(if self.unlimited { player.unlimited() } else { player })
    }

    fn play<F: Consumer>(
        &self,
        player: Player<BufReader<File>>,
        replay_options: ReplayOptions,
        consumer: impl FnOnce(&SessionInfo) -> Result<F, Failure>,
    ) -> Result<F, Failure> {
        // A report on the same terminal shows its own progress.
        let seen = !F::SHOWS_PROGRESS && !io::stdout().is_terminal();
        let bytes = fs::metadata(&self.file).map_or(0, |file| file.len());
        let bar = seen.then(|| progress::bar("replaying", Some(bytes)));
        let told = |read| bar.iter().for_each(|bar| bar.set_position(read));
        let played = Replay::new(player, &self.file, replay_options)?.play(self.speed, told, consumer);
        bar.iter().for_each(|bar| bar.finish_and_clear());
        played
    }

    /// Replays everything in the recording.
    fn whole<F: Consumer>(&self, consumer: impl FnOnce(&SessionInfo) -> Result<F, Failure>) -> Result<F, Failure> {
        let player = self.open()?;
        let replay_options = ReplayOptions::whole(Mode::ConnectLatency, player.known());
        self.play(player, replay_options, consumer)
    }
}

fn redact(args: &RedactArgs, recording: &Recording) -> Result<(), Failure> {
    let target = Target::plain(&args.file);
    let recorder = |known: &SessionInfo| Recorder::begin(target, &redact::session_info(known)).map(Redacted::new);
    recording.whole(recorder).map(drop)
}

fn write_parquet(args: &ParquetArgs, recording: &Recording) -> Result<(), Failure> {
    recording.whole(|_| ParquetWriter::create(&args.folder)).map(drop)
}

fn speed(text: &str) -> Result<f64, String> {
    let factor: Option<f64> = text.trim_end_matches('x').parse().ok();
    factor
        .filter(|factor| factor.is_finite() && *factor > 0.0)
        .ok_or_else(|| "expected a factor above 0, for example 1, 10 or 0.5".into())
}
