// SPDX-License-Identifier: MIT OR Apache-2.0
//! The only reader of kernel structures, by the offsets of the running kernel's BTF.

pub mod listener;

use aya_ebpf::{
    bindings::task_struct,
    helpers::{bpf_jiffies64, bpf_probe_read_kernel, bpf_probe_read_user},
};
use tcp_trace_common::{
    Address,
    bind::{self, RawBind, RawMark},
    connect::{RawConnect, flag},
    family,
    offsets::ABSENT,
};

use crate::{
    globals::{config, offset},
    memory::{Memory, Pointer, Untyped},
};

/// `IPPROTO_TCP`
const TCP: u16 = 6;

/// Inode number of the socket's network namespace, 0 if unreadable. Works for minisockets too: both begin with
/// `struct sock_common`.
#[inline(always)]
pub fn netns(sk: impl Pointer) -> u32 {
    net(sk).map_or(0, inode)
}

#[inline(always)]
fn inode(net: impl Pointer) -> u32 {
    net.read(offset!(net_inum)).unwrap_or(0)
}

#[inline(always)]
fn net<P: Pointer>(sk: P) -> Option<P> {
    sk.follow(offset!(skc_net))
}

/// Reads the namespace, and its settings of the port search.
#[inline(always)]
pub fn read_namespace(sk: impl Pointer, into: &mut RawConnect) {
    let Some(net) = net(sk) else { return };
    into.netns = inode(net);
    into.step_width = net.read(offset!(port_step_width)).unwrap_or(0);
    if let Some((low, high)) = port_range(net) {
        into.range_low = low;
        into.range_high = high;
        into.flags |= flag::RANGE;
    }
}

/// `skc_num`, the local port in host order.
#[inline(always)]
pub fn local_port(sk: impl Memory) -> u16 {
    sk.read(offset!(skc_num)).unwrap_or(0)
}

/// `inet_sport`: unlike `skc_num` still set after `inet_put_port`.
#[inline(always)]
pub fn bound_local_port(tcp: impl Pointer) -> u16 {
    u16::from_be(tcp.read(offset!(inet_sport)).unwrap_or(0))
}

#[inline(always)]
pub fn is_tcp(sk: impl Pointer) -> bool {
    sk.read::<u16>(offset!(sk_protocol)) == Some(TCP)
}

#[inline(always)]
pub fn state(sk: impl Memory) -> u8 {
    sk.read(offset!(skc_state)).unwrap_or(0)
}

#[inline(always)]
pub fn family(sk: impl Pointer) -> u16 {
    sk.read(offset!(skc_family)).unwrap_or(0)
}

/// `skc_cookie`; 0 until it was first read.
#[inline(always)]
pub fn cookie(sk: impl Pointer) -> u64 {
    sk.read(offset!(skc_cookie)).unwrap_or(0)
}

#[inline(always)]
pub fn error(sk: impl Pointer) -> i32 {
    sk.read(offset!(sk_err)).unwrap_or(0)
}

#[inline(always)]
pub fn total_retransmits(tcp: impl Pointer) -> Option<u32> {
    tcp.read(offset!(total_retrans))
}

/// Whether it is an MPTCP subflow; `None` where the kernel was built without MPTCP.
#[inline(always)]
pub fn is_mptcp_subflow(tcp: impl Pointer) -> Option<bool> {
    tcp.read::<u8>(offset!(is_mptcp)).map(|flag| flag & 1 != 0)
}

/// Whether TCP_FASTOPEN_CONNECT has a cookie and holds the SYN back until data is sent.
#[inline(always)]
pub fn is_deferred(tcp: impl Pointer) -> bool {
    tcp.read::<u8>(offset!(defer_connect)).is_some_and(|byte| u16::from(byte) & offset!(defer_connect_mask) != 0)
}

