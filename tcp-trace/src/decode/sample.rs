// SPDX-License-Identifier: MIT OR Apache-2.0
//! An attempt for tests to fill in: what they do not care about need not be named there.

use jiff::Timestamp;
use tcp_trace_common::{
    connect::{RawConnect, ended},
    family,
    port_search::Walk,
};

use super::Decoder;
use crate::{clock::Anchor, event::Connect};

/// An attempt of which the kernel side saw nothing but that it was made.
pub(crate) fn unseen() -> Connect {
    let walk = Walk { socket_range_steps_by_one: false, perturb_table: true, seen: true };
    let raw = RawConnect { family: family::INET, ended_by: ended::NOT, ..RawConnect::default() };
    Decoder::new(walk, Anchor::at(0, Timestamp::UNIX_EPOCH)).connect(&raw)
}
