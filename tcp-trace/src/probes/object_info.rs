// SPDX-License-Identifier: MIT OR Apache-2.0
//! BPF_OBJ_GET_INFO_BY_FD, for fields that the library does not expose.

use std::os::fd::RawFd;

/// `union bpf_attr` of BPF_OBJ_GET_INFO_BY_FD.
#[repr(C)]
struct Request {
    fd: u32,
    length: u32,
    info: u64,
}

const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;

/// The first words of a kernel structure.
///
/// An all-zero request lets the kernel write nowhere else. `None`: no such object, or a kernel whose structure ends
/// earlier, so that missing words are not 0.
pub(super) fn words<const COUNT: usize>(fd: RawFd, least: usize) -> Option<[u64; COUNT]> {
    let mut info = [0_u64; COUNT];
    let length = size_of_val(&info) as u32;
    let mut request = Request { fd: fd as u32, length, info: (&raw mut info) as u64 };
    // SAFETY: `info` takes `length` bytes and outlives the call.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &raw mut request, size_of::<Request>()) };
    (result == 0 && request.length as usize >= 8 * least).then_some(info)
}
