// SPDX-License-Identifier: MIT OR Apache-2.0
//! The serial ports that lead out of the machine.

use std::{
    env,
    fs::{File, OpenOptions},
    os::unix::fs::symlink,
};

use anyhow::{Context as _, Result};
use rustix::{
    process::{ioctl_tiocsctty, setsid},
    termios::{LocalModes, OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize},
};

/// What is written here lands in a file of the host; the command finds it as /dev/results.
pub const RESULTS_PORT: &str = "/dev/ttyS2";

/// Opens the command's terminal, and makes it the one whose Ctrl-C reaches the command.
pub fn open(interactive: bool) -> Result<File> {
    let results = OpenOptions::new().write(true).open(RESULTS_PORT).context("no third serial port")?;
    leave_bytes_alone(&results)?;
    symlink(RESULTS_PORT, "/dev/results")?;
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/ttyS1").context("no second serial port")?;
    setsid()?;
    ioctl_tiocsctty(&terminal)?;
    if !interactive {
        leave_bytes_alone(&terminal)?;
    }
    let size = |name: &str| env::var(name).ok().and_then(|value| value.parse().ok());
    if let (Some(ws_row), Some(ws_col)) = (size("LINES"), size("COLUMNS")) {
        tcsetwinsize(&terminal, Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 })?;
    }
    Ok(terminal)
}

/// No carriage returns added, nothing echoed: the host gets what the command wrote.
fn leave_bytes_alone(port: &File) -> Result<()> {
    let mut modes = tcgetattr(port)?;
    modes.output_modes.remove(OutputModes::OPOST);
    modes.local_modes.remove(LocalModes::ECHO);
    Ok(tcsetattr(port, OptionalActions::Now, &modes)?)
}
