// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lab's incidents, and what the tool finds in them.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::{
    harness::Report,
    tiers::Tier,
    tool::{self, Answer, Tool},
};

pub fn run(report: &mut Report, tier: Tier) {
    for (scenario, duration, finding) in [
        ("parity-cliff", "12s", Some("parity-cliff")),
        ("range-full", "5s", Some("range-full")),
        ("refused", "3s", Some("connect-refused")),
    ] {
        report.test(&format!("incidents/{scenario}"), || {
            let tool = Tool::start_with_each_event(tier, &["--comm", "checkout-api"])?;
            let said = lab(scenario, duration)?;
            let answer = tool.stop()?;
            same_count(&answer, &said)?;
            let found: Vec<_> = answer.of("finding").filter_map(|line| line["code"].as_str()).collect();
            match finding {
                Some(code) if tier.sees_search() => ensure!(found.contains(&code), "found {found:?}"),
                Some(_) => {}
                None => ensure!(found.is_empty(), "found {found:?} where there is nothing to find"),
            }
            Ok(())
        });
    }
}

/// An emulated machine fills it within seconds; `default_range` fills the default one on every kernel.
const RANGE: [&str; 2] = ["--port-range", "40000-45999"];

/// Runs one incident to its end; what it said.
fn lab(scenario: &str, duration: &str) -> Result<String> {
    let mut command = Command::new(tool::path());
    command.args(["lab", scenario, "--duration", duration, "--rate", "20"]).args(RANGE).stdout(Stdio::null());
    let finished = tool::run(&mut command)?;
    ensure!(finished.code == Some(0), "the lab ended with {:?}: {}", finished.code, finished.stderr);
    Ok(finished.stderr)
}

/// The victim counted its connects itself.
fn same_count(answer: &Answer, said: &str) -> Result<()> {
    let netns = said.split("network namespace ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    let lines = answer.connects(netns.context("the lab names no namespace")?).len();
    let counts = said.split(" saw ").skip(1).filter_map(|rest| rest.split(' ').next()?.parse::<usize>().ok());
    let counted: usize = counts.sum();
    ensure!(counted > 0 && lines == counted, "the lab counted {counted}, the tool {lines}");
    Ok(())
}
