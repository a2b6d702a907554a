// SPDX-License-Identifier: MIT OR Apache-2.0
//! One attempt of `connect()`: the raw event, which is also what the kernel side remembers while it is under way.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, COMM_LEN, RawHeader};

/// One attempt, from the entry of `tcp_v4_connect`/`tcp_v6_connect` to its end. What a field holds is known only if
/// its flag in [`flag`] says so. Times are `CLOCK_MONOTONIC`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
pub struct RawConnect {
    /// `ktime_ns` is the end of the attempt.
    pub header: RawHeader,
    /// Entry of `tcp_v4_connect`/`tcp_v6_connect` (fentry, kprobe), of the connect system call (tracepoint).
    pub start_ns: u64,
    /// Entry of `__inet_hash_connect`; on the tracepoint tier the transition to SYN_SENT.
    pub search_start_ns: u64,
    /// Exit of `__inet_hash_connect`.
    pub search_end_ns: u64,
    /// cgroup v2 id of the caller of `connect()`.
    pub cgroup_id: u64,
    /// `port_offset`, third argument of `__inet_hash_connect`.
    pub port_offset: u64,
    /// Start of the caller's process on the boot-time clock in ns; 0: unknown.
    pub process_start_ns: u64,
    /// Thread group of the caller: what user space calls the pid.
    pub tgid: u32,
    /// Thread of the caller.
    pub tid: u32,
    /// uid of the caller.
    pub uid: u32,
    /// Inode number of the socket's network namespace.
    pub netns: u32,
    /// `table_perturb[port_offset & mask]` at entry.
    pub perturb_before: u32,
    /// `table_perturb[port_offset & mask]` at exit.
    pub perturb_after: u32,
    /// `net.ipv4.ip_local_port_step_width` (7.1+), 0 where absent.
    pub step_width: u32,
    /// `inet_sock.local_port_range` (high in the upper half, low in the lower), 0 where unset or absent.
    pub socket_range: u32,
    /// `tcp_sock.total_retrans` at the end: SYN retransmits.
    pub syn_retransmits: u32,
    /// Return value of `__inet_hash_connect`: 0 or a negative errno.
    pub search_ret: i32,
    /// Return value of `tcp_v4_connect`, a security hook or the system call: 0 or a negative errno.
    pub call_ret: i32,
    /// `sk_err` at the end, a positive errno.
    pub sk_err: i32,
    /// Candidates that `__inet_check_established` refused.
    pub refused_candidates: u32,
    /// Candidates of `refused_candidates` in TIME_WAIT that were not reusable (`tcp_twsk_unique` returned 0).
    pub time_wait_refused: u32,
    /// TIME_WAIT sockets that were reused (`tcp_twsk_unique` returned 1).
    pub time_wait_reused: u32,
    /// Bits of [`flag`] in the lower half; in the upper half the CPU that [`cpu`](Self::cpu) gives.
    pub flags: u32,
    /// Address family on the wire: a v4-mapped IPv6 socket is `INET`.
    pub family: u16,
    /// Local port, 0 until one is chosen.
    pub sport: u16,
    /// Remote port.
    pub dport: u16,
    /// `skc_num` before the search: not 0 if the socket was bound.
    pub bound_port: u16,
    /// `net.ipv4.ip_local_port_range`, low end.
    pub range_low: u16,
    /// High end of `net.ipv4.ip_local_port_range`, inclusive.
    pub range_high: u16,
    /// First port that `__inet_check_established` tested.
    pub first_candidate: u16,
    /// One of [`ended`].
    pub ended_by: u8,
    /// Low byte of `PROBE_EPOCH` when the search began; has no meaning for user space.
    pub probe_epoch: u8,
    /// Local address.
    pub saddr: Address,
    /// Remote address.
    pub daddr: Address,
    /// Name of the calling thread, NUL-terminated.
    pub comm: [u8; COMM_LEN],
}

const _: () = assert!(size_of::<RawConnect>() == 192);

