// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was recorded in a guest, on this machine: without its kernel, and without root's right to trace.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::tally::Tally;
use crate::{
    setup, static_build,
    workspace::{output, target},
};

/// The recording of a guest, and the first finding of its replay there.
pub struct Recorded {
    pub bytes: Vec<u8>,
    pub finding: Option<String>,
}

/// Replays it here, and opens a report about it in a browser.
pub fn check(line: &str, recorded: &Recorded) -> Tally {
    let mut tally = Tally::default();
    // The suite says itself why it has recorded nothing.
    if recorded.bytes.is_empty() {
        return tally;
    }
    let verdicts = [("replay", replay(line, recorded)), ("report", report(line))];
    for (what, verdict) in verdicts {
        let verdict = verdict.unwrap_or_else(|error| format!("FAILED: {error:#}"));
        let told = format!("test across/{what} ... {verdict}");
        println!("{line:>5} | {told}");
        tally.line(&told);
    }
    tally
}

fn path(line: &str) -> PathBuf {
    target("vm").join(format!("proxy-{line}.recording"))
}

/// The program that the guest had.
fn tool() -> Command {
    Command::new(static_build::built("guest").join("tcp-trace"))
}

fn replay(line: &str, recorded: &Recorded) -> Result<String> {
    let path = path(line);
    fs::write(&path, &recorded.bytes).with_context(|| format!("could not write {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    let said = output(tool().arg("replay").arg(&path).args(["doctor", "--format", "json"]))?;
    let there: Value = serde_json::from_str(recorded.finding.as_deref().context("the guest found nothing")?)?;
    let here = first_finding(&said)?;
    ensure!(here["code"] == "parity-cliff", "found {here}");
    ensure!(here == there, "the guest said {there}, this machine {here}");
    Ok("ok".into())
}

/// A run that shed detail says so in front of what it found.
fn first_finding(answer: &str) -> Result<Value> {
    let mut lines = serde_json::Deserializer::from_str(answer).into_iter::<Value>();
    lines
        .find(|line| line.as_ref().map_or(true, |line| line["type"] == "finding"))
        .context("no finding")?
        .map_err(Into::into)
}

fn report(line: &str) -> Result<String> {
    let Some(browser) = setup::find("chromium-headless-shell") else { return Ok("not run: no browser".into()) };
    let page = path(line).with_extension("html");
    output(tool().arg("replay").arg(path(line)).args(["report", "--output"]).arg(&page))?;
    let shown = dom(&browser, &page)?;
    for wanted in ["parity-cliff", "nginx"] {
        ensure!(shown.contains(wanted), "the page does not speak of {wanted}: {}", page.display());
    }
    Ok("ok".into())
}

/// The page as the browser has it once it is loaded.
fn dom(browser: &Path, page: &Path) -> Result<String> {
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]);
    output(command.arg(format!("file://{}", page.display())))
}
