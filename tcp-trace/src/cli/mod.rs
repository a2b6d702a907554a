// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line: one file per command. Arguments are parsed and validated here, before anything is traced.

pub mod bind;
pub mod check;
pub mod connect_latency;
pub mod doctor;
pub mod duration;
pub mod explain;
pub mod filters;
pub mod flamegraph;
pub mod lab;
pub mod listen;
pub mod live;
pub mod logging;
pub mod output;
pub mod page;
pub mod ports;
pub mod progress;
pub mod record;
pub mod replay;
pub mod report;
pub mod share;
pub mod size;
pub mod states;
pub mod time_wait;
pub mod what_if;

use std::ffi::OsString;

use clap::{ArgAction, Parser, Subcommand};

use crate::{exit::Failure, outside};

const AFTER_HELP: &str = "\
Start here:
  sudo tcp-trace connect-latency              why is connect() slow or failing, right now?
  sudo tcp-trace doctor --watch 10s           what is wrong here? Causes, worst first, and what to do
  tcp-trace doctor                            what can this machine show? (no root needed)
  tcp-trace explain                           what does a finding mean, and what do I change? (no root needed)
  sudo tcp-trace lab parity-cliff             an incident to practise on, in a network namespace of its own

Exit codes: 0 done | 1 failed | 2 usage error | 3 finding at or above --fail-on, or rule of check that fails | 4 rule of check of which it is unknown whether it holds | 69 not supported by this kernel | 77 not permitted";

/// Says why connect() is slow or failing on Linux
///
/// How long each connect() searched for a source port and shook hands, how many ports the kernel tried, who did it, to
/// where, why, and what to change on this kernel.
#[derive(Debug, Parser)]
#[command(name = "tcp-trace", version, after_help = AFTER_HELP, max_term_width = 110)]
pub struct Cli {
    /// Log more to standard error: -v reasons and verifier logs, -vv also the kernel side's own log
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trace every connect(): port search, handshake, outcome, cause and fix
    ConnectLatency(Box<connect_latency::Args>),
    /// Local ports per source and destination: taken by what, room to the parity cliff and to exhaustion
    Ports(Box<ports::Args>),
    /// TIME_WAIT by destination and by who closed first: level, rates, limit, and whether ports are reusable now
    TimeWait(Box<time_wait::Args>),
    /// bind() of TCP sockets: port searches, failures, binds before connect, ports marked by bind()
    Bind(Box<bind::Args>),
    /// Listeners: accept queue and SYN queue, their limits, drops by cause, accept rates
    Listen(Box<listen::Args>),
    /// TCP states: time in each by process and peer, CLOSE_WAIT leaks, resets by SO_LINGER, short connections
    States(Box<states::Args>),
    /// What another range, more addresses or fewer connects would do to the port search here
    WhatIf(Box<what_if::Args>),
    /// Flame graph of the call paths that lead to connect(), weighted by what their connects cost
    Flamegraph(Box<flamegraph::Args>),
    /// Say what is wrong here, worst cause first, and what this machine can show
    Doctor(Box<doctor::Args>),
    /// Check rules about connects, head-room and findings: PASS, WARN, FAIL or INDETERMINATE, each with evidence
    Check(Box<check::Args>),
    /// Explain a finding: how to be sure, what to change, what not to do
    Explain(explain::Args),
    /// Write one self-contained HTML page about a run: summary in words, causes and fixes, charts over time
    Report(Box<report::Args>),
    /// Record every event and all that reports are based on, for `replay`; or record only around a trigger
    Record(Box<record::Args>),
    /// Report from a recording: any live command, without root, on any machine
    Replay(Box<replay::Args>),
    /// Stage one incident in a network namespace of its own, for training and tests
    Lab(lab::LabArgs),
}

