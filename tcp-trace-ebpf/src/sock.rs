// SPDX-License-Identifier: MIT OR Apache-2.0
//! The only reader of kernel structures, by the offsets of the running kernel's BTF.

use aya_ebpf::{
    bindings::task_struct,
    helpers::{bpf_probe_read_kernel, bpf_probe_read_kernel_buf, bpf_probe_read_user, bpf_probe_read_user_buf},
};
use tcp_trace_common::{connect::RawConnect, family, offsets::ABSENT};

use crate::globals::{config, offset};

/// `IPPROTO_TCP`
const TCP: u16 = 6;

/// Reads a `T` at `base + offset`; `None` if the kernel has no such field or the memory can't be read.
#[inline(always)]
fn read<T>(base: u64, offset: u16) -> Option<T> {
    if offset == ABSENT {
        return None;
    }
    // SAFETY: the helper checks the address and fails on a bad one.
    unsafe { bpf_probe_read_kernel((base as *const u8).add(offset as usize).cast::<T>()) }.ok()
}

/// Reads bytes to where they are to stay: a copy on the way would go byte by byte.
#[inline(always)]
fn read_into<const N: usize>(base: u64, offset: u16, into: &mut [u8; N]) {
    *into = [0; N];
    if offset != ABSENT {
        // SAFETY: the helper checks the address; on a bad one it leaves zeros.
        let _ = unsafe { bpf_probe_read_kernel_buf((base as *const u8).add(offset as usize), into) };
    }
}

/// Inode number of the socket's network namespace, 0 if unreadable. Works for minisockets too: both begin with
/// `struct sock_common`.
#[inline(always)]
pub fn netns(sk: u64) -> u32 {
    net(sk).and_then(|net| read(net, offset!(net_inum))).unwrap_or(0)
}

#[inline(always)]
fn net(sk: u64) -> Option<u64> {
    read(sk, offset!(skc_net))
}

/// `skc_num`, the local port in host order.
#[inline(always)]
pub fn local_port(sk: u64) -> u16 {
    read(sk, offset!(skc_num)).unwrap_or(0)
}

/// `inet_sport`: unlike `skc_num` still there after `inet_put_port`.
#[inline(always)]
pub fn bound_local_port(sk: u64) -> u16 {
    u16::from_be(read(sk, offset!(inet_sport)).unwrap_or(0))
}

#[inline(always)]
pub fn is_tcp(sk: u64) -> bool {
    read::<u16>(sk, offset!(sk_protocol)) == Some(TCP)
}

#[inline(always)]
pub fn state(sk: u64) -> u8 {
    read(sk, offset!(skc_state)).unwrap_or(0)
}

#[inline(always)]
pub fn error(sk: u64) -> i32 {
    read(sk, offset!(sk_err)).unwrap_or(0)
}

#[inline(always)]
pub fn total_retransmits(sk: u64) -> Option<u32> {
    read(sk, offset!(total_retrans))
}

/// `None` where the kernel was built without MPTCP.
#[inline(always)]
pub fn is_mptcp_subflow(sk: u64) -> Option<bool> {
    read::<u8>(sk, offset!(is_mptcp)).map(|flag| flag & 1 != 0)
}

/// TCP_FASTOPEN_CONNECT has a cookie and holds the SYN back until data is sent.
#[inline(always)]
pub fn is_deferred(sk: u64) -> bool {
    read::<u8>(sk, offset!(defer_connect)).is_some_and(|byte| u16::from(byte) & offset!(defer_connect_mask) != 0)
}

/// `socket->sk`
#[inline(always)]
pub fn of_socket(socket: u64) -> u64 {
    read(socket, offset!(socket_sk)).unwrap_or(0)
}

/// `::ffff:0:0` in native words: eight bytes, then four.
const V4_MAPPED: (u64, u32) = (0, u32::from_ne_bytes([0, 0, 0xff, 0xff]));