/// `tcp_sock.bytes_received`
#[inline(always)]
pub fn bytes_received(tcp: impl Pointer) -> u64 {
    tcp.read(offset!(bytes_received)).unwrap_or(0)
}

/// `tcp_sock.bytes_acked`
#[inline(always)]
pub fn bytes_acked(tcp: impl Pointer) -> u64 {
    tcp.read(offset!(bytes_acked)).unwrap_or(0)
}

/// Bits of `enum sock_flags`, whose first five have been the same since 2.6.12.
const SOCK_DONE: u64 = 1 << 1;
const SOCK_LINGER: u64 = 1 << 4;

#[inline(always)]
fn flags(sk: impl Pointer) -> u64 {
    sk.read(offset!(skc_flags)).unwrap_or(0)
}

/// Whether SO_LINGER is on.
#[inline(always)]
pub fn lingers(sk: impl Pointer) -> bool {
    flags(sk) & SOCK_LINGER != 0
}

/// How long close() may block with SO_LINGER, in jiffies.
#[inline(always)]
pub fn linger_time(sk: impl Pointer) -> u64 {
    sk.read(offset!(sk_lingertime)).unwrap_or(u64::MAX)
}

/// Whether received data is unread. The peer's FIN takes a sequence number of its own.
#[inline(always)]
pub fn has_unread<P: Pointer>(sk: P, tcp: P) -> bool {
    let received: u32 = tcp.read(offset!(rcv_nxt)).unwrap_or(0);
    let read: u32 = tcp.read(offset!(copied_seq)).unwrap_or(0);
    let unread = received.wrapping_sub(read);
    unread > u32::from(flags(sk) & SOCK_DONE != 0)
}

/// Whether the peer sends timestamps: without them a new `connect()` never reuses the port in TIME_WAIT.
#[inline(always)]
pub fn has_timestamps(tcp: impl Pointer) -> bool {
    tcp.read::<u32>(offset!(ts_recent_stamp)).is_none_or(|stamp| stamp != 0)
}

/// Whether `connect()` chose the local port, and no socket bound it explicitly; `None` without a port.
#[inline(always)]
pub fn chosen_by_connect(tcp: impl Pointer) -> Option<bool> {
    let bucket = tcp.follow(offset!(icsk_bind_hash)).filter(|bucket| bucket.address() != 0)?;
    let fastreuse: u8 = bucket.read(offset!(bucket_fastreuse))?;
    let fastreuseport: u8 = bucket.read(offset!(bucket_fastreuseport))?;
    Some((fastreuse as i8) < 0 && (fastreuseport as i8) < 0)
}

/// Whether a port is in the ephemeral range of the namespace of a socket or minisocket.
#[inline(always)]
pub fn in_port_range(sk: impl Pointer, port: u16) -> bool {
    net(sk).and_then(port_range).is_some_and(|(low, high)| low <= port && port <= high)
}

/// `socket->sk`
#[inline(always)]
pub fn of_socket<P: Pointer>(socket: P) -> P {
    socket.follow(offset!(socket_sk)).unwrap_or(P::new(0))
}

/// Reads what `bind()` needs of its socket.
#[inline(always)]
pub fn read_bound(sk: impl Pointer, into: &mut RawBind) {
    into.port_given = local_port(sk);
    if sk.read::<u16>(offset!(skc_family)) == Some(family::INET6) {
        into.saddr = read_v6(sk, offset!(skc_v6_rcv_saddr));
        into.family = family_on_wire(into.saddr);
    } else {
        into.saddr = read_v4(sk, offset!(skc_rcv_saddr));
        into.family = family::INET;
    }
    if has_bits(sk, offset!(skc_reuse), offset!(skc_reuse_mask)) {
        into.flags |= bind::flag::REUSE_ADDR;
    }
    if has_bits(sk, offset!(skc_reuseport), offset!(skc_reuseport_mask)) {
        into.flags |= bind::flag::REUSE_PORT;
    }
    let Some(net) = net(sk) else { return };
    into.netns = inode(net);
    if let Some((low, high)) = port_range(net) {
        into.range_low = low;
        into.range_high = high;
    }
}