impl Cli {
    /// Parses a command line; the first argument is the program's name.
    ///
    /// # Errors
    /// When it is wrong, or asks for help or the version. The error repeats arguments only in a harmless form: a shell may
    /// have put in a file name that the user never saw.
    pub fn read(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Self, clap::Error> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        Self::try_parse_from(&arguments).map_err(|wrong| {
            // Line breaks are blanks for all that is parsed, so what is wrong stays wrong.
            let blank = |letter: char| if letter.is_ascii_whitespace() { ' ' } else { letter };
            let harmless = arguments.iter().map(|argument| {
                let text: String = argument.to_string_lossy().chars().map(blank).collect();
                outside::one_line(&text).into_owned()
            });
            Self::try_parse_from(harmless).err().unwrap_or(wrong)
        })
    }
}

/// Runs the command and returns its exit code.
///
/// # Errors
/// When the command could not report; [`Failure`] says why.
pub fn run(cli: Cli) -> Result<u8, Failure> {
    logging::init(cli.verbose);
    match cli.command {
        Command::ConnectLatency(args) => connect_latency::run(&args, cli.verbose),
        Command::Ports(args) => ports::run(&args, cli.verbose),
        Command::TimeWait(args) => time_wait::run(&args, cli.verbose),
        Command::Bind(args) => bind::run(&args, cli.verbose),
        Command::Listen(args) => listen::run(&args, cli.verbose),
        Command::States(args) => states::run(&args, cli.verbose),
        Command::WhatIf(args) => what_if::run(&args, cli.verbose),
        Command::Flamegraph(args) => flamegraph::run(&args, cli.verbose),
        Command::Doctor(args) => doctor::run(&args, cli.verbose),
        Command::Check(args) => check::run(&args, cli.verbose),
        Command::Explain(args) => explain::run(&args).map(|()| 0),
        Command::Report(args) => report::run(&args, cli.verbose),
        Command::Record(args) => record::run(&args, cli.verbose).map(|()| 0),
        Command::Replay(args) => replay::run(*args, cli.verbose),
        Command::Lab(args) => lab::run(args).map(|()| 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_repeated_without_what_it_could_do() {
        let hostile = "a\n\x1b]0;x\x07\r\u{202e}\u{9b}1m";
        let with = |before: &str| format!("{before}{hostile}");
        let lines = [
            vec![with("")],
            vec!["ports".into(), with("--")],
            vec!["ports".into(), with("--format=")],
            vec!["ports".into(), "--format".into(), with("")],
            vec!["ports".into(), with("--pid=")],
            vec!["ports".into(), with("--daddr=")],
            vec!["connect-latency".into(), with("--duration=")],
            vec!["record".into(), "x".into(), with("--trigger=outcome=")],
            vec!["record".into(), "x".into(), "--trigger".into(), format!("outcome=\n\"{hostile}")],
            vec!["record".into(), "x".into(), with("--max-size=")],
            vec!["what-if".into(), with("--range=")],
            vec!["replay".into(), with(""), with("")],
            vec!["lab".into(), with("")],
            vec!["explain".into(), with("")],
            vec!["check".into(), with("--rule=outcome=")],
            vec!["check".into(), with("--preset=")],
        ];
        for line in lines {
            let wrong = Cli::read(std::iter::once("tcp-trace".to_owned()).chain(line.clone())).expect_err("wrong");
            let said = wrong.render().ansi().to_string();
            // Colours of our own end in `m`.
            let plain: String =
                said.split("\x1b[").map(|part| part.split_once('m').map_or(part, |(_, rest)| rest)).collect();
            assert!(
                !said.contains("\x1b]") && plain.split('\n').all(|line| outside::one_line(line) == line),
                "{line:?}: {said:?}"
            );
            assert!(!plain.contains("a\n") && !plain.contains("=\n"), "{line:?}: {said}");
        }
    }

    #[test]
    fn help_and_version_are_no_words_of_the_user() {
        for flag in ["--help", "--version"] {
            assert!(!Cli::read(["tcp-trace", flag]).expect_err("a text").use_stderr());
        }
    }
}
