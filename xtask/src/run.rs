// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask run`: a demonstration: connect-latency during a staged incident.

use std::{
    path::Path,
    process::{ExitCode, Stdio},
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    accelerator::Accelerator,
    guest::{Guest, Screen, terminal_env},
    kernels, setup, static_build,
};

/// Stage a parity cliff and trace it with connect-latency: on this machine if fentry or kprobe attach, otherwise in a
/// virtual machine
#[derive(clap::Args)]
pub struct Options {
    /// Kernel line; uses a virtual machine even if this machine can trace
    #[arg(long)]
    kernel: Option<String>,
    /// Length of tracing in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u32,
}

const DEFAULT_KERNEL: &str = "6.12";

/// The incident starts first, so that the screen begins with a range that fills up, and lasts longer than tracing.
/// Tracing on an emulated CPU exceeds any budget, so the script sets no limit.
const SCRIPT: &str = r#"
tool=$1; seconds=$2; folder=$(mktemp -d)
trap 'kill "$lab" 2>/dev/null; wait "$lab"; cat "$folder/lab"; rm -rf "$folder"' EXIT
"$tool" lab parity-cliff --duration "$((seconds + 60))s" --ready-file "$folder/ready" >"$folder/lab" 2>&1 &
lab=$!
while [ ! -e "$folder/ready" ]; do kill -0 "$lab" 2>/dev/null || exit 1; sleep 0.1; done
"$tool" connect-latency --max-overhead 100% --duration "${seconds}s"
"#;

pub fn run(options: &Options) -> Result<ExitCode> {
    let tool = static_build::build(&["tcp-trace"], "guest")?.join("tcp-trace");
    let line = match &options.kernel {
        Some(line) => line.clone(),
        None => match native_tier(&tool)? {
            Ok(tier) => {
                eprintln!("run: on this machine's own kernel: {tier} attaches here");
                return native(&tool, options.seconds);
            }
            Err(why) => {
                eprintln!("run: in a virtual machine with kernel {DEFAULT_KERNEL}, because here:\n{why}");
                DEFAULT_KERNEL.to_owned()
            }
        },
    };
    setup::packages(&setup::MACHINE)?;
    let kernel = kernels::get(&line)?;
    let words = ["sh", "-c", SCRIPT, "run", "/bin/tcp-trace", &options.seconds.to_string()];
    let mut guest = Guest::new(&kernel, words.map(str::to_owned).to_vec());
    guest.env = terminal_env();
    let ended = guest.boot(Accelerator::find(&kernel)?, Screen::Terminal)?;
    Ok(ExitCode::from(u8::try_from(ended.code)?))
}

fn native(tool: &Path, seconds: u32) -> Result<ExitCode> {
    let mut shell = setup::as_root("sh");
    let status = shell.args(["-c", SCRIPT, "run"]).arg(tool).arg(seconds.to_string()).status()?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// The tier that sees the port search on this machine, or why there is none, from tcp-trace's own verdict.
fn native_tier(tool: &Path) -> Result<Result<String, String>> {
    let mut doctor = setup::as_root(tool);
    let said = doctor.args(["doctor", "--format", "json"]).stderr(Stdio::null()).output();
    let said = said.with_context(|| format!("could not start {}", tool.display()))?;
    let mut reasons = String::new();
    for line in String::from_utf8_lossy(&said.stdout).lines() {
        let verdict: Value = serde_json::from_str(line).with_context(|| format!("doctor said {line:?}"))?;
        let text = |key: &str| verdict[key].as_str().unwrap_or_default();
        if text("signal") != "connect" || !matches!(text("tier"), "fentry" | "kprobe") {
            continue;
        }
        if text("verdict") == "works" {
            return Ok(Ok(text("tier").to_owned()));
        }
        reasons += &format!("  {}: {}\n", text("tier"), text("reason"));
    }
    Ok(Err(reasons))
}
