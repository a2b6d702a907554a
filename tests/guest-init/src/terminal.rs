// SPDX-License-Identifier: MIT OR Apache-2.0
//! The serial ports of the machine.

use std::{
    env,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::symlink,
    process::Command,
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result};
use rustix::{
    process::{ioctl_tiocsctty, setsid},
    termios::{LocalModes, OptionalActions, OutputModes, Winsize, tcdrain, tcgetattr, tcsetattr, tcsetwinsize},
};

/// A port whose data goes to a file of the host; the command opens it as /dev/results.
pub const RESULTS_PORT: &str = "/dev/ttyS2";

/// How the command's terminal handles data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Echo and carriage returns, for interactive use.
    Interactive,
    /// The host receives exactly what the command wrote.
    Bytes,
}

/// The serial port of the command.
pub struct Terminal(File);

impl Terminal {
    /// Opens the port, and makes it the controlling terminal, so that Ctrl-C reaches the command.
    pub fn open(shown: Shown) -> Result<Self> {
        let results = OpenOptions::new().write(true).open(RESULTS_PORT).context("no third serial port")?;
        leave_bytes_alone(&results)?;
        symlink(RESULTS_PORT, "/dev/results")?;
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/ttyS1").context("no second serial port")?;
        setsid()?;
        ioctl_tiocsctty(&terminal)?;
        if shown == Shown::Bytes {
            leave_bytes_alone(&terminal)?;
        }
        let size = |name: &str| env::var(name).ok().and_then(|value| value.parse().ok());
        if let (Some(ws_row), Some(ws_col)) = (size("LINES"), size("COLUMNS")) {
            tcsetwinsize(&terminal, Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 })?;
        }
        Ok(Self(terminal))
    }

    /// Connects the command; `piped`: through a pipe, so that the command sees no terminal, as on the host.
    pub fn give_to(&self, command: &mut Command, piped: bool) -> Result<Option<JoinHandle<io::Result<u64>>>> {
        let mut terminal = self.0.try_clone()?;
        command.stdin(self.0.try_clone()?);
        if !piped {
            command.stdout(self.0.try_clone()?).stderr(terminal);
            return Ok(None);
        }
        let (mut reader, writer) = io::pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        Ok(Some(thread::spawn(move || io::copy(&mut reader, &mut terminal))))
    }

    pub fn say(&self, line: &str) -> io::Result<()> {
        writeln!(&self.0, "{line}")
    }

    /// Waits until the host has received everything.
    pub fn drain(&self) -> Result<()> {
        Ok(tcdrain(&self.0)?)
    }
}

/// Turns off added carriage returns and echo.
fn leave_bytes_alone(port: &File) -> Result<()> {
    let mut modes = tcgetattr(port)?;
    modes.output_modes.remove(OutputModes::OPOST);
    modes.local_modes.remove(LocalModes::ECHO);
    Ok(tcsetattr(port, OptionalActions::Now, &modes)?)
}
