// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who talks to whom, as the first fields of a row.

use crate::{
    findings::Evidence,
    model::peer::{Peer, Who},
};

/// Process, and destination or service.
pub(super) fn fields(peer: &Peer, who: &Who) -> Vec<(&'static str, Evidence)> {
    let text = |text: Option<String>| text.map_or(Evidence::Unknown, Evidence::Text);
    vec![
        ("pid", Evidence::number(peer.pid.map(u64::from))),
        ("comm", text(who.comm.map(|comm| (*comm).to_owned()))),
        ("cgroup", text(who.cgroup.as_ref().map(ToString::to_string))),
        ("netns", Evidence::Number(peer.netns.into())),
        ("side", Evidence::Text(peer.side.name().to_owned())),
        ("address", Evidence::Text(peer.address.to_string())),
        ("port", Evidence::Number(peer.port.into())),
    ]
}
