// SPDX-License-Identifier: MIT OR Apache-2.0
//! `doctor` in front of each incident of the lab: the right cause first, nothing critical that is none, and nothing at
//! all on a quiet machine.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::harness::Report;
use crate::lab::Lab;
use crate::tool;

/// An incident, and what is to be said of it.
struct Case {
    scenario: &'static str,
    arguments: &'static [&'static str],
    /// What the lab says once the incident is past its healthy beginning.
    until: Option<&'static str>,
    cause: &'static str,
    /// What follows from the cause, and may be critical too.
    follows: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        scenario: "parity-cliff",
        arguments: &["--rate", "20"],
        until: Some("the first parity is full"),
        cause: "parity-cliff",
        follows: &[],
    },
    Case { scenario: "range-full", arguments: &["--rate", "20"], until: None, cause: "range-full", follows: &[] },
    Case {
        scenario: "bind-before-connect",
        arguments: &[],
        until: None,
        cause: "bind-before-connect",
        follows: &["range-full", "parity-cliff"],
    },
    Case {
        scenario: "poisoned-buckets",
        arguments: &[],
        until: None,
        cause: "poisoned-buckets",
        follows: &["range-full", "parity-cliff"],
    },
    Case { scenario: "time-wait-flood", arguments: &[], until: None, cause: "time-wait-pileup", follows: &[] },
    Case { scenario: "refused", arguments: &[], until: None, cause: "connect-refused", follows: &[] },
    Case { scenario: "blackhole", arguments: &[], until: None, cause: "connect-unanswered", follows: &[] },
    Case { scenario: "accept-queue", arguments: &[], until: None, cause: "accept-queue-overflow", follows: &[] },
    Case {
        scenario: "syn-queue",
        arguments: &[],
        until: Some("SYN cookies are off"),
        cause: "syn-queue-overflow",
        follows: &[],
    },
];

pub fn run(report: &mut Report) {
    report.test("doctor/quiet", quiet);
    for case in CASES {
        report.test(&format!("doctor/{}", case.scenario), || named(case));
    }
}

/// The findings of `doctor --watch`, worst first, and the exit code.
fn watch(threshold: &str) -> Result<(Vec<Value>, Option<i32>)> {
    let mut command = Command::new(tool::path());
    command.args(["doctor", "--watch", "10s", "--format", "json", "--fail-on", threshold, "--max-overhead", "100%"]);
    let finished = tool::run(&mut command)?;
    let lines = tool::parse(&finished.stdout).with_context(|| finished.stderr.trim().to_owned())?;
    let first = lines.lines.first().context("not a line")?;
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