/// Writes `::ffff:` and leaves the last four bytes to be read.
#[inline(always)]
fn v4_part(address: &mut [u8; 16]) -> &mut [u8; 4] {
    *address = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
    // SAFETY: the last four of sixteen bytes.
    unsafe { &mut *address.as_mut_ptr().add(12).cast() }
}

/// The family that a destination given as IPv6 is reached by.
#[inline(always)]
fn family_on_wire(address: &[u8; 16]) -> u16 {
    let start = address.as_ptr();
    // SAFETY: twelve of sixteen bytes; unaligned reads are allowed.
    let head = unsafe { (start.cast::<u64>().read_unaligned(), start.add(8).cast::<u32>().read_unaligned()) };
    if head == V4_MAPPED { family::INET } else { family::INET6 }
}

/// Local address as the family on the wire has it.
#[inline(always)]
pub fn local_address(sk: u64, on_wire: u16, into: &mut [u8; 16]) {
    if on_wire == family::INET {
        read_into(sk, offset!(skc_rcv_saddr), v4_part(into));
    } else {
        read_into(sk, offset!(skc_v6_rcv_saddr), into);
    }
}

/// Remote port of a socket or minisocket.
#[inline(always)]
pub fn remote_port(sk: u64) -> u16 {
    u16::from_be(read(sk, offset!(skc_dport)).unwrap_or(0))
}

/// Remote address of a socket or minisocket; the family that it is reached by.
#[inline(always)]
pub fn remote_address(sk: u64, into: &mut [u8; 16]) -> u16 {
    if read::<u16>(sk, offset!(skc_family)) == Some(family::INET6) {
        read_into(sk, offset!(skc_v6_daddr), into);
        family_on_wire(into)
    } else {
        read_into(sk, offset!(skc_daddr), v4_part(into));
        family::INET
    }
}

/// Offsets in `struct sockaddr_in` and `sockaddr_in6`, which begin alike.
const SIN_PORT: u16 = 2;
const SIN_ADDR: u16 = 4;
const SIN6_ADDR: u16 = 8;

/// Takes family, remote address and port from a `struct sockaddr` in kernel memory.
#[inline(always)]
pub fn read_sockaddr(address: u64, into: &mut RawConnect) {
    into.dport = u16::from_be(read(address, SIN_PORT).unwrap_or(0));
    if read::<u16>(address, 0) == Some(family::INET6) {
        read_into(address, SIN6_ADDR, &mut into.daddr);
        into.family = family_on_wire(&into.daddr);
    } else {
        read_into(address, SIN_ADDR, v4_part(&mut into.daddr));
        into.family = family::INET;
    }
}

/// The same from one in user space; `None` if it can't be read.
#[inline(always)]
pub fn read_user_sockaddr(address: u64, into: &mut RawConnect) -> Option<()> {
    let at = |offset: u16| (address + u64::from(offset)) as *const u8;
    // SAFETY: the helpers check the address and fail on a bad one.
    unsafe {
        let family = bpf_probe_read_user(at(0).cast::<u16>()).ok()?;
        into.dport = u16::from_be(bpf_probe_read_user(at(SIN_PORT).cast::<u16>()).ok()?);
        if family == family::INET6 {
            bpf_probe_read_user_buf(at(SIN6_ADDR), &mut into.daddr).ok()?;
            into.family = family_on_wire(&into.daddr);
        } else {
            bpf_probe_read_user_buf(at(SIN_ADDR), v4_part(&mut into.daddr)).ok()?;
            into.family = family::INET;
        }
    }
    Some(())
}

/// `net.ipv4.ip_local_port_range` of the socket's namespace; both families use it.
#[inline(always)]
pub fn port_range(sk: u64) -> Option<(u16, u16)> {
    let net = net(sk)?;
    // 8 bytes: `int range[2]` (5.10, 6.1). 4 bytes: `high << 16 | low` (6.8 and later).
    if offset!(local_ports_range_size) == 8 {
        let [low, high]: [u32; 2] = read(net, offset!(local_ports_range))?;
        Some((low as u16, high as u16))
    } else {
        let both: u32 = read(net, offset!(local_ports_range))?;
        Some((both as u16, (both >> 16) as u16))
    }
}

