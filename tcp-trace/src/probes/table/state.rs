// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs of the state signal.

use super::{
    Alternative, Kind, Need, Program, Row, Signal, optional,
    set_state::{SET_STATE_FENTRY, SET_STATE_KPROBE, SET_STATE_TRACEPOINT},
    variant,
};
use crate::probes::tier::Tier;

const NO_OWNER: &str = "accepted connections have no owner until they are closed";
const NO_LINGERING: &str = "close() calls that SO_LINGER blocks are not seen";

/// Tiers of the state signal.
pub(super) const ROW: Row = Row {
    signal: Signal::State,
    alternatives: &[
        Alternative {
            tier: Tier::Fentry,
            programs: &[
                Program { need: Need::Optional(NO_OWNER), ..variant("state_accept_2_fentry", "inet_csk_accept", 2) },
                Program { need: Need::Optional(NO_OWNER), ..variant("state_accept_4_fentry", "inet_csk_accept", 4) },
                optional("state_lingered_fentry", "tcp_close", Kind::Fexit, NO_LINGERING),
                optional("state_closing_fentry", "tcp_close", Kind::Fentry, NO_LINGERING),
                SET_STATE_FENTRY,
            ],
            limitations: "",
        },
        Alternative {
            tier: Tier::Kprobe,
            programs: &[
                optional("state_accept_kprobe", "inet_csk_accept", Kind::Kretprobe, NO_OWNER),
                optional("state_lingered_kprobe", "tcp_close", Kind::Kretprobe, NO_LINGERING),
                optional("state_closing_kprobe", "tcp_close", Kind::Kprobe, NO_LINGERING),
                SET_STATE_KPROBE,
            ],
            limitations: "the owner of an accepted connection may be missed while many threads wait in accept()",
        },
        Alternative {
            tier: Tier::Tracepoint,
            programs: &[SET_STATE_TRACEPOINT],
            limitations: "accepted connections have no owner until they are closed; close() calls that SO_LINGER blocks are not seen",
        },
    ],
};
