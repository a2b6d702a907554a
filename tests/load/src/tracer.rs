// SPDX-License-Identifier: MIT OR Apache-2.0
//! A tracer: started, waited for until it is attached, ended with SIGINT.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use connect_load::{OUTPUT, READY, Ready, Tracer};
use rustix::process::{Pid, Signal, kill_process};

use crate::{busy, timing::now_ns};

const ERRORS: &str = "/tmp/tracer.errors";

/// Time limit, far above the start of any tracer, even one that compiles.
const PATIENCE: Duration = Duration::from_secs(120);

const TICK: Duration = Duration::from_millis(10);

/// A tracer that runs for less than this per second is idle.
const QUIET: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(1));

/// A running tracer, which ends when the value is dropped.
pub struct Running {
    child: Child,
    /// Its CPU time in ns until it was attached.
    start_ns: u64,
    /// CPU time in ns of earlier tracers.
    others_ns: u64,
}

/// Number of lines that the last tracer wrote.
pub fn lines() -> u64 {
    fs::read(OUTPUT).unwrap_or_default().iter().filter(|&&byte| byte == b'\n').count() as u64
}

impl Running {
    /// Starts a tracer; returns once it is attached.
    pub fn start(tracer: &Tracer) -> Result<Self> {
        for file in [OUTPUT, READY, ERRORS] {
            let _ = fs::remove_file(file);
        }
        let (program, arguments) = tracer.argv.split_first().context("a tracer without a program")?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(File::create(OUTPUT)?).stderr(File::create(ERRORS)?);
        let others_ns = busy::children_ns();
        let child = command.spawn().with_context(|| format!("could not start {program}"))?;
        let mut running = Self { child, start_ns: 0, others_ns };
        let deadline = now_ns() + PATIENCE.as_nanos() as u64;
        while !running.is_ready(tracer.ready)? {
            if let Some(status) = running.child.try_wait()? {
                bail!("it ended before it was attached: {}", last_words(status));
            }
            ensure!(now_ns() < deadline, "it was not attached after {} s", PATIENCE.as_secs());
        }
        running.start_ns = running.ran_ns();
        Ok(running)
    }

    fn is_ready(&self, ready: Ready) -> Result<bool> {
        match ready {
            Ready::File => {
                thread::sleep(TICK);
                Ok(Path::new(READY).exists())
            }
            Ready::Quiet => {
                let before = self.ran_ns();
                thread::sleep(QUIET.0);
                Ok(self.ran_ns() - before < QUIET.1.as_nanos() as u64)
            }
        }
    }

    /// Its CPU time in ns.
    fn ran_ns(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.child.id())).unwrap_or_default();
        text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0)
    }

    /// Sends SIGINT and waits for its end; returns its CPU time in ns since it was attached.
    pub fn stop(mut self) -> Result<u64> {
        kill_process(Pid::from_child(&self.child), Signal::INT).context("it is not there any more")?;
        let deadline = now_ns() + PATIENCE.as_nanos() as u64;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(now_ns() < deadline, "it did not end within {} s of SIGINT", PATIENCE.as_secs());
            thread::sleep(TICK);
        };
        ensure!(status.success(), "it ended with {}", last_words(status));
        Ok((busy::children_ns() - self.others_ns).saturating_sub(self.start_ns))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn last_words(status: ExitStatus) -> String {
    let said = fs::read_to_string(ERRORS).unwrap_or_default() + &fs::read_to_string(OUTPUT).unwrap_or_default();
    let last: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(4).collect();
    format!("{status}: {}", last.join(" | "))
}
