// SPDX-License-Identifier: MIT OR Apache-2.0
//! PID 1 of a test's virtual machine: makes a Linux of the initramfs, runs one command, says how it ended, powers off.
//!
//! The kernel's console is the first serial port, the command's terminal the second; the third takes results out,
//! and ends with a line `exit CODE` of its own. What to run lies in /guest; the environment comes with the kernel's command line.

mod machine;
mod terminal;

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt as _,
    path::Path,
    process::{Child, Command},
};

use anyhow::{Context as _, Result};
use rustix::{
    process::{WaitOptions, wait},
    system::{RebootCommand, reboot},
};
use terminal::{Shown, Terminal};

/// Exit code of a shell for a command that it could not start.
const NOT_STARTED: i32 = 127;

fn main() -> Result<()> {
    let ended = machine::prepare().and_then(|()| run());
    let last_line = match ended {
        Ok(code) => format!("\nexit {code}\n"),
        Err(error) => format!("\ninit: {error:#}\n"),
    };
    fs::write(terminal::RESULTS_PORT, last_line)?;
    rustix::fs::sync();
    reboot(RebootCommand::PowerOff).context("could not power off")
}

/// Runs the command; returns 128 + signal if one ended it, as a shell does.
fn run() -> Result<i32> {
    let argv = fs::read("/guest/argv").context("no /guest/argv")?;
    let words = argv.split_inclusive(|&byte| byte == 0).map(|word| word.strip_suffix(b"\0").unwrap_or(word));
    let mut argv = words.map(|word| OsString::from_vec(word.into()));
    let program = argv.next();
    let shown = if program.is_some() { Shown::Bytes } else { Shown::Interactive };
    let mut command = Command::new(program.unwrap_or_else(|| "/bin/sh".into()));
    command.args(argv).current_dir("/root").env("PATH", "/bin").env("HOME", "/root");
    let terminal = Terminal::open(shown)?;
    let relay = terminal.give_to(&mut command, Path::new("/guest/piped").exists())?;
    let code = match command.spawn() {
        Ok(child) => reap_until(&child)?,
        Err(error) => {
            terminal.say(&format!("could not start {}: {error}", command.get_program().display()))?;
            NOT_STARTED
        }
    };
    drop(command);
    if let Some(relay) = relay {
        // Whatever the command left behind holds the pipe open.
        Command::new("/bin/busybox").args(["kill", "-9", "-1"]).status()?;
        relay.join().ok().context("the relay panicked")??;
    }
    terminal.drain()?;
    Ok(code)
}

/// Waits for the command, and reaps orphans, which is a duty of PID 1.
fn reap_until(child: &Child) -> Result<i32> {
    loop {
        let Some((pid, status)) = wait(WaitOptions::empty())? else { continue };
        if pid.as_raw_nonzero().get().cast_unsigned() == child.id() {
            let signalled = status.terminating_signal().map(|signal| 128 + signal);
            return status.exit_status().or(signalled).context("the command neither exited nor was killed");
        }
    }
}