#[inline(always)]
fn has_bits(sk: impl Memory, byte: u16, mask: u16) -> bool {
    sk.read::<u8>(byte).is_some_and(|byte| u16::from(byte) & mask != 0)
}

/// `sk_userlocks`; 0 if unknown.
#[inline(always)]
pub fn userlocks(sk: impl Memory) -> u8 {
    let mask = offset!(sk_userlocks_mask);
    let byte: u8 = sk.read(offset!(sk_userlocks)).unwrap_or(0);
    // Down to its lowest bit; a mask of none would shift by 16.
    if mask == 0 { 0 } else { ((u16::from(byte) & mask) >> mask.trailing_zeros()) as u8 }
}

/// The bind bucket of a socket.
#[inline(always)]
pub fn bucket<P: Pointer>(tcp: P) -> Option<P> {
    tcp.follow(offset!(icsk_bind_hash))
}

/// The bind bucket of a minisocket.
#[inline(always)]
pub fn time_wait_bucket<P: Pointer>(minisocket: P) -> Option<P> {
    minisocket.follow(offset!(tw_tb))
}

/// Reads port and marks of a bind bucket; `None` if there is no bucket, whose port then reads as 0.
#[inline(always)]
pub fn read_bucket(bucket: impl Pointer, mark: RawMark) -> Option<RawMark> {
    let port: u16 = bucket.read(offset!(bucket_port))?;
    if port == 0 {
        return None;
    }
    let fastreuse = bucket.read(offset!(bucket_fastreuse))?;
    let fastreuseport = bucket.read(offset!(bucket_fastreuseport))?;
    Some(RawMark { port, fastreuse, fastreuseport, ..mark })
}

/// The v4-mapped address `::ffff:a.b.c.d`; the last four bytes as in memory.
#[inline(always)]
fn v4_mapped(v4: u32) -> Address {
    Address([0, u64::from(v4) << 32 | 0xffff << 16])
}

/// Address family on the wire for a destination given as IPv6.
#[inline(always)]
fn family_on_wire(address: Address) -> u16 {
    let Address([head, tail]) = address;
    if head == 0 && tail as u32 == 0xffff << 16 { family::INET } else { family::INET6 }
}

#[inline(always)]
fn read_v4(base: impl Memory, offset: u16) -> Address {
    v4_mapped(base.read(offset).unwrap_or(0))
}

#[inline(always)]
fn read_v6(base: impl Memory, offset: u16) -> Address {
    if offset == ABSENT {
        return Address([0; 2]);
    }
    Address([base.read(offset).unwrap_or(0), base.read(offset + 8).unwrap_or(0)])
}

/// Local address in the family on the wire.
#[inline(always)]
pub fn local_address(sk: impl Memory, on_wire: u16) -> Address {
    if on_wire == family::INET { read_v4(sk, offset!(skc_rcv_saddr)) } else { read_v6(sk, offset!(skc_v6_rcv_saddr)) }
}

/// Remote port of a socket or minisocket.
#[inline(always)]
pub fn remote_port(sk: impl Memory) -> u16 {
    u16::from_be(sk.read(offset!(skc_dport)).unwrap_or(0))
}

/// Remote address of a socket or minisocket, and its family on the wire.
#[inline(always)]
pub fn remote_address(sk: impl Memory) -> (Address, u16) {
    if sk.read::<u16>(offset!(skc_family)) == Some(family::INET6) {
        let address = read_v6(sk, offset!(skc_v6_daddr));
        (address, family_on_wire(address))
    } else {
        (read_v4(sk, offset!(skc_daddr)), family::INET)
    }
}

