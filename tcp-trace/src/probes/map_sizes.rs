// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sizes of the maps that only some commands need: one entry if the command does not.

use tcp_trace_common::{
    config::{Config, stream},
    names,
};

use super::{plan::Plan, table::Signal};

/// Entries of connect rows in each of two generations, about 1.2 KiB each. A destination that all CPUs connect to takes
/// one entry per shard.
const CONNECT_ROWS: u32 = 4_096;
/// Entries of state totals by owner and peer, about 1 KiB each for all states.
const STATE_TOTALS: u32 = 2_048;
/// Sockets whose states are followed, about 150 bytes each.
const STATE_SOCKETS: u32 = 32_768;
/// Owners of TIME_WAIT by destination, about 200 bytes each.
const TIME_WAIT_OWNERS: u32 = 4_096;
/// Closers and minisockets, about 100 bytes each. 500 closes a second leave 30,000 minisockets.
const CLOSERS: u32 = 65_536;

/// Binding processes by network namespace, and call sites, about 200 bytes each.
const BINDERS: u32 = 4_096;
/// Sockets that are bound and not connected yet, about 100 bytes each.
const BOUND: u32 = 16_384;

/// Listening sockets with SYNs, about 250 bytes each.
const LISTENERS: u32 = 16_384;

/// Names of maps, and their numbers of entries.
pub(super) fn sizes(plan: &Plan, config: &Config) -> [(&'static str, u32); 10] {
    let connects = !plan.choices(Signal::Connect).is_empty();
    let states = !plan.choices(Signal::State).is_empty();
    let binds = !plan.choices(Signal::Bind).is_empty();
    let listens = !plan.choices(Signal::Listen).is_empty() || !plan.choices(Signal::ListenerLookup).is_empty();
    let owners = config.streams & (stream::TIME_WAIT | stream::TIME_WAIT_OWNERS) != 0;
    let only_if = |wanted, size| if wanted { size } else { 1 };
    [
        (names::CONNECT_ROWS_0, only_if(connects, CONNECT_ROWS)),
        (names::CONNECT_ROWS_1, only_if(connects, CONNECT_ROWS)),
        (names::STATE_TOTALS, only_if(states, STATE_TOTALS)),
        (names::STATE_SOCKETS, only_if(states, STATE_SOCKETS)),
        (names::BIND_TOTALS, only_if(binds, BINDERS)),
        (names::BIND_SITES, only_if(binds, BINDERS)),
        (names::BOUND, only_if(binds, BOUND)),
        (names::LISTENERS, only_if(listens, LISTENERS)),
        (names::TIME_WAIT_OWNERS, only_if(owners, TIME_WAIT_OWNERS)),
        (names::CLOSERS, only_if(owners, CLOSERS)),
    ]
}
