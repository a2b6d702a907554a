// SPDX-License-Identifier: MIT OR Apache-2.0
//! bpf(2) without a library: what is loaded in the kernel, and a cgroup program that denies connects.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

const PROG_LOAD: libc::c_long = 5;
const PROG_ATTACH: libc::c_long = 8;
const PROG_GET_NEXT_ID: libc::c_long = 11;
const MAP_GET_NEXT_ID: libc::c_long = 12;
const TYPE_CGROUP_SOCK_ADDR: u32 = 18;
/// `BPF_CGROUP_INET4_CONNECT`, `BPF_CGROUP_INET6_CONNECT`
pub const INET4_CONNECT: u32 = 10;
pub const INET6_CONNECT: u32 = 11;

fn bpf(command: libc::c_long, attributes: &mut [u32]) -> i64 {
    let size = size_of_val(attributes);
    // SAFETY: `size` bytes that outlive the call, with no address in them that is not valid for as long.
    unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), size) }
}

/// Ids of all loaded programs, maps and links.
#[derive(Debug, PartialEq, Eq)]
pub struct Loaded {
    programs: BTreeSet<u32>,
    maps: BTreeSet<u32>,
}

impl Loaded {
    pub fn now() -> Self {
        Self { programs: ids(PROG_GET_NEXT_ID), maps: ids(MAP_GET_NEXT_ID) }
    }

    /// Waits until nothing new is loaded: the kernel frees programs with a delay.
    pub fn nothing_new(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let now = Self::now();
            let programs: Vec<_> = now.programs.difference(&self.programs).collect();
            let maps: Vec<_> = now.maps.difference(&self.maps).collect();
            if programs.is_empty() && maps.is_empty() {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "still loaded: programs {programs:?}, maps {maps:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn something_new(&self) -> bool {
        let now = Self::now();
        now.programs.difference(&self.programs).next().is_some() && now.maps.difference(&self.maps).next().is_some()
    }
}

fn ids(command: libc::c_long) -> BTreeSet<u32> {
    let mut ids = BTreeSet::new();
    // union bpf_attr: start_id, next_id, open_flags.
    let mut attributes = [0_u32; 3];
    while bpf(command, &mut attributes) == 0 {
        ids.insert(attributes[1]);
        attributes[0] = attributes[1];
    }
    ids
}

/// A program that denies connect() to the members of a cgroup, while this value exists.
pub struct Forbidden {
    _program: OwnedFd,
}

impl Forbidden {
    pub fn attach(cgroup: &str, attach_type: u32) -> Result<Self> {
        // r0 = 0; exit
        let instructions: [u64; 2] = [0xb7, 0x95];
        let license = c"GPL";
        let mut attributes = [0_u32; 18];
        attributes[0] = TYPE_CGROUP_SOCK_ADDR;
        attributes[1] = instructions.len() as u32;
        set_address(&mut attributes, 2, instructions.as_ptr() as u64);
        set_address(&mut attributes, 4, license.as_ptr() as u64);
        // expected_attach_type
        attributes[17] = attach_type;
        lock_what_is_needed()?;
        let fd = bpf(PROG_LOAD, &mut attributes);
        ensure!(fd >= 0, "could not load a cgroup program: {}", io::Error::last_os_error());
        // SAFETY: the kernel just gave it to us.
        let program = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        let directory = File::open(cgroup).with_context(|| format!("could not open {cgroup}"))?;
        // target_fd, attach_bpf_fd, attach_type, attach_flags
        let mut attributes = [directory.as_raw_fd() as u32, program.as_raw_fd() as u32, attach_type, 0];
        let result = bpf(PROG_ATTACH, &mut attributes);
        ensure!(result == 0, "could not attach to {cgroup}: {}", io::Error::last_os_error());
        Ok(Self { _program: program })
    }
}

/// Raises the limit on locked memory: before 5.11 programs count towards that of the user, whom the tracer shares.
fn lock_what_is_needed() -> Result<()> {
    let all = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: one `rlimit`, which is read.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const all) };
    ensure!(result == 0, "RLIMIT_MEMLOCK: {}", io::Error::last_os_error());
    Ok(())
}

fn set_address(attributes: &mut [u32], at: usize, address: u64) {
    attributes[at] = address as u32;
    attributes[at + 1] = (address >> 32) as u32;
}