/// `struct sockaddr_in`, and as much of `sockaddr_in6`, whose address begins where the zeros of the other are.
#[repr(C)]
#[derive(Clone, Copy)]
struct SocketAddress {
    family: u16,
    /// Big endian.
    port: u16,
    v4: u32,
    v6_head: u64,
}

/// Where the rest of the address of `sockaddr_in6` is.
const V6_TAIL: usize = size_of::<SocketAddress>();

/// Reads family, remote address and port from a `struct sockaddr` in kernel memory.
#[inline(always)]
pub fn read_sockaddr(address: u64, into: &mut RawConnect) {
    let read = address as *const u8;
    // SAFETY: the helper checks the address and fails on a bad one.
    let Ok(start) = (unsafe { bpf_probe_read_kernel(read.cast::<SocketAddress>()) }) else { return };
    fill_destination(start, into, || {
        // SAFETY: the helper checks the address and fails on a bad one.
        unsafe { bpf_probe_read_kernel(read.add(V6_TAIL).cast::<u64>()) }.unwrap_or(0)
    });
}

/// Reads family, remote address and port from a `struct sockaddr` in user memory; `None` if it cannot be read.
#[inline(always)]
pub fn read_user_sockaddr(address: u64, into: &mut RawConnect) -> Option<()> {
    let read = address as *const u8;
    // SAFETY: the helper checks the address and fails on a bad one.
    let start = unsafe { bpf_probe_read_user(read.cast::<SocketAddress>()) }.ok()?;
    fill_destination(start, into, || {
        // SAFETY: the helper checks the address and fails on a bad one.
        unsafe { bpf_probe_read_user(read.add(V6_TAIL).cast::<u64>()) }.unwrap_or(0)
    });
    Some(())
}

/// Port of a `struct sockaddr_in` or `sockaddr_in6` in user space; `None` if it can't be read.
#[inline(always)]
pub fn read_user_port(address: u64) -> Option<u16> {
    // SAFETY: the helper checks the address and fails on a bad one.
    let start = unsafe { bpf_probe_read_user((address as *const u8).cast::<[u16; 2]>()) }.ok()?;
    Some(u16::from_be(start[1]))
}

#[inline(always)]
fn fill_destination(start: SocketAddress, into: &mut RawConnect, v6_tail: impl FnOnce() -> u64) {
    into.dport = u16::from_be(start.port);
    if start.family == family::INET6 {
        into.daddr = Address([start.v6_head, v6_tail()]);
        into.family = family_on_wire(into.daddr);
    } else {
        into.daddr = v4_mapped(start.v4);
        into.family = family::INET;
    }
}

/// `net.ipv4.ip_local_port_range`; both families use it.
#[inline(always)]
fn port_range(net: impl Pointer) -> Option<(u16, u16)> {
    // 8 bytes: `int range[2]` (5.10, 6.1). 4 bytes: `high << 16 | low` (6.8 and later).
    if offset!(local_ports_range_size) == 8 {
        let low: u32 = net.read(offset!(local_ports_range))?;
        let high: u32 = net.read(offset!(local_ports_range) + 4)?;
        Some((low as u16, high as u16))
    } else {
        let both: u32 = net.read(offset!(local_ports_range))?;
        Some((both as u16, (both >> 16) as u16))
    }
}

/// `IP_LOCAL_PORT_RANGE` of the socket, high in the upper half; 0 where unset or not on this kernel.
#[inline(always)]
pub fn socket_port_range<P: Pointer>(tcp: P) -> u32 {
    let offset = offset!(local_port_range);
    if offset == ABSENT {
        return 0;
    }
    if !P::TYPED {
        return tcp.read(offset).unwrap_or(0);
    }
    // In halves: until 6.7 it is a structure of two u16, and the verifier lets no load go from one into the other.
    let low: u16 = tcp.read(offset).unwrap_or(0);
    let high: u16 = tcp.read(offset + 2).unwrap_or(0);
    u32::from(high) << 16 | u32::from(low)
}

