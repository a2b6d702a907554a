// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every map: its content, its size, and which code deletes entries.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
};
use tcp_trace_common::{
    COMM_LEN,
    attempts::AttemptSet,
    bind::{self, Bound, RawBindSite, RawBindTotals, RawBinder},
    connect::RawConnect,
    connect_rows::{RawRow, RawRowKey},
    counters,
    detail::{Exemplars, RawDetail},
    folded::{self, RawHistogram},
    listen::{RawListener, RawListenerKey},
    peer::RawPeer,
    state::RawStateTotals,
    time_wait::{Closer, RawTimeWaitOwner, RawTimeWaitTotals},
};

use crate::{calls, sock::listener::Queues};

/// Raw events on their way to user space. Sized by the agent.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(4 << 20, 0);

/// Counters of attempts, losses and misses: see `counters`. Per CPU, and still counted atomically, because softirqs
/// interrupt.
#[map]
pub static COUNTERS: PerCpuArray<[u64; counters::COUNT]> = PerCpuArray::with_max_entries(1, 0);

/// Attempts in progress, at the places of their sockets in `ATTEMPT_SETS`. A place is released when the attempt ends,
/// at the latest when the socket is destroyed. The agent sizes both.
#[map]
pub static ATTEMPTS: Array<RawConnect> = Array::with_max_entries(16_384, 0);

/// Sockets of the attempts, and claims of places: see `attempts`.
#[map]
pub static ATTEMPT_SETS: Array<AttemptSet> = Array::with_max_entries(2_048, 0);

/// A `connect()` or `bind()` call in progress.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Call {
    /// Entry of the system call.
    pub start_ns: u64,
    /// The socket; 0: not known yet.
    pub sk: u64,
    /// Its destination, a `struct sockaddr *`; for `bind()` the requested port.
    pub address: u64,
    /// Its file descriptor, while the socket is not known yet.
    pub descriptor: u32,
    /// SYN_SENT was entered during the call.
    pub syn_sent: u32,
    /// Thread id; 0: the place is free.
    pub tid: u32,
    /// 1: it is a `bind()`, which must not be mistaken for an older call of its thread.
    pub binds: u32,
}

/// Calls in progress, by thread: see `calls`.
#[map]
pub static CALLS: Array<Call> = Array::with_max_entries(calls::PLACES, 0);

/// The socket that a thread last began to connect, by the last bits of its id. Never deleted: readers check that its
/// attempt is in progress and of this thread.
#[map]
pub static CONNECTING: Array<u64> = Array::with_max_entries(calls::PLACES, 0);

/// Settings that user space writes: see `detail`.
#[map]
pub static DETAIL: Array<RawDetail> = Array::with_max_entries(1, 0);

/// Which signals need changes of state, by tier: see `tcp_trace_common::set_state`. Written by user space.
#[map]
pub static SET_STATE: Array<u64> = Array::with_max_entries(1, 0);

/// Number of exemplars sent: see `exemplar`.
#[map]
pub static EXEMPLARS: PerCpuArray<Exemplars> = PerCpuArray::with_max_entries(1, 0);

/// Attempts by process and destination, first generation: see `rows`. User space deletes entries while the other
/// generation is in use. The agent sizes both.
#[map]
pub static CONNECT_ROWS_0: HashMap<RawRowKey, RawRow> = HashMap::with_max_entries(1, 0);

/// Attempts by process and destination, second generation.
#[map]
pub static CONNECT_ROWS_1: HashMap<RawRowKey, RawRow> = HashMap::with_max_entries(1, 0);

/// By generation: 1 once a row found no room. User space resets it after making room.
#[map]
pub static CONNECT_ROWS_FULL: Array<u64> = Array::with_max_entries(2, 0);

/// By generation: attempts whose row found no room, since the start.
#[map]
pub static CONNECT_OTHER: PerCpuArray<RawRow> = PerCpuArray::with_max_entries(2, 0);

/// Initial value of a row, too large for the stack. Never written.
#[map]
pub static NO_ROW: Array<RawRow> = Array::with_max_entries(1, 0);

/// Phases of attempts, by the slots of `folded`.
#[map]
pub static FOLDED_PHASES: PerCpuArray<RawHistogram> = PerCpuArray::with_max_entries(folded::PHASES, 0);

/// One number, odd while the port probes are attached. Written by user space.
#[map]
pub static PROBE_EPOCH: Array<u64> = Array::with_max_entries(1, 0);

/// What this CPU is doing with a minisocket. All of it happens with softirqs off, so one slot per CPU suffices.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct TimeWaitContext {
    /// The socket for which a minisocket is being created.
    pub allocating: u64,
    /// The minisocket for which `tcp_timewait_state_process` handles a segment.
    pub processing: u64,
    /// The minisocket that `tcp_timewait_state_process` decided about: `verdict`.
    pub decided: u64,
    /// `time_wait::event::SYN` or `RESET`.
    pub verdict: u32,
    /// Substate before `tcp_timewait_state_process`.
    pub substate: u32,
}

/// One [`TimeWaitContext`] per CPU.
#[map]
pub static TIME_WAIT_CONTEXT: PerCpuArray<TimeWaitContext> = PerCpuArray::with_max_entries(1, 0);

