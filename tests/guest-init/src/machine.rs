// SPDX-License-Identifier: MIT OR Apache-2.0
//! File systems, modules, loopback and limits, as a distribution would set them up.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use rustix::{
    io::Errno,
    mount::{MountFlags, mount},
    process::{Resource, Rlimit, setrlimit},
    system::finit_module,
};

const FILE_SYSTEMS: [(&str, &str); 9] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("securityfs", "/sys/kernel/security"),
    ("tracefs", "/sys/kernel/tracing"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("bpf", "/sys/fs/bpf"),
    ("tmpfs", "/tmp"),
    ("tmpfs", "/run"),
];

/// Limit on open files: enough for a storm that fills the whole port range, with both ends.
const OPEN_FILES: u64 = 1 << 18;

pub fn prepare() -> Result<()> {
    for (kind, path) in FILE_SYSTEMS {
        fs::create_dir_all(path)?;
        mount(kind, path, kind, MountFlags::empty(), None).with_context(|| format!("could not mount {path}"))?;
    }
    symlink("/proc/self/fd", "/dev/fd")?;
    load_modules()?;
    let status = Command::new("/bin/busybox").args(["ip", "link", "set", "lo", "up"]).status()?;
    ensure!(status.success(), "loopback did not come up: {status}");
    fs::write("/proc/sys/fs/nr_open", (OPEN_FILES * 4).to_string())?;
    let limit = Rlimit { current: Some(OPEN_FILES), maximum: Some(OPEN_FILES) };
    setrlimit(Resource::Nofile, limit).context("could not raise RLIMIT_NOFILE")
}

fn load_modules() -> Result<()> {
    for name in fs::read_to_string("/guest/modules")?.lines() {
        let file = File::open(format!("/modules/{name}")).with_context(|| format!("no /modules/{name}"))?;
        match finit_module(&file, c"", 0) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).with_context(|| format!("could not load {name}")),
        }
    }
    Ok(())
}