/// Value of the pointer `table_perturb`, once it was read: the kernel sets it at boot.
#[unsafe(no_mangle)]
static mut PERTURB_TABLE: u64 = 0;

/// The entry of `table_perturb` that a search with this `port_offset` starts from. `table_perturb` is a pointer to
/// the table (since 4c2c8f03a5ab); user space knows its address from kallsyms, or not at all.
#[inline(always)]
pub fn perturb(port_offset: u64) -> Option<u32> {
    let table_perturb = config!(table_perturb);
    if table_perturb == 0 {
        return None;
    }
    let cache = &raw mut PERTURB_TABLE;
    // SAFETY: a static; all concurrent writers write the same value.
    let mut table = unsafe { cache.read_volatile() };
    if table == 0 {
        table = Untyped(table_perturb).read(0)?;
        // SAFETY: a static; all concurrent writers write the same value.
        unsafe { cache.write_volatile(table) };
    }
    Untyped(table + 4 * (port_offset & u64::from(config!(table_perturb_mask)))).read(0)
}

/// `tw_count` of a socket's or minisocket's namespace, without the namespace's own reference; `u32::MAX` if unknown.
#[inline(always)]
pub fn time_wait_level(sk: impl Pointer) -> u32 {
    match net(sk).and_then(|net| net.read::<u32>(offset!(tw_count))) {
        Some(count) => count.wrapping_sub(u32::from(offset!(tw_count_base))),
        None => u32::MAX,
    }
}

/// `tcp_max_tw_buckets` of the namespace; 0 if unknown.
#[inline(always)]
pub fn max_time_wait(sk: impl Pointer) -> u32 {
    net(sk).and_then(|net| net.read(offset!(max_tw_buckets))).unwrap_or(0)
}

/// Whether a minisocket that ends has left its hash chain already: __inet_check_established removes it when a
/// `connect()` reuses its ports; in all other cases inet_twsk_kill does.
#[inline(always)]
pub fn time_wait_is_replaced(tw: u64) -> bool {
    Untyped(tw).read::<u64>(offset!(skc_nulls_pprev)) == Some(0)
}

/// Whether a minisocket's time is up; its timer may still have to run.
#[inline(always)]
pub fn time_wait_is_over(tw: u64) -> bool {
    // SAFETY: the helper has no precondition.
    let now = unsafe { bpf_jiffies64() };
    Untyped(tw).read::<u64>(offset!(tw_timer_expires)).is_some_and(|expires| now >= expires)
}

#[inline(always)]
pub fn time_wait_substate(tw: u64) -> u8 {
    Untyped(tw).read(offset!(tw_substate)).unwrap_or(0)
}

/// Local port of a minisocket (`tw_sport`).
#[inline(always)]
pub fn time_wait_port(tw: u64) -> u16 {
    u16::from_be(Untyped(tw).read(offset!(tw_sport)).unwrap_or(0))
}

/// The socket behind a descriptor of this task; 0 if it is not a socket.
#[inline(always)]
pub fn of_descriptor(task: *mut task_struct, descriptor: u32) -> u64 {
    socket_of_descriptor(Untyped(task as u64), descriptor).unwrap_or(0)
}

#[inline(always)]
fn socket_of_descriptor(task: Untyped, descriptor: u32) -> Option<u64> {
    let table = task.follow(offset!(task_files))?.follow(offset!(files_fdt))?;
    if descriptor >= table.read(offset!(fdtable_max_fds))? {
        return None;
    }
    let array = table.follow(offset!(fdtable_fd))?;
    let file = Untyped(array.0 + 8 * u64::from(descriptor)).follow(0)?;
    let socket = file.follow(offset!(file_private_data))?;
    // Only a socket points back at its file from there: anything else has other things in `private_data`.
    if socket.read::<u64>(offset!(socket_file))? != file.0 {
        return None;
    }
    socket.read(offset!(socket_sk))
}
