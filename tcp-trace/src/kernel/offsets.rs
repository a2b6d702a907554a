// SPDX-License-Identifier: MIT OR Apache-2.0
//! From kernel BTF to the offsets that the kernel side uses. A missing field is [`ABSENT`] and is listed.

use tcp_trace_common::offsets::{ABSENT, Offsets};

use super::btf::{Btf, Field};

/// A member of which only the byte offset is needed: structure, path, destination, and whether every traceable kernel
/// has it.
type Member = (&'static str, &'static str, fn(&mut Offsets) -> &mut u16, Presence);

/// Whether a missing member is reported.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// Reported if missing.
    Expected,
    /// Not reported: added later, or dependent on the configuration. The kernel side handles its absence.
    Depends,
}
use Presence::{Depends, Expected};

const MEMBERS: &[Member] = &[
    ("sock_common", "skc_daddr", |o| &mut o.skc_daddr, Expected),
    ("sock_common", "skc_rcv_saddr", |o| &mut o.skc_rcv_saddr, Expected),
    ("sock_common", "skc_dport", |o| &mut o.skc_dport, Expected),
    ("sock_common", "skc_num", |o| &mut o.skc_num, Expected),
    ("sock_common", "skc_family", |o| &mut o.skc_family, Expected),
    ("sock_common", "skc_state", |o| &mut o.skc_state, Expected),
    ("sock_common", "skc_net.net", |o| &mut o.skc_net, Expected),
    // Without CONFIG_IPV6 there are no IPv6 sockets.
    ("sock_common", "skc_v6_daddr", |o| &mut o.skc_v6_daddr, Depends),
    ("sock_common", "skc_v6_rcv_saddr", |o| &mut o.skc_v6_rcv_saddr, Depends),
    ("sock", "sk_err", |o| &mut o.sk_err, Expected),
    ("sock", "sk_protocol", |o| &mut o.sk_protocol, Expected),
    ("socket", "sk", |o| &mut o.socket_sk, Expected),
    ("socket", "file", |o| &mut o.socket_file, Expected),
    ("inet_sock", "inet_sport", |o| &mut o.inet_sport, Expected),
    // 91d0b78c5177 (6.3), also in 6.1.y.
    ("inet_sock", "local_port_range", |o| &mut o.local_port_range, Depends),
    ("tcp_sock", "total_retrans", |o| &mut o.total_retrans, Expected),
    // CONFIG_MPTCP
    ("tcp_sock", "is_mptcp", |o| &mut o.is_mptcp, Depends),
    ("sock_common", "skc_flags", |o| &mut o.skc_flags, Expected),
    ("sock", "sk_lingertime", |o| &mut o.sk_lingertime, Expected),
    ("tcp_sock", "bytes_received", |o| &mut o.bytes_received, Expected),
    ("tcp_sock", "bytes_acked", |o| &mut o.bytes_acked, Expected),
    ("tcp_sock", "rcv_nxt", |o| &mut o.rcv_nxt, Expected),
    ("tcp_sock", "copied_seq", |o| &mut o.copied_seq, Expected),
    ("tcp_sock", "rx_opt.ts_recent_stamp", |o| &mut o.ts_recent_stamp, Expected),
    ("net", "ns.inum", |o| &mut o.net_inum, Expected),
    ("net", "ipv4.ip_local_ports.range", |o| &mut o.local_ports_range, Expected),
    // 7da62262ec96 (7.1)
    ("net", "ipv4.sysctl_ip_local_port_step_width", |o| &mut o.port_step_width, Depends),
    ("net", "ipv4.tcp_death_row.sysctl_max_tw_buckets", |o| &mut o.max_tw_buckets, Expected),
    ("sock_common", "skc_nulls_node.pprev", |o| &mut o.skc_nulls_pprev, Expected),
    ("inet_timewait_sock", "tw_timer.expires", |o| &mut o.tw_timer_expires, Expected),
    ("inet_timewait_sock", "tw_substate", |o| &mut o.tw_substate, Expected),
    ("inet_timewait_sock", "tw_sport", |o| &mut o.tw_sport, Expected),
    ("inet_timewait_sock", "tw_tb", |o| &mut o.tw_tb, Expected),
    ("inet_connection_sock", "icsk_bind_hash", |o| &mut o.icsk_bind_hash, Expected),
    ("inet_bind_bucket", "port", |o| &mut o.bucket_port, Expected),
    ("inet_bind_bucket", "fastreuse", |o| &mut o.bucket_fastreuse, Expected),
    ("inet_bind_bucket", "fastreuseport", |o| &mut o.bucket_fastreuseport, Expected),
    ("task_struct", "files", |o| &mut o.task_files, Expected),
    ("task_struct", "group_leader", |o| &mut o.task_group_leader, Expected),
    // cf25e24db61c (5.5)
    ("task_struct", "start_boottime", |o| &mut o.task_start_boottime, Expected),
    ("task_struct", "stack", |o| &mut o.task_stack, Expected),
    ("files_struct", "fdt", |o| &mut o.files_fdt, Expected),
    ("fdtable", "fd", |o| &mut o.fdtable_fd, Expected),
    ("fdtable", "max_fds", |o| &mut o.fdtable_max_fds, Expected),
    ("file", "private_data", |o| &mut o.file_private_data, Expected),
    ("sock_common", "skc_cookie", |o| &mut o.skc_cookie, Expected),
    ("sock", "sk_ack_backlog", |o| &mut o.sk_ack_backlog, Expected),
    ("sock", "sk_max_ack_backlog", |o| &mut o.sk_max_ack_backlog, Expected),
    ("sock", "sk_drops", |o| &mut o.sk_drops, Expected),
    ("inet_connection_sock", "icsk_accept_queue.qlen", |o| &mut o.syn_queue_len, Expected),
    ("net", "ipv4.sysctl_tcp_syncookies", |o| &mut o.tcp_syncookies, Expected),
    ("net", "ipv4.sysctl_max_syn_backlog", |o| &mut o.max_syn_backlog, Expected),
    ("sk_buff", "head", |o| &mut o.skb_head, Expected),
    ("sk_buff", "network_header", |o| &mut o.skb_network_header, Expected),
    ("sk_buff", "transport_header", |o| &mut o.skb_transport_header, Expected),
];

