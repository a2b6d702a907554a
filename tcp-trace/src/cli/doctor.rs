// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace doctor`: what this machine can show, and why not more. Prints the facts and the plan that tracing itself
//! goes by, and with privileges tries the plan: attaches everything, then lets go of it. Changes nothing.

mod facts;
mod verdicts;

use std::{
    io::{self, Write as _},
    mem,
};

use tcp_trace_common::config::Config;

use self::verdicts::Verdict;
use crate::{
    exit::Failure,
    kernel::{Facts, Roots},
    probes::{
        OBJECT,
        attach::{Load, Loader, Trial, try_all},
        plan::{Plan, Wanted, plan},
        table::{SIGNALS, Signal},
    },
};

/// Say what this machine can show, and why not more
///
/// Attaches every program for a moment if it may, so that the verdicts are what tracing would get. Needs no root: it then
/// says what root would be tried for. Changes nothing on the system.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    /// One object a line: facts, then verdicts
    Json,
}

/// Looks, tries and reports.
///
/// # Errors
/// When no tier can trace connects here, or the output cannot be written.
pub fn run(args: Args) -> Result<(), Failure> {
    let facts = Facts::survey(&Roots::default(), true);
    let signals = SIGNALS.iter().map(|row| row.signal).collect();
    let plan = plan(&facts, &Wanted { signals, tier: None, events: vec![Signal::TimeWait] });
    let tried = attempt(&facts, &plan);
    let verdicts = match &tried {
        Ok(trials) => Verdict::all(&plan, Ok(trials)),
        Err(failure) => Verdict::all(&plan, Err(&failure.to_string())),
    };
    let text = match args.format {
        Format::Text => format!("{}\n{}", facts::text(&facts), verdicts::text(&verdicts, &plan)),
        Format::Json => json(&facts, &verdicts)?,
    };
    print(&text)?;
    tried?;
    verdicts::hope(&verdicts, &plan)
}

fn json(facts: &Facts, verdicts: &[Verdict]) -> Result<String, Failure> {
    let verdicts = verdicts.iter().map(serde_json::to_string);
    let lines = facts::json(facts).and_then(|facts| facts.into_iter().map(Ok).chain(verdicts).collect());
    let lines: Vec<String> =
        lines.map_err(|error| Failure::Output { to: "standard output".into(), source: error.into() })?;
    Ok(lines.join("\n") + "\n")
}

/// Attaches what the plan has to try, and lets go of it.
fn attempt(facts: &Facts, plan: &Plan) -> Result<Vec<Trial>, Failure> {
    if plan.choices(Signal::Connect).iter().all(|choice| choice.ruled_out.is_some()) {
        return Ok(Vec::new());
    }
    let mut config = Config { agent_tgid: std::process::id(), streams: u16::MAX, ..Config::EMPTY };
    facts.put_into(&mut config);
    // Nothing is read from the ring buffer, so the least the kernel allows.
    let load = Load { offsets: &facts.offsets, config: &config, ring_bytes: 4096, log_level: 0 };
    let mut attached = try_all(Loader::prepare(), OBJECT, plan, load)?;
    Ok(mem::take(&mut attached.trials))
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(source) => Err(Failure::Output { to: "standard output".into(), source }),
        Ok(()) => Ok(()),
    }
}