/// `IP_LOCAL_PORT_RANGE` of the socket, high in the upper half; 0 where unset or not on this kernel.
#[inline(always)]
pub fn socket_port_range(sk: u64) -> u32 {
    read(sk, offset!(local_port_range)).unwrap_or(0)
}

/// `net.ipv4.ip_local_port_step_width`, 0 before 7.1.
#[inline(always)]
pub fn port_step_width(sk: u64) -> u32 {
    if offset!(port_step_width) == ABSENT {
        return 0;
    }
    net(sk).and_then(|net| read(net, offset!(port_step_width))).unwrap_or(0)
}

/// The entry of `table_perturb` that a search with this `port_offset` starts from. `table_perturb` is a pointer to
/// the table (since 4c2c8f03a5ab); user space knows its address from kallsyms, or not at all.
#[inline(always)]
pub fn perturb(port_offset: u64) -> Option<u32> {
    let table_perturb = config!(table_perturb);
    if table_perturb == 0 {
        return None;
    }
    let table: u64 = read(table_perturb, 0)?;
    read(table + 4 * (port_offset & u64::from(config!(table_perturb_mask))), 0)
}

/// `tw_count` of a socket's or minisocket's namespace without what it holds for none, `u32::MAX` if not known.
#[inline(always)]
pub fn time_wait_level(sk: u64) -> u32 {
    match net(sk).and_then(|net| read::<u32>(net, offset!(tw_count))) {
        Some(count) => count.wrapping_sub(u32::from(offset!(tw_count_base))),
        None => u32::MAX,
    }
}

/// `tcp_max_tw_buckets` of that namespace, 0 if not known.
#[inline(always)]
pub fn max_time_wait(sk: u64) -> u32 {
    net(sk).and_then(|net| read(net, offset!(max_tw_buckets))).unwrap_or(0)
}

/// `container_of(timer, struct inet_timewait_sock, tw_timer)`, 0 where the offset is not known.
#[inline(always)]
pub fn of_time_wait_timer(timer: u64) -> u64 {
    if offset!(tw_timer) == ABSENT { 0 } else { timer - u64::from(offset!(tw_timer)) }
}

#[inline(always)]
pub fn time_wait_substate(tw: u64) -> u8 {
    read(tw, offset!(tw_substate)).unwrap_or(0)
}

/// Local port of a minisocket (`tw_sport`).
#[inline(always)]
pub fn time_wait_port(tw: u64) -> u16 {
    u16::from_be(read(tw, offset!(tw_sport)).unwrap_or(0))
}

/// The socket behind a descriptor of this task; 0 if it is not a socket.
#[inline(always)]
pub fn of_descriptor(task: *mut task_struct, descriptor: u32) -> u64 {
    socket_of_descriptor(task as u64, descriptor).unwrap_or(0)
}

#[inline(always)]
fn socket_of_descriptor(task: u64, descriptor: u32) -> Option<u64> {
    let files: u64 = read(task, offset!(task_files))?;
    let table: u64 = read(files, offset!(files_fdt))?;
    if descriptor >= read::<u32>(table, offset!(fdtable_max_fds))? {
        return None;
    }
    let array: u64 = read(table, offset!(fdtable_fd))?;
    let file: u64 = read(array + 8 * u64::from(descriptor), 0)?;
    let socket: u64 = read(file, offset!(file_private_data))?;
    // Only a socket points back at its file from there: anything else has other things in `private_data`.
    if read::<u64>(socket, offset!(socket_file))? != file {
        return None;
    }
    read(socket, offset!(socket_sk))
}