/// A member within one byte: destinations of the byte offset and of the mask.
type Bits = (&'static str, &'static str, fn(&mut Offsets) -> [&mut u16; 2]);

const BITS: &[Bits] = &[
    ("sock_common", "skc_reuse", |o| [&mut o.skc_reuse, &mut o.skc_reuse_mask]),
    ("sock_common", "skc_reuseport", |o| [&mut o.skc_reuseport, &mut o.skc_reuseport_mask]),
    ("sock", "sk_userlocks", |o| [&mut o.sk_userlocks, &mut o.sk_userlocks_mask]),
];

/// Functions whose number of parameters determines the position of later ones.
type Params = (&'static str, fn(&mut Offsets) -> &mut u16);

const PARAMS: &[Params] = &[
    ("__inet_hash_connect", |o| &mut o.hash_connect_params),
    ("__inet_check_established", |o| &mut o.check_established_params),
    ("tcp_timewait_state_process", |o| &mut o.timewait_process_params),
    ("inet_csk_accept", |o| &mut o.accept_params),
    (SOCK_ADDR, |o| &mut o.cgroup_sock_addr_params),
];

const SOCK_ADDR: &str = "__cgroup_bpf_run_filter_sock_addr";

/// Offsets, and expected fields that were not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The offsets.
    pub offsets: Offsets,
    /// Missing fields as `struct.member: reason`.
    pub missing: Vec<String>,
}

/// Looks up all offsets.
pub fn resolve(btf: &Btf<'_>) -> Resolved {
    let mut offsets = Offsets::ABSENT;
    let mut missing = Vec::new();
    for (structure, path, slot, presence) in MEMBERS {
        match btf.field(structure, path) {
            Ok(field) => *slot(&mut offsets) = whole_byte(field),
            Err(why) if *presence == Expected => missing.push(format!("{structure}.{path}: {why}")),
            Err(_) => {}
        }
    }
    for (structure, path, slots) in BITS {
        match btf.field(structure, path) {
            Ok(field) => {
                let [byte, mask] = slots(&mut offsets);
                (*byte, *mask) = bits(field);
            }
            Err(why) => missing.push(format!("{structure}.{path}: {why}")),
        }
    }
    for (function, slot) in PARAMS {
        match btf.function(function) {
            Some(found) => *slot(&mut offsets) = found.param_count() as u16,
            None => missing.push(format!("{function}(): no such function")),
        }
    }
    if let Ok(range) = btf.field("net", "ipv4.ip_local_ports.range") {
        offsets.local_ports_range_size = range.size as u16;
    }
    time_wait_count(btf, &mut offsets, &mut missing);
    defer_connect(btf, &mut offsets, &mut missing);
    cgroup_attach_types(btf, &mut offsets);
    typed_task(btf, &mut offsets);
    Resolved { offsets, missing }
}

/// Byte offset of a field; absent for a bit-field that does not begin at a byte.
fn whole_byte(field: Field) -> u16 {
    if field.bit_offset.is_multiple_of(8) { u16::try_from(field.bit_offset / 8).unwrap_or(ABSENT) } else { ABSENT }
}

