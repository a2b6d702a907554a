// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many elements of a BPF map by one system call, which the library does not offer.
//!
//! While the kernel looks at a map for us it runs no tracing programs on that CPU: the fewer calls, the fewer are missed.

use std::{io, os::fd::RawFd};

/// `union bpf_attr` of the commands.
#[repr(C)]
#[derive(Default)]
struct Request {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

const BPF_MAP_LOOKUP_AND_DELETE_BATCH: libc::c_long = 25;
const BPF_MAP_UPDATE_BATCH: libc::c_long = 26;

/// Elements at once: a bucket of a hash map, whose elements come together, never holds so many.
const AT_ONCE: usize = 512;

fn call(command: libc::c_long, request: &mut Request) -> io::Result<()> {
    // SAFETY: what the request points at is as long as its callers say, and outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(request), size_of::<Request>()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes all out of a hash map of such keys and values, which is empty then unless somebody adds to it.
///
/// # Errors
/// When the kernel refuses; what was taken until then was shown.
pub fn take_all<K: aya::Pod, V: aya::Pod>(fd: RawFd, empty: (K, V), mut show: impl FnMut(&K, &V)) -> io::Result<()> {
    let (mut keys, mut values) = (vec![empty.0; AT_ONCE], vec![empty.1; AT_ONCE]);
    let mut cursor = 0_u32;
    let mut begun = false;
    loop {
        let mut next = 0_u32;
        let mut request = Request {
            in_batch: if begun { (&raw mut cursor) as u64 } else { 0 },
            out_batch: (&raw mut next) as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: AT_ONCE as u32,
            map_fd: fd as u32,
            ..Request::default()
        };
        let result = call(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &mut request);
        let over = match result {
            Ok(()) => false,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            Err(error) => return Err(error),
        };
        for (key, value) in keys.iter().zip(&values).take(request.count as usize) {
            show(key, value);
        }
        if over {
            return Ok(());
        }
        (cursor, begun) = (next, true);
    }
}

/// Puts the same value under each of these keys.
///
/// # Errors
/// When the kernel refuses.
pub fn put<K: aya::Pod, V: aya::Pod>(fd: RawFd, keys: &[K], value: V) -> io::Result<()> {
    let values = vec![value; keys.len().min(AT_ONCE)];
    for keys in keys.chunks(AT_ONCE) {
        let mut request = Request {
            keys: keys.as_ptr() as u64,
            values: values.as_ptr() as u64,
            count: keys.len() as u32,
            map_fd: fd as u32,
            ..Request::default()
        };
        call(BPF_MAP_UPDATE_BATCH, &mut request)?;
    }
    Ok(())
}
