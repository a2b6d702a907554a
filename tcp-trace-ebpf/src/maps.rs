// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every map: what it holds, how many at most, who deletes.

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

/// What was made, lost, missed: see `counters`. Per CPU, and still counted atomically: softirqs come in between.
#[map]
pub static COUNTERS: PerCpuArray<[u64; counters::COUNT]> = PerCpuArray::with_max_entries(1, 0);

/// Attempts under way, at the places of their sockets in `ATTEMPT_SETS`. A place is given up when the attempt ends, at the
/// latest when the socket is destroyed. Both are sized by the agent.
#[map]
pub static ATTEMPTS: Array<RawConnect> = Array::with_max_entries(16_384, 0);

/// Whose attempt is where: see `attempts`.
#[map]
pub static ATTEMPT_SETS: Array<AttemptSet> = Array::with_max_entries(2_048, 0);

/// A `connect()` or `bind()` call under way.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Call {
    /// Entry of the system call.
    pub start_ns: u64,
    /// The socket; 0 = not known yet.
    pub sk: u64,
    /// Its destination, a `struct sockaddr *`; of `bind()` the port asked for.
    pub address: u64,
    /// Its descriptor, where the socket is not known yet.
    pub descriptor: u32,
    /// SYN_SENT was entered during the call.
    pub syn_sent: u32,
    /// Whose; 0 = nobody's.
    pub tid: u32,
    /// 1 = it is a `bind()`: an older call of its thread must not be taken for one.
    pub binds: u32,
}

/// Calls under way, by thread: see `calls`.
#[map]
pub static CALLS: Array<Call> = Array::with_max_entries(calls::PLACES, 0);

/// The socket that a thread last began to connect, by the last bits of its number. Never deleted: that its attempt is
/// under way, and this thread's, is looked up.
#[map]
pub static CONNECTING: Array<u64> = Array::with_max_entries(calls::PLACES, 0);

/// Written by user space: see `detail`.
#[map]
pub static DETAIL: Array<RawDetail> = Array::with_max_entries(1, 0);

/// Which signals look at changes of state, and on which tier: see `tcp_trace_common::set_state`. Written by user space.
#[map]
pub static SET_STATE: Array<u64> = Array::with_max_entries(1, 0);

/// How many exemplars were sent: see `exemplar`.
#[map]
pub static EXEMPLARS: PerCpuArray<Exemplars> = PerCpuArray::with_max_entries(1, 0);

/// Attempts by who and where, the one generation: see `rows`. User space deletes them while the other is added to. Both
/// are sized by the agent.
#[map]
pub static CONNECT_ROWS_0: HashMap<RawRowKey, RawRow> = HashMap::with_max_entries(1, 0);

/// The other generation.
#[map]
pub static CONNECT_ROWS_1: HashMap<RawRowKey, RawRow> = HashMap::with_max_entries(1, 0);

/// By generation: 1 once a row found no room. User space sets it back when it has made some.
#[map]
pub static CONNECT_ROWS_FULL: Array<u64> = Array::with_max_entries(2, 0);

/// By generation: attempts whose row found no room, since the start.
#[map]
pub static CONNECT_OTHER: PerCpuArray<RawRow> = PerCpuArray::with_max_entries(2, 0);

/// What a new row begins with: too large for the stack. Never written.
#[map]
pub static NO_ROW: Array<RawRow> = Array::with_max_entries(1, 0);

/// Phases of attempts, by the slots of `folded`.
#[map]
pub static FOLDED_PHASES: PerCpuArray<RawHistogram> = PerCpuArray::with_max_entries(folded::PHASES, 0);

/// One number, odd while the port probes are attached. Written by user space.
#[map]
pub static PROBE_EPOCH: Array<u64> = Array::with_max_entries(1, 0);

/// What this CPU is doing to a minisocket. All of it happens with softirqs off, so one slot a CPU is enough.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct TimeWaitContext {
    /// The socket that one is being made of.
    pub allocating: u64,
    /// `tcp_timewait_state_process` handles a segment for it.
    pub processing: u64,
    /// `tcp_timewait_state_process` decided about it: `verdict`.
    pub decided: u64,
    /// `time_wait::event::SYN` or `RESET`.
    pub verdict: u32,
    /// Substate before `tcp_timewait_state_process`.
    pub substate: u32,
}

/// See [`TimeWaitContext`].
#[map]
pub static TIME_WAIT_CONTEXT: PerCpuArray<TimeWaitContext> = PerCpuArray::with_max_entries(1, 0);

/// Inode of a network namespace -> totals. User space takes out those at rest while it fills; what does not fit is counted in
/// `SIGNAL_MAP_FULL`.
#[map]
pub static TIME_WAIT_TOTALS: HashMap<u32, RawTimeWaitTotals> = HashMap::with_max_entries(1_024, 0);

