// SPDX-License-Identifier: MIT OR Apache-2.0
//! The only reader of kernel structures, by the offsets of the running kernel's BTF.

use aya_ebpf::{bindings::task_struct, helpers::bpf_probe_read_kernel};
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

const V4_MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// `::ffff:a.b.c.d`
#[inline(always)]
pub fn mapped(v4: [u8; 4]) -> [u8; 16] {
    let mut address = [0u8; 16];
    address[10] = 0xff;
    address[11] = 0xff;
    address[12] = v4[0];
    address[13] = v4[1];
    address[14] = v4[2];
    address[15] = v4[3];
    address
}

/// Local address as the attempt's family has it.
#[inline(always)]
pub fn local_address(sk: u64, on_wire: u16) -> [u8; 16] {
    if on_wire == family::INET {
        mapped(read(sk, offset!(skc_rcv_saddr)).unwrap_or_default())
    } else {
        read(sk, offset!(skc_v6_rcv_saddr)).unwrap_or_default()
    }
}

/// Family, remote address and port of a socket whose destination is set. A v4-mapped IPv6 socket is IPv4 on the wire.
#[inline(always)]
pub fn destination(sk: u64) -> (u16, [u8; 16], u16) {
    let dport = u16::from_be(read(sk, offset!(skc_dport)).unwrap_or(0));
    if read::<u16>(sk, offset!(skc_family)) == Some(family::INET6) {
        let address: [u8; 16] = read(sk, offset!(skc_v6_daddr)).unwrap_or_default();
        (family_on_wire(&address), address, dport)
    } else {
        (family::INET, mapped(read(sk, offset!(skc_daddr)).unwrap_or_default()), dport)
    }
}

/// The family that a destination given as IPv6 is reached by.
#[inline(always)]
pub fn family_on_wire(address: &[u8; 16]) -> u16 {
    let mut index = 0;
    while index < V4_MAPPED.len() {
        if address[index] != V4_MAPPED[index] {
            return family::INET6;
        }
        index += 1;
    }
    family::INET
}

/// Takes family, remote address and port from a `struct sockaddr` in kernel memory.
#[inline(always)]
pub fn read_sockaddr(address: u64, into: &mut RawConnect) {
    let family: u16 = read(address, 0).unwrap_or(0);
    into.dport = u16::from_be(read(address, 2).unwrap_or(0));
    if family == family::INET6 {
        into.daddr = read(address, 8).unwrap_or_default();
        into.family = family_on_wire(&into.daddr);
    } else {
        into.daddr = mapped(read(address, 4).unwrap_or_default());
        into.family = family::INET;
    }
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

/// `tw_count` (without what it holds for none) and `tcp_max_tw_buckets` of a socket's or minisocket's namespace.
#[inline(always)]
pub fn time_wait_level(sk: u64) -> Option<(u32, u32)> {
    let net = net(sk)?;
    let level: u32 = read(net, offset!(tw_count))?;
    let max: u32 = read(net, offset!(max_tw_buckets)).unwrap_or(0);
    Some((level.wrapping_sub(u32::from(offset!(tw_count_base))), max))
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
