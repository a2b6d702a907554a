// SPDX-License-Identifier: MIT OR Apache-2.0
//! A program that the kernel runs for each of its sockets: a file whose reading runs it, as often as one is opened. The
//! library's own link can be opened once only, and by who holds the object.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use aya::{Ebpf, programs::Program};

const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_ITER_CREATE: libc::c_long = 33;
const BPF_TRACE_ITER: u32 = 28;

/// `union bpf_attr` of BPF_LINK_CREATE: program, target (none), type, flags, and nothing said about which sockets.
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

/// Of BPF_ITER_CREATE.
#[repr(C)]
struct IterRequest {
    link: u32,
    flags: u32,
}

/// A program of that kind, ready to be run.
#[derive(Debug)]
pub struct Iterator(OwnedFd);

impl Iterator {
    /// Of a program that was loaded; `None`: it was not.
    pub fn new(ebpf: &Ebpf, name: &str) -> Option<io::Result<Self>> {
        let Some(Program::Iter(program)) = ebpf.program(name) else { return None };
        let program = program.fd().ok()?.as_fd().as_raw_fd();
        let request = LinkRequest { program: program as u32, attach_type: BPF_TRACE_ITER, ..LinkRequest::default() };
        Some(bpf(BPF_LINK_CREATE, &request).map(Self))
    }

    /// A file to be read to its end, for the sockets of the calling thread's network namespace.
    ///
    /// # Errors
    /// When the kernel makes none.
    pub fn open(&self) -> io::Result<File> {
        let request = IterRequest { link: self.0.as_raw_fd() as u32, flags: 0 };
        bpf(BPF_ITER_CREATE, &request).map(File::from)
    }
}

/// A command that gives a descriptor.
fn bpf<T>(command: libc::c_long, request: &T) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads as many bytes as the request has, none of which is an address.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(request), size_of::<T>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
