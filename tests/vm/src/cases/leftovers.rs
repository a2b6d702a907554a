// SPDX-License-Identifier: MIT OR Apache-2.0
//! Nothing stays in the kernel, however the tool or the lab ends.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    bpf::Loaded,
    harness::Report,
    tiers::Tier,
    tool::{self, Tool},
};

/// The kernel takes its time to let go of a score of programs, the more on an emulated machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn run(report: &mut Report, tier: Tier) {
    let theme = format!("leftovers/{tier}");
    report.test(&format!("{theme}/kill_9"), || {
        gone_after(tier, |tool| {
            tool.signal(libc::SIGKILL);
            ensure!(tool.wait(PATIENCE)?.is_none(), "SIGKILL did not kill");
            Ok(())
        })
    });
    report.test(&format!("{theme}/sigterm"), || {
        gone_after(tier, |tool| {
            tool.signal(libc::SIGTERM);
            let code = tool.wait(PATIENCE)?;
            ensure!(code == Some(0), "exit code {code:?}: {}", tool.errors());
            Ok(())
        })
    });
    report.test(&format!("{theme}/ctrl_c_twice"), || {
        gone_after(tier, |tool| {
            tool.signal(libc::SIGINT);
            // Two that are pending at once are one.
            std::thread::sleep(Duration::from_millis(20));
            tool.signal(libc::SIGINT);
            tool.wait(PATIENCE).map(|_| ())
        })
    });
    // The lab attaches nothing: once is enough.
    if tier == Tier::Tracepoint {
        report.test("leftovers/lab_kill_9", lab_kill_9);
    }
}

fn gone_after(tier: Tier, end: impl FnOnce(&mut Tool) -> Result<()>) -> Result<()> {
    let before = Loaded::now();
    let mut tool = Tool::start(tier, &[])?;
    ensure!(before.something_new(), "nothing is loaded while the tool runs, so this test sees nothing");
    end(&mut tool)?;
    before.nothing_new()
}

fn lab_kill_9() -> Result<()> {
    let ready = tool::temporary("lab-ready");
    let mut command = Command::new(tool::path());
    command.args(["lab", "refused", "--duration", "60s", "--ready-file"]).arg(&ready);
    let mut lab = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().context("could not start the lab")?;
    let deadline = Instant::now() + PATIENCE;
    while !ready.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    let was_ready = ready.exists();
    let _ = fs::remove_file(&ready);
    let netns = fs::metadata(format!("/proc/{}/ns/net", lab.id())).map(|file| file.ino());
    lab.kill()?;
    lab.wait()?;
    ensure!(was_ready, "the lab was not ready after {PATIENCE:?}");
    let netns = netns.context("the lab had no namespace")?;
    ensure!(netns != fs::metadata("/proc/self/ns/net")?.ino(), "the lab works in the machine's own namespace");
    let held = fs::read_dir("/proc")?
        .flatten()
        .find(|process| fs::metadata(process.path().join("ns/net")).is_ok_and(|file| file.ino() == netns));
    ensure!(held.is_none(), "{held:?} still holds the lab's namespace");
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    ensure!(!mounts.contains(&format!("net:[{netns}]")), "a mount still holds the lab's namespace");
    Ok(())
}
