// SPDX-License-Identifier: MIT OR Apache-2.0
//! From QEMU's start to its end: reads the output, and recognises a guest that crashes.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{Ended, Screen};

const TICK: Duration = Duration::from_millis(50);

/// Messages of a crashing kernel.
const CRIES: [&str; 4] = ["Kernel panic", "BUG:", "Oops", "general protection fault"];

/// Number of console lines that are shown when a guest crashes.
const LAST_WORDS: usize = 20;

/// A running QEMU, which ends with this value.
pub struct Watch<'a> {
    qemu: Child,
    folder: &'a Path,
    silence_limit: Option<Duration>,
    last_heard: Instant,
}

impl<'a> Watch<'a> {
    pub fn new(qemu: Child, folder: &'a Path, silence_limit: Option<Duration>) -> Self {
        Self { qemu, folder, silence_limit, last_heard: Instant::now() }
    }

    /// Waits for QEMU's end; a guest that hangs is an error.
    pub fn until_the_end(&mut self, screen: Screen<'_>) -> Result<()> {
        match screen {
            Screen::Terminal => {
                while self.is_alive()? {
                    thread::sleep(TICK);
                }
            }
            Screen::Lines(show) => {
                let lines = lines_of(self.qemu.stdout.take().context("QEMU's output was not asked for")?);
                while self.is_alive()? {
                    let first = lines.recv_timeout(TICK);
                    match first {
                        Ok(line) => {
                            self.last_heard = Instant::now();
                            show(&line);
                        }
                        Err(_) => thread::sleep(TICK),
                    }
                }
                lines.iter().for_each(|line| show(&line));
            }
        }
        Ok(())
    }

    /// Whether QEMU still runs; a guest that will never answer is an error.
    fn is_alive(&mut self) -> Result<bool> {
        if self.qemu.try_wait()?.is_some() {
            return Ok(false);
        }
        if let Some(limit) = self.silence_limit.filter(|limit| self.last_heard.elapsed() > *limit) {
            bail!("it hung: no line for {} s\n{}", limit.as_secs(), self.last_words());
        }
        Ok(true)
    }

    /// The command's exit code, as PID 1 told it, and what the command had written before.
    pub fn ended(&self) -> Result<Ended> {
        let mut results = fs::read(self.folder.join("results")).unwrap_or_default();
        let of_command = results.strip_suffix(b"\n").and_then(|said| said.iter().rposition(|&byte| byte == b'\n'));
        let last = results.split_off(of_command.unwrap_or(0));
        match String::from_utf8_lossy(&last).trim().split_once(' ') {
            Some(("exit", code)) => {
                return Ok(Ended { code: code.parse().context("PID 1 gave no exit code")?, results });
            }
            Some(("init:", reason)) => bail!("PID 1 gave up: {reason}"),
            _ => {}
        }
        bail!("it ended without a message from PID 1\n{}", self.last_words())
    }

    /// The console from the kernel's first cry on, or else its end.
    fn last_words(&self) -> String {
        let said = ["console", "qemu"].map(|name| fs::read(self.folder.join(name)).unwrap_or_default()).concat();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<_> = said.lines().map(str::trim_end).collect();
        let cried = lines.iter().position(|line| CRIES.iter().any(|cry| line.contains(cry)));
        let from = cried.unwrap_or(lines.len().saturating_sub(LAST_WORDS));
        lines[from..lines.len().min(from + LAST_WORDS)].join("\n")
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        // It may have ended by itself, which is what we want.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { return };
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    lines
}
