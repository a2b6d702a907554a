// SPDX-License-Identifier: MIT OR Apache-2.0
//! An iterator program that the kernel runs for each socket: reading a file runs it, and each run needs a new file. The
//! library's own link can be opened only once, and only by the owner of the object.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use aya::{Ebpf, programs::Program};

const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_ITER_CREATE: libc::c_long = 33;
const BPF_TRACE_ITER: u32 = 28;

/// `union bpf_attr` of BPF_LINK_CREATE: program, target (none), type and flags, without a selection of sockets.
#[repr(C)]
#[derive(Default)]
struct LinkRequest {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    info: u64,
    info_length: u32,
    pad: u32,
}

/// `union bpf_attr` of BPF_ITER_CREATE.
#[repr(C)]
struct IterRequest {
    link: u32,
    flags: u32,
}

/// An iterator program, ready to run.
#[derive(Debug)]
pub struct Iterator(OwnedFd);

impl Iterator {
    /// The iterator of a loaded program; `None`: the program was not loaded.
    pub fn new(ebpf: &Ebpf, name: &str) -> Option<io::Result<Self>> {
        let Some(Program::Iter(program)) = ebpf.program(name) else { return None };
        let program = program.fd().ok()?.as_fd().as_raw_fd();
        let request = LinkRequest { program: program as u32, attach_type: BPF_TRACE_ITER, ..LinkRequest::default() };
        Some(bpf(BPF_LINK_CREATE, &request).map(Self))
    }

    /// Opens a file whose reading runs the program for the sockets of the calling thread's network namespace.
    ///
    /// # Errors
    /// When the kernel rejects it.
    pub fn open(&self) -> io::Result<File> {
        let request = IterRequest { link: self.0.as_raw_fd() as u32, flags: 0 };
        bpf(BPF_ITER_CREATE, &request).map(File::from)
    }
}

/// Runs a bpf() command that returns a file descriptor.
fn bpf<T>(command: libc::c_long, request: &T) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads the request, which contains no address.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(request), size_of::<T>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
