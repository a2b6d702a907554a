// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sockets whose port carries the mark of a `bind()`: a program that the kernel runs for each TCP socket of a network
//! namespace, while user space reads.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::seq_file,
    helpers::generated::{bpf_seq_write, bpf_skc_to_tcp_timewait_sock},
};
use tcp_trace_common::bind::{RawMark, userlock};

use crate::{
    memory::{Pointer as _, Typed},
    sock,
};

/// `struct bpf_iter__tcp`
#[repr(C)]
pub struct Turn {
    meta: *const Meta,
    /// `struct sock_common *`, NULL when all were shown.
    socket: u64,
}

/// `struct bpf_iter_meta`
#[repr(C)]
struct Meta {
    output: *mut seq_file,
}

/// # Safety
/// The kernel calls it, with a `struct bpf_iter__tcp`.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/tcp")]
pub unsafe extern "C" fn bucket_iter(turn: *const Turn) -> i32 {
    // SAFETY: what the kernel gives; volatile, so that each is a load of its own.
    let (meta, socket) =
        unsafe { ((&raw const (*turn).meta).read_volatile(), (&raw const (*turn).socket).read_volatile()) };
    if socket == 0 {
        return 0;
    }
    let Some(mark) = mark(Typed(socket)) else { return 0 };
    if mark.fastreuse as i8 >= 0 || mark.fastreuseport as i8 >= 0 {
        // SAFETY: the kernel's own file, and a value of that many bytes.
        unsafe {
            let output = (&raw const (*meta).output).read_volatile();
            bpf_seq_write(output, (&raw const mark).cast::<c_void>(), size_of::<RawMark>() as u32);
        }
    }
    0
}

#[inline(always)]
fn mark(socket: Typed) -> Option<RawMark> {
    if let Some(tcp) = socket.tcp() {
        let mark = RawMark { state: sock::state(tcp), userlocks: sock::userlocks(tcp), ..RawMark::default() };
        return sock::read_bucket(sock::bucket(tcp)?, mark);
    }
    // SAFETY: the verifier has proved that it is a socket.
    let minisocket = unsafe { bpf_skc_to_tcp_timewait_sock(socket.address() as *mut _) };
    if minisocket.is_null() {
        return None;
    }
    let minisocket = Typed(minisocket as u64);
    let mark = RawMark { state: sock::state(minisocket), userlocks: userlock::UNKNOWN, ..RawMark::default() };
    sock::read_bucket(sock::time_wait_bucket(minisocket)?, mark)
}