/// Offset of the byte with a bit-field or one-byte number, and its mask. Bits count from the lowest: little endian.
fn bits(field: Field) -> (u16, u16) {
    let width = if field.bit_size == 0 { field.size.saturating_mul(8) } else { field.bit_size };
    let (byte, first) = (field.bit_offset / 8, field.bit_offset % 8);
    if width > 8 - first {
        return (ABSENT, 0);
    }
    (u16::try_from(byte).unwrap_or(ABSENT), ((1 << width) - 1) << first)
}

/// Offset of the TIME_WAIT counter. `tw_count` holds n; `tw_refcount` (5.19 and later) holds n + 1, one for the
/// namespace itself. Where `tcp_death_row` is a pointer (5.18 to 6.0) the path does not resolve, and the level is
/// unknown.
fn time_wait_count(btf: &Btf<'_>, offsets: &mut Offsets, missing: &mut Vec<String>) {
    for (path, base) in [("ipv4.tcp_death_row.tw_count", 0), ("ipv4.tcp_death_row.tw_refcount", 1)] {
        if let Ok(field) = btf.field("net", path) {
            (offsets.tw_count, offsets.tw_count_base) = (whole_byte(field), base);
            return;
        }
    }
    missing.push("net.ipv4.tcp_death_row.tw_refcount: not embedded in struct net".into());
}

/// The DEFER_CONNECT flag: a bit-field of its own, or since 6.5 a bit of the word `inet_flags`. Bits count from the
/// lowest: little endian.
fn defer_connect(btf: &Btf<'_>, offsets: &mut Offsets, missing: &mut Vec<String>) {
    let bit = if let Ok(field) = btf.field("inet_sock", "defer_connect") {
        Some(field.bit_offset)
    } else {
        let flag = btf.enumerator(None, "INET_FLAGS_DEFER_CONNECT").and_then(|bit| u32::try_from(bit).ok());
        let word = btf.field("inet_sock", "inet_flags").ok();
        word.zip(flag).and_then(|(field, bit)| field.bit_offset.checked_add(bit))
    };
    let at = bit.and_then(|bit| Some((u16::try_from(bit / 8).ok()?, 1 << (bit % 8))));
    match at {
        Some(at) => (offsets.defer_connect, offsets.defer_connect_mask) = at,
        None => missing.push("inet_sock.defer_connect: neither a bit-field nor in inet_flags".into()),
    }
}

/// `enum cgroup_bpf_attach_type` has its own numbers since 6fc88c354f3a (5.15); before, the function takes
/// `enum bpf_attach_type`.
fn cgroup_attach_types(btf: &Btf<'_>, offsets: &mut Offsets) {
    let Some(function) = btf.function(SOCK_ADDR) else { return };
    let own = (2..=3).any(|index| btf.param_is_enum(&function, index, "cgroup_bpf_attach_type"));
    let (name, connect4, connect6) = if own {
        ("cgroup_bpf_attach_type", "CGROUP_INET4_CONNECT", "CGROUP_INET6_CONNECT")
    } else {
        ("bpf_attach_type", "BPF_CGROUP_INET4_CONNECT", "BPF_CGROUP_INET6_CONNECT")
    };
    let value = |enumerator| {
        btf.enumerator(Some(name), enumerator).and_then(|value| u16::try_from(value).ok()).unwrap_or(ABSENT)
    };
    (offsets.cgroup_connect4, offsets.cgroup_connect6) = (value(connect4), value(connect6));
}

/// Fields that plain loads may read from the current task, if the helper that returns a typed pointer exists (5.11).
fn typed_task(btf: &Btf<'_>, offsets: &mut Offsets) {
    let fields = TASK.map(|(structure, path)| btf.field(structure, path).map_or(ABSENT, whole_byte));
    if btf.function(TYPED_TASK).is_some() && !fields.contains(&ABSENT) {
        [offsets.task_comm, offsets.task_cred, offsets.cred_uid] = fields;
    }
}

const TASK: [(&str, &str); 3] = [("task_struct", "comm"), ("task_struct", "cred"), ("cred", "uid.val")];

const TYPED_TASK: &str = "bpf_get_current_task_btf";

/// Every structure and member path that is looked up, for tools that reduce a kernel's BTF.
pub fn members() -> impl Iterator<Item = (&'static str, &'static str)> {
    let more = [
        ("net", "ipv4.tcp_death_row.tw_count"),
        ("net", "ipv4.tcp_death_row.tw_refcount"),
        ("inet_sock", "defer_connect"),
        ("inet_sock", "inet_flags"),
    ];
    let bits = BITS.iter().map(|(structure, path, _)| (*structure, *path));
    MEMBERS.iter().map(|(structure, path, ..)| (*structure, *path)).chain(bits).chain(more).chain(TASK)
}
