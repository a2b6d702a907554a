// SPDX-License-Identifier: MIT OR Apache-2.0
//! What this machine supports, found out without tcp-trace.

use std::{ffi::CString, fmt, fs, path::Path};

use anyhow::{Context as _, Result};

/// Values of `--tier`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    Fentry,
    Kprobe,
    Tracepoint,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
        })
    }
}

impl Tier {
    /// The tiers of this kernel, best first.
    pub fn available() -> Vec<Self> {
        let mut tiers = Vec::new();
        let tracing = aya::programs::ProgramType::Tracing;
        if matches!(aya::sys::is_program_supported(tracing), Ok(true)) {
            tiers.push(Self::Fentry);
        }
        if has_kprobes() {
            tiers.push(Self::Kprobe);
        }
        tiers.push(Self::Tracepoint);
        tiers
    }

    /// Whether the tier sees the port search.
    pub fn sees_search(self) -> bool {
        self != Self::Tracepoint
    }
}

pub fn has_kprobes() -> bool {
    Path::new("/sys/bus/event_source/devices/kprobe").exists()
}

/// Kernel release, as in `uname -r`.
pub fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// First two numbers of the kernel release.
pub fn kernel() -> (u32, u32) {
    let release = release();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Mounts missing file systems in a mount namespace of the test, so that the machine's own stays unchanged.
pub fn prepare() -> Result<()> {
    // SAFETY: no other thread runs yet, and no descriptor changes tables.
    anyhow::ensure!(unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0, "unshare: {}", std::io::Error::last_os_error());
    mount("none", "/", "", libc::MS_REC | libc::MS_PRIVATE)?;
    let mounted = fs::read_to_string("/proc/self/mountinfo").context("could not read /proc/self/mountinfo")?;
    let has = |kind: &str| mounted.lines().any(|line| line.contains(&format!(" - {kind} ")));
    if !has("tracefs") && Path::new("/sys/kernel/tracing").exists() {
        mount("tracefs", "/sys/kernel/tracing", "tracefs", 0)?;
    }
    if !has("cgroup2") && Path::new("/sys/fs/cgroup").exists() {
        mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0)?;
    }
    if !has("bpf") && Path::new("/sys/fs/bpf").exists() {
        mount("bpf", "/sys/fs/bpf", "bpf", 0)?;
    }
    fs::create_dir_all("/tmp").context("could not make /tmp")
}

/// Mounts `kind` at `target`; an empty kind changes the propagation only.
pub fn mount(source: &str, target: &str, kind: &str, flags: libc::c_ulong) -> Result<()> {
    mount_with(source, target, kind, flags, "")
}

pub fn mount_with(source: &str, target: &str, kind: &str, flags: libc::c_ulong, data: &str) -> Result<()> {
    let [source, at, kind, data] = [source, target, kind, data].map(|word| CString::new(word).unwrap_or_default());
    // SAFETY: four C strings that outlive the call.
    let result = unsafe { libc::mount(source.as_ptr(), at.as_ptr(), kind.as_ptr(), flags, data.as_ptr().cast()) };
    anyhow::ensure!(result == 0, "could not mount at {target}: {}", std::io::Error::last_os_error());
    Ok(())
}

/// The mount point of cgroup v2.
pub fn cgroup_mount() -> Option<String> {
    let mounted = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = mounted.lines().find(|line| line.contains(" - cgroup2 "))?;
    line.split(' ').nth(4).map(str::to_owned)
}