/// Where the CPU begins in `flags`.
const CPU_SHIFT: u32 = 16;

const _: () = assert!(flag::RETRANSMITS < 1 << CPU_SHIFT, "the last flag is below the CPU");

impl RawConnect {
    /// Start of the attempt in ns, as far as known. A thread begins one at a time, so with `tid` it identifies the
    /// attempt.
    #[inline(always)]
    pub fn began_ns(&self) -> u64 {
        if self.start_ns != 0 { self.start_ns } else { self.search_start_ns }
    }

    /// Number of the CPU on which `connect()` was called.
    #[inline(always)]
    pub fn cpu(&self) -> u16 {
        (self.flags >> CPU_SHIFT) as u16
    }

    /// Sets what [`cpu`](Self::cpu) gives, once an attempt. The entry has no room left for a field of its own, and more
    /// bytes would not fit on the stack of Linux 5.10; no kernel is built for more than 65,536 CPUs.
    #[inline(always)]
    pub fn set_cpu(&mut self, cpu: u32) {
        self.flags |= cpu << CPU_SHIFT;
    }
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: `repr(C)`, integers only, no padding (IntoBytes proves it), valid for every bit pattern (FromBytes).
    unsafe impl aya::Pod for super::RawConnect {}
}

/// Bits that say which fields of an attempt are known.
pub mod flag {
    /// The entry of `__inet_hash_connect` was seen: `search_start_ns`, `bound_port`, `port_offset`, the ranges hold.
    pub const SEARCH_ENTERED: u32 = 1 << 0;
    /// The exit of `__inet_hash_connect` was seen: `search_end_ns`, `search_ret` hold.
    pub const SEARCH_LEFT: u32 = 1 << 1;
    /// `perturb_before` was read.
    pub const PERTURB: u32 = 1 << 2;
    /// The whole search ran with the port probes attached: the candidate counters hold.
    pub const PROBED: u32 = 1 << 3;
    /// `tcp_v4_connect`/`tcp_v6_connect` came back: `call_ret` holds.
    pub const RETURNED: u32 = 1 << 4;
    /// `connect()` was interrupted by a signal while it waited.
    pub const INTERRUPTED: u32 = 1 << 5;
    /// TCP_FASTOPEN_CONNECT held the SYN back until the first `sendmsg()`.
    pub const DEFERRED: u32 = 1 << 6;
    /// A subflow of an MPTCP connection.
    pub const MPTCP: u32 = 1 << 7;
    /// `MPTCP` could be read.
    pub const MPTCP_KNOWN: u32 = 1 << 8;
    /// `range_low`, `range_high` were read.
    pub const RANGE: u32 = 1 << 9;
    /// A kretprobe was missed, so the attempt has gaps (kprobe tier).
    pub const GAP: u32 = 1 << 10;
    /// SYN_SENT was entered (tracepoint tier: `search_start_ns` is that moment).
    pub const SYN_SENT: u32 = 1 << 11;
    /// `start_ns` holds.
    pub const START: u32 = 1 << 12;
    /// `syn_retransmits` was read.
    pub const RETRANSMITS: u32 = 1 << 13;
}

/// Ends of an attempt.
pub mod ended {
    /// The attempt was still in progress when tracing stopped.
    pub const NOT: u8 = 0;
    /// `tcp_set_state(ESTABLISHED)`.
    pub const ESTABLISHED: u8 = 1;
    /// The call itself failed; `search_ret` or `call_ret` has the errno.
    pub const CALL_FAILED: u8 = 2;
    /// `tcp_set_state(CLOSE)` after the call had succeeded: `sk_err` says why, 0 = closed by its owner.
    pub const CLOSED: u8 = 3;
    /// The socket was destroyed with the attempt still open.
    pub const DESTROYED: u8 = 4;
    /// Denied before TCP saw it, by a security module or a cgroup program; `call_ret` has the errno.
    pub const DENIED: u8 = 5;
}