/// Socket address, later minisocket address -> who closed first. LRU because a socket that was closed need not reach
/// TIME_WAIT; an owner that was evicted is reported as unknown. Sized by the agent.
#[map]
pub static CLOSERS: LruHashMap<u64, Closer> = LruHashMap::with_max_entries(1, 0);

/// What this CPU is doing with a SYN. All of it happens with softirqs off, so one slot a CPU is enough.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct ListenContext {
    /// The listener that the SYN came to.
    pub key: RawListenerKey,
    /// Its socket; 0: no SYN is under way, or none that is of interest.
    pub sk: u64,
    /// The SYN, a `struct sk_buff *`.
    pub skb: u64,
    /// The `struct sock *` that inet_csk_complete_hashdance puts into an accept queue, and that is counted already.
    pub queued: u64,
    /// Since when a listener is looked for; 0: none is.
    pub looking_since_ns: u64,
    /// The queues as they were found.
    pub queues: Queues,
    /// `sk_drops` before.
    pub drops: u32,
    /// Why it is dropped, if it is: `listen::cause`.
    pub cause: u32,
    /// 1: a SYN cookie was made for it.
    pub answered_by_cookie: u32,
}

/// See [`ListenContext`].
#[map]
pub static LISTEN_CONTEXT: PerCpuArray<ListenContext> = PerCpuArray::with_max_entries(1, 0);

/// Listeners that anything happened to. User space takes out those at rest while it fills; what does not fit is counted in
/// `SIGNAL_MAP_FULL`. Sized by the agent.
#[map]
pub static LISTENERS: HashMap<RawListenerKey, RawListener> = HashMap::with_max_entries(16_384, 0);

/// Process and namespace -> its binds. User space takes out those of processes that have ended while it fills; what does not fit
/// is counted in `SIGNAL_MAP_FULL`. Sized by the agent.
#[map]
pub static BIND_TOTALS: HashMap<RawBinder, RawBindTotals> = HashMap::with_max_entries(1, 0);

/// Place in a program -> binds from there, as above; those that do not fit are in the totals of their process. Sized by the
/// agent.
#[map]
pub static BIND_SITES: HashMap<RawBindSite, u64> = HashMap::with_max_entries(1, 0);

/// Time that binds took, by the slots of `bind`.
#[map]
pub static BIND_TIMES: PerCpuArray<RawHistogram> = PerCpuArray::with_max_entries(bind::TIMES, 0);

/// Socket address -> who bound it. Deleted when it connects or listens; LRU because it need not. Of one that was evicted
/// it is not known that it was bound before it connected. Sized by the agent.
#[map]
pub static BOUND: LruHashMap<u64, Bound> = LruHashMap::with_max_entries(1, 0);

/// Totals of minisockets by owner, as above. Sized by the agent.
#[map]
pub static TIME_WAIT_OWNERS: HashMap<RawPeer, RawTimeWaitOwner> = HashMap::with_max_entries(1, 0);

/// A socket whose states are followed.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Followed {
    /// When it entered its state; 0 = not known, or not counted.
    pub since_ns: u64,
    /// cgroup of the owner.
    pub cgroup_id: u64,
    /// Whose it is, and to whom.
    pub peer: RawPeer,
    /// Its state.
    pub state: u8,
    /// What was seen of it: bits of the signal's own.
    pub seen: u8,
    /// Explicit padding.
    pub pad: [u8; 6],
    /// Name of the owner's thread.
    pub comm: [u8; COMM_LEN],
}

/// Socket address -> what is known of it. Deleted when it enters CLOSE. LRU because an idle connection may be evicted
/// for a new one: its next change is then the first that is seen. Sized by the agent.
#[map]
pub static STATE_SOCKETS: LruHashMap<u64, Followed> = LruHashMap::with_max_entries(1, 0);

/// Totals of states, as above. Sized by the agent.
#[map]
pub static STATE_TOTALS: HashMap<RawPeer, RawStateTotals> = HashMap::with_max_entries(1, 0);

/// What a new key of `STATE_TOTALS` begins with: too large for the stack. Never written.
#[map]
pub static NO_STATES: Array<RawStateTotals> = Array::with_max_entries(1, 0);

/// A close() that SO_LINGER lets wait.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Lingering {
    /// Entry of tcp_close.
    pub start_ns: u64,
    /// Its socket.
    pub socket: Followed,
}

/// Thread -> its close(). Deleted when that returns; LRU for those whose return was missed.
#[map]
pub static STATE_LINGERING: LruHashMap<u32, Lingering> = LruHashMap::with_max_entries(1_024, 0);
