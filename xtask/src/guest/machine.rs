// SPDX-License-Identifier: MIT OR Apache-2.0
//! QEMU's command line.

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::{Screen, watch::Watch};
use crate::{accelerator::Accelerator, kernels::Kernel};

/// The guest's file system, in the machine's folder.
pub const INITRAMFS: &str = "initramfs";

/// A computer without disks or network, with output over serial ports.
pub struct Machine<'a> {
    pub kernel: &'a Kernel,
    pub accelerator: Accelerator,
    pub memory_mib: u32,
    pub cpus: u32,
    /// End of the kernel's command line.
    pub parameters: String,
}

impl Machine<'_> {
    /// Starts it with the initramfs in `folder`; its output goes there too.
    pub fn start<'f>(
        &self,
        folder: &'f Path,
        screen: &Screen<'_>,
        silence_limit: Option<Duration>,
    ) -> Result<Watch<'f>> {
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(self.accelerator.arguments()).args(["-nodefaults", "-no-user-config", "-no-reboot"]);
        qemu.args(["-display", "none", "-m", &self.memory_mib.to_string(), "-smp", &self.cpus.to_string()]);
        // PID 1's order of ports: the kernel's console, the command's terminal, results.
        let file = |name: &str| format!("file,id={name},path={}", folder.join(name).display());
        let chardevs = [file("console"), "stdio,id=terminal,signal=off".to_owned(), file("results")];
        for (chardev, port) in chardevs.iter().zip(["console", "terminal", "results"]) {
            qemu.args(["-chardev", chardev, "-serial", &format!("chardev:{port}")]);
        }
        qemu.arg("-kernel").arg(&self.kernel.vmlinuz).arg("-initrd").arg(folder.join(INITRAMFS));
        let always = "console=ttyS0 quiet panic=-1 oops=panic random.trust_cpu=on";
        qemu.args(["-append", &format!("{always} {}", self.parameters)]);
        if let Screen::Lines(_) = screen {
            qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(folder.join("qemu"))?);
        }
        let child = qemu.spawn().context("could not start qemu-system-x86_64")?;
        Ok(Watch::new(child, folder, silence_limit))
    }
}