/// Inode number of a network namespace -> totals. User space takes out idle ones while the map fills; what does not fit
/// is counted in `SIGNAL_MAP_FULL`.
#[map]
pub static TIME_WAIT_TOTALS: HashMap<u32, RawTimeWaitTotals> = HashMap::with_max_entries(1_024, 0);

/// Socket address, later minisocket address -> process that closed first. LRU because a socket that was closed need not
/// reach TIME_WAIT; an evicted owner is reported as unknown. Sized by the agent.
#[map]
pub static CLOSERS: LruHashMap<u64, Closer> = LruHashMap::with_max_entries(1, 0);

/// What this CPU is doing with a SYN. All of it happens with softirqs off, so one slot per CPU suffices.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ListenContext {
    /// The listener that received the SYN.
    pub key: RawListenerKey,
    /// Its socket; 0: no SYN is in progress, or none that is traced.
    pub sk: u64,
    /// The SYN, a `struct sk_buff *`.
    pub skb: u64,
    /// The `struct sock *` that inet_csk_complete_hashdance puts into an accept queue, and that is counted already.
    pub queued: u64,
    /// Start of the lookup of a listener; 0: none is in progress.
    pub looking_since_ns: u64,
    /// The queues before the decision.
    pub queues: Queues,
    /// `sk_drops` before the decision.
    pub drops: u32,
    /// Cause of a drop, if there is one: `listen::cause`.
    pub cause: u32,
    /// 1: the SYN was answered with a cookie.
    pub answered_by_cookie: u32,
}

/// One [`ListenContext`] per CPU.
#[map]
pub static LISTEN_CONTEXT: PerCpuArray<ListenContext> = PerCpuArray::with_max_entries(1, 0);

/// Listeners with SYNs. User space takes out idle ones while the map fills; what does not fit is counted in
/// `SIGNAL_MAP_FULL`. Sized by the agent.
#[map]
pub static LISTENERS: HashMap<RawListenerKey, RawListener> = HashMap::with_max_entries(16_384, 0);

/// Process and namespace -> its binds. User space takes out those of processes that have ended while it fills; what does not fit
/// is counted in `SIGNAL_MAP_FULL`. Sized by the agent.
#[map]
pub static BIND_TOTALS: HashMap<RawBinder, RawBindTotals> = HashMap::with_max_entries(1, 0);

/// Call site -> binds from there. User space takes out those of processes that have ended while it fills; binds without
/// room for a call site are in the totals of their process. Sized by the agent.
#[map]
pub static BIND_SITES: HashMap<RawBindSite, u64> = HashMap::with_max_entries(1, 0);

/// Time that binds took, by the slots of `bind`.
#[map]
pub static BIND_TIMES: PerCpuArray<RawHistogram> = PerCpuArray::with_max_entries(bind::TIMES, 0);

/// Socket address -> process that bound it. Deleted when it connects or listens; LRU because it need not. After an
/// eviction it is unknown that the socket was bound before it connected. Sized by the agent.
#[map]
pub static BOUND: LruHashMap<u64, Bound> = LruHashMap::with_max_entries(1, 0);

/// Totals of minisockets by owner. User space takes out those of processes that have ended while it fills; what does not
/// fit is counted in `SIGNAL_MAP_FULL`. Sized by the agent.
#[map]
pub static TIME_WAIT_OWNERS: HashMap<RawPeer, RawTimeWaitOwner> = HashMap::with_max_entries(1, 0);

/// A socket whose states are followed.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Followed {
    /// Time at which it entered its state; 0: unknown, or not counted.
    pub since_ns: u64,
    /// cgroup v2 id of the owner.
    pub cgroup_id: u64,
    /// Owner and peer.
    pub peer: RawPeer,
    /// TCP state.
    pub state: u8,
    /// Bits that the state signal has set.
    pub seen: u8,
    /// Explicit padding.
    pub pad: [u8; 6],
    /// Name of the owner's thread.
    pub comm: [u8; COMM_LEN],
}

/// Socket address -> its followed state. Deleted when it enters CLOSE. LRU because an idle connection may be evicted
/// for a new one: its next change is then the first one traced. Sized by the agent.
#[map]
pub static STATE_SOCKETS: LruHashMap<u64, Followed> = LruHashMap::with_max_entries(1, 0);

/// Totals of states by owner and peer. User space takes out those of processes that have ended while it fills; what does
/// not fit is counted in `SIGNAL_MAP_FULL`. Sized by the agent.
#[map]
pub static STATE_TOTALS: HashMap<RawPeer, RawStateTotals> = HashMap::with_max_entries(1, 0);

/// Initial value of a key in `STATE_TOTALS`, too large for the stack. Never written.
#[map]
pub static NO_STATES: Array<RawStateTotals> = Array::with_max_entries(1, 0);

/// A close() that SO_LINGER may block.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Lingering {
    /// Time of the entry of tcp_close.
    pub start_ns: u64,
    /// The socket's followed state.
    pub socket: Followed,
}

/// Thread -> its close(). Deleted when that returns; LRU for those whose return was missed.
#[map]
pub static STATE_LINGERING: LruHashMap<u32, Lingering> = LruHashMap::with_max_entries(1_024, 0);
