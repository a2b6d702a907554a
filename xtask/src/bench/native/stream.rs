// SPDX-License-Identifier: MIT OR Apache-2.0
//! 50,000 connects a second for as long as one likes, every one of them told; and where that is made impossible, every
//! one of them counted. They are made in a network namespace of their own, and leave no TIME_WAIT behind.

use std::{
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use serde_json::Value;

use super::{Built, Native, agent::Agent};

const RATE: &str = "50000";

/// The connects of the load and no others.
const THE_LOAD: [&str; 2] = ["--comm", "connect-load"];

pub fn measure(built: &Built<'_>) -> Result<Vec<Native>> {
    let mut figures = nothing_lost(built)?;
    figures.extend(by_default(built)?);
    figures.extend(exactly_lost(built)?);
    Ok(figures)
}

fn nothing_lost(built: &Built<'_>) -> Result<Vec<Native>> {
    let agent = Agent::start(built.tcp_trace, &THE_LOAD)?;
    let load = load(built, "5", "2", || Ok(()))?;
    let resident = agent.peak_kib()?;
    let summary = agent.finish()?;
    let lost = ["lost_ring", "lost_map", "missed_returns", "shed", "not_followed"];
    let lost: f64 = lost.iter().filter_map(|field| summary["ledger"][field].as_f64()).sum();
    let [made, seen] = [number(&load, "connects")?, number(&summary, "connects")?];
    let per_event = number(&summary, "agent_cpu_ns")? / seen;
    Ok(vec![
        Native::new("connects made, 50,000 a second asked for", "connects/s", number(&load, "connects_per_second")?),
        Native::new("of these, told as lost or left out", "connects", lost).exactly(0.0),
        Native::new("of these, neither told nor counted", "connects", made - seen).exactly(0.0),
        Native::new("the agent's processor time per connect, a line of JSON each", "ns", per_event.round()),
        Native::new("most memory held by the agent meanwhile", "KiB", resident).at_most(65_536.0),
    ])
}

/// What users start, in front of eight threads: all is added up, and the programs are not left out.
fn by_default(built: &Built<'_>) -> Result<Vec<Native>> {
    const THREADS: &str = "8";
    let json = ["--events", "summary", "--format", "json"];
    let agent = Agent::by_default(built.tcp_trace, &[&["connect-latency"], &json[..], &THE_LOAD].concat())?;
    let load = load(built, "5", THREADS, || Ok(()))?;
    let summary = agent.finish()?;
    let made = number(&load, "connects")?;
    let ledger = &summary["ledger"];
    let of_10_000 = ledger["missed_runs"].as_f64().map(|missed| (missed * 10_000.0 / made * 10.0).round() / 10.0);
    Ok(vec![
        Native::new(
            "of eight threads' connects, by default, neither told nor counted",
            "connects",
            made - number(&summary, "connects")?,
        )
        .exactly(0.0),
        Native::new(
            "programs' time a connect, by default, eight threads",
            "ns",
            ledger["programs_ns_per_connect"].as_f64(),
        ),
        Native::new("runs that the kernel left out, of 10,000 connects", "runs", of_10_000).at_most(1.0),
    ])
}

/// A ring of one page, and a reader that stands still in the middle.
fn exactly_lost(built: &Built<'_>) -> Result<Vec<Native>> {
    let agent = Agent::start(built.tcp_trace, &[&THE_LOAD[..], &["--ring-kib", "4"]].concat())?;
    let load = load(built, "2", "2", || {
        thread::sleep(Duration::from_millis(500));
        agent.signal(Signal::STOP)?;
        thread::sleep(Duration::from_millis(500));
        agent.signal(Signal::CONT)
    })?;
    let summary = agent.finish()?;
    let made = number(&load, "connects")?;
    let ledger = |field: &str| number(&summary["ledger"], field);
    let (seen, lost) = (ledger("delivered")?, ledger("lost_ring")?);
    Ok(vec![
        Native::new("lost with a ring of one page and a reader that stood still", "connects", lost).at_least(1.0),
        Native::new("made, by the load, less seen and lost", "connects", made - seen - lost).exactly(0.0),
        Native::new("made, by the kernel side, less seen and lost", "connects", ledger("made")? - seen - lost)
            .exactly(0.0),
    ])
}

/// What the load says it made; `meanwhile` runs beside it.
fn load(built: &Built<'_>, seconds: &str, threads: &str, meanwhile: impl FnOnce() -> Result<()>) -> Result<Value> {
    let mut command = Command::new(built.connect_load);
    command.args(["pace", "--rate", RATE, "--seconds", seconds, "--threads", threads]);
    let child = command.stdout(Stdio::piped()).spawn().context("could not start connect-load")?;
    let happened = meanwhile();
    let output = child.wait_with_output()?;
    happened?;
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(said.trim()).with_context(|| format!("connect-load ended with {}: {said:?}", output.status))
}

fn number(of: &Value, field: &str) -> Result<f64> {
    of[field].as_f64().with_context(|| format!("no {field} in {of}"))
}
