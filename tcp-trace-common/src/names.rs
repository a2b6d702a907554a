// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of maps and globals that both sides must spell alike.

/// Ring buffer of raw events.
pub const EVENTS: &str = "EVENTS";
/// Per-CPU array of one element: the counters in [`counters`](crate::counters).
pub const COUNTERS: &str = "COUNTERS";
/// Array of attempts under way, as [`RawConnect`](crate::connect::RawConnect).
pub const ATTEMPTS: &str = "ATTEMPTS";
/// Array of [`AttemptSet`](crate::attempts::AttemptSet).
pub const ATTEMPT_SETS: &str = "ATTEMPT_SETS";
/// Hash map: inode of a network namespace -> [`RawTimeWaitTotals`](crate::time_wait::RawTimeWaitTotals).
pub const TIME_WAIT_TOTALS: &str = "TIME_WAIT_TOTALS";
/// Hash map: [`RawListenerKey`](crate::listen::RawListenerKey) -> [`RawListener`](crate::listen::RawListener).
pub const LISTENERS: &str = "LISTENERS";
/// Hash map: [`RawPeer`](crate::peer::RawPeer) -> [`RawStateTotals`](crate::state::RawStateTotals).
pub const STATE_TOTALS: &str = "STATE_TOTALS";
/// LRU hash map of the sockets whose states are followed.
pub const STATE_SOCKETS: &str = "STATE_SOCKETS";
/// Hash map: [`RawPeer`](crate::peer::RawPeer) -> [`RawTimeWaitOwner`](crate::time_wait::RawTimeWaitOwner).
pub const TIME_WAIT_OWNERS: &str = "TIME_WAIT_OWNERS";
/// LRU hash map of who closes first, until the minisocket is gone.
pub const CLOSERS: &str = "CLOSERS";
/// Array of one u64: odd while the port probes are attached.
pub const PROBE_EPOCH: &str = "PROBE_EPOCH";
/// Array of one [`RawDetail`](crate::detail::RawDetail).
pub const DETAIL: &str = "DETAIL";
/// Array of one u64: see [`set_state`](crate::set_state).
pub const SET_STATE: &str = "SET_STATE";
/// Hash map: [`RawRowKey`](crate::connect_rows::RawRowKey) -> [`RawRow`](crate::connect_rows::RawRow).
pub const CONNECT_ROWS_0: &str = "CONNECT_ROWS_0";
/// The other generation.
pub const CONNECT_ROWS_1: &str = "CONNECT_ROWS_1";
/// Array of one u64 a generation: not 0 once a row found no room.
pub const CONNECT_ROWS_FULL: &str = "CONNECT_ROWS_FULL";
/// Per-CPU array of one [`RawRow`](crate::connect_rows::RawRow) a generation, never reset.
pub const CONNECT_OTHER: &str = "CONNECT_OTHER";
/// Per-CPU array of [`RawHistogram`](crate::folded::RawHistogram).
pub const FOLDED_PHASES: &str = "FOLDED_PHASES";
/// Hash map: [`RawBinder`](crate::bind::RawBinder) -> [`RawBindTotals`](crate::bind::RawBindTotals).
pub const BIND_TOTALS: &str = "BIND_TOTALS";
/// Hash map: [`RawBindSite`](crate::bind::RawBindSite) -> how many calls.
pub const BIND_SITES: &str = "BIND_SITES";
/// LRU hash map: socket -> [`Bound`](crate::bind::Bound).
pub const BOUND: &str = "BOUND";
/// Per-CPU array of [`RawHistogram`](crate::folded::RawHistogram), by the slots of [`bind`](crate::bind).
pub const BIND_TIMES: &str = "BIND_TIMES";
/// Global of [`Config`](crate::config::Config).
pub const CONFIG: &str = "CONFIG";
/// Global of [`Offsets`](crate::offsets::Offsets).
pub const OFFSETS: &str = "OFFSETS";
