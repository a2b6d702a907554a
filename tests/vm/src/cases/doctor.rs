// SPDX-License-Identifier: MIT OR Apache-2.0
//! `doctor` in front of each incident of the lab: the right cause first, nothing critical that is none, and nothing at
//! all on a quiet machine.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{harness::Report, lab::Lab, tool};

/// An incident, and the expected findings.
struct Case {
    scenario: &'static str,
    arguments: &'static [&'static str],
    /// What the lab says once the incident is past its healthy beginning.
    until: Option<&'static str>,
    cause: &'static str,
    /// What follows from the cause, and may be critical too.
    follows: &'static [&'static str],
}

/// A range that an emulated machine fills within seconds; `default_range` fills the default one on every kernel.
const FEW: &str = "40000-45999";
/// Full at a rate that a busy machine can make.
const FEWER: &str = "41000-42999";

/// `until` is for incidents that begin healthy. Rates leave an emulated machine time for others than the victim: programs are
/// detached only after every task has been off its CPU.
const CASES: &[Case] = &[
    Case {
        arguments: &["--rate", "10", "--port-range", FEW],
        until: Some("the first parity is full"),
        ..Case::named("parity-cliff", "parity-cliff")
    },
    Case { arguments: &["--rate", "5", "--port-range", FEW], ..Case::named("range-full", "range-full") },
    Case {
        arguments: &["--port-range", FEW],
        follows: &["range-full", "parity-cliff"],
        ..Case::named("bind-before-connect", "bind-before-connect")
    },
    // The marked ports are those of one parity, and every search walks them.
    Case {
        arguments: &["--port-range", FEW],
        follows: &["range-full", "parity-cliff"],
        ..Case::named("poisoned-buckets", "poisoned-buckets")
    },
    Case { arguments: &["--port-range", FEWER], ..Case::named("time-wait-flood", "time-wait-pileup") },
    Case::named("accept-queue", "accept-queue-overflow"),
    Case { until: Some("SYN cookies are off"), ..Case::named("syn-queue", "syn-queue-overflow") },
    Case::named("listener-chain", "listener-chain"),
    Case::named("close-wait", "close-wait-leak"),
    Case::named("linger-reset", "linger-reset"),
    Case::named("refused", "connect-refused"),
    Case::named("blackhole", "connect-unanswered"),
    Case::named("out-of-descriptors", "limit-near"),
];

impl Case {
    const fn named(scenario: &'static str, cause: &'static str) -> Self {
        Self { scenario, arguments: &[], until: None, cause, follows: &[] }
    }
}

pub fn run(report: &mut Report) {
    report.test("doctor/quiet", quiet);
    for case in CASES {
        report.test(&format!("doctor/{}", case.scenario), || named(case));
    }
}

/// The findings of `doctor --watch`, worst first, and the exit code.
fn watch(threshold: &str) -> Result<(Vec<Value>, Option<i32>)> {
    let mut command = Command::new(tool::path());
    command.args(["doctor", "--watch", "5s", "--format", "json", "--fail-on", threshold]).args(tool::UNBOUNDED);
    let finished = tool::run(&mut command)?;
    let lines = tool::parse(&finished.stdout).with_context(|| finished.stderr.trim().to_owned())?;
    // Losses are reported as they occur.
    let mut answer = lines.lines.iter().skip_while(|line| line["type"] == "lost");
    let first = answer.next().context("not a line")?;
    let findings: Vec<Value> = lines.of("finding").cloned().collect();
    ensure!(findings.is_empty() || first["type"] == "finding", "findings come first, not {first}");
    ensure!(lines.of("fact").next().is_some() && lines.of("plan").next().is_some(), "no facts, or no plan");
    Ok((findings, finished.code))
}

fn quiet() -> Result<()> {
    let (findings, code) = watch("info")?;
    ensure!(findings.is_empty(), "found on a quiet machine: {findings:?}");
    ensure!(code == Some(0), "exit code {code:?}");
    Ok(())
}

fn named(case: &Case) -> Result<()> {
    let mut lab = Lab::stage(case.scenario, case.arguments)?;
    if let Some(words) = case.until {
        lab.wait_for(words)?;
    }
    let (findings, code) = watch("warning")?;
    let codes: Vec<_> = findings.iter().map(|finding| (&finding["code"], &finding["severity"])).collect();
    let first = findings.first().context("nothing found")?;
    ensure!(first["code"] == case.cause, "found {codes:?}");
    let known = |code: &Value| *code == case.cause || case.follows.iter().any(|follows| *code == **follows);
    let wrong = codes.iter().find(|(code, severity)| *severity == "critical" && !known(code));
    ensure!(wrong.is_none(), "critical, but not so: {codes:?}");
    ensure!(code == Some(3), "exit code {code:?}, found {codes:?}");
    for what in ["fix", "avoid"] {
        ensure!(first[what].as_array().is_some_and(|lines| !lines.is_empty()), "no {what} in {first}");
    }
    Ok(())
}
