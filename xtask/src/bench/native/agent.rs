// SPDX-License-Identifier: MIT OR Apache-2.0
//! tcp-trace at work on this machine, on the tier that every machine has.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::workspace::target;

/// Far longer than any start takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than the last summary is long.
const TAIL: u64 = 256 << 10;

pub struct Agent {
    child: Child,
    output: PathBuf,
    /// From its start until it was attached.
    pub start: Duration,
}

impl Agent {
    /// Starts it so that each connect is reported, and waits until it is attached.
    pub fn start(tcp_trace: &Path, arguments: &[&str]) -> Result<Self> {
        const EACH: [&str; 4] = ["connect-latency", "--max-overhead", "100%", "--tier"];
        Self::spawn(tcp_trace, &[&EACH[..], &["tracepoint", "--format", "json"], arguments].concat())
    }

    /// Starts it as users do.
    pub fn by_default(tcp_trace: &Path, command: &[&str]) -> Result<Self> {
        Self::spawn(tcp_trace, command)
    }

    fn spawn(tcp_trace: &Path, arguments: &[&str]) -> Result<Self> {
        let folder = target("bench/native");
        fs::create_dir_all(&folder)?;
        let (output, ready) = (folder.join("tcp-trace.jsonl"), folder.join("ready"));
        let mut command = Command::new(tcp_trace);
        command.args(arguments).arg("--output").arg(&output).arg("--ready-file").arg(&ready);
        let begin = Instant::now();
        remove(&ready)?;
        let mut child = command.spawn().with_context(|| format!("could not start {}", tcp_trace.display()))?;
        wait_for(&ready, &mut child)?;
        Ok(Self { child, output, start: begin.elapsed() })
    }

    /// The most memory that it held so far.
    pub fn peak_kib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in its status")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Processor time that it had so far, in ns.
    pub fn ran_ns(&self) -> Result<u64> {
        let mut ran_ns = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // One that has just ended is gone.
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            ran_ns += text.split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(ran_ns)
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Ends it as Ctrl-C would; its final summary.
    pub fn finish(mut self) -> Result<Value> {
        self.signal(Signal::INT)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "tcp-trace ended with {status}");
        let mut file = File::open(&self.output)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        fs::remove_file(&self.output)?;
        let tail = String::from_utf8_lossy(&tail);
        let lines = tail.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.into_iter().find(|line| line["final"] == true).context("tcp-trace gave no final summary")
    }
}

/// What is left running by an error ends here.
impl Drop for Agent {
    fn drop(&mut self) {
        // Fails where it ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Waits until the file exists.
pub fn wait_for(file: &Path, child: &mut Child) -> Result<()> {
    let begin = Instant::now();
    while !file.exists() {
        if let Some(status) = child.try_wait()? {
            bail!("ended with {status} before it was attached; this part traces this machine, which takes root");
        }
        ensure!(begin.elapsed() < PATIENCE, "not attached after {PATIENCE:?}");
        thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}
