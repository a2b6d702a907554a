// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sample sockets for tests.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    Inventory, Space,
    namespaces::Namespace,
    netstat::NetStat,
    socket::{Socket, State, Timer},
};
use crate::kernel::rules::Sysctls;

/// A socket from 10.0.0.1 to 10.0.0.2:3306, in network namespace 1.
pub(crate) fn socket(state: State, sport: u16) -> Socket {
    let timer = if state == State::TimeWait { Timer::TimeWait } else { Timer::Off };
    let remote = !matches!(state, State::Listen | State::Bound);
    Socket {
        netns: 1,
        state,
        timer,
        saddr: Ipv4Addr::new(10, 0, 0, 1).into(),
        sport,
        daddr: if remote { Ipv4Addr::new(10, 0, 0, 2).into() } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) },
        dport: if remote { 3306 } else { 0 },
        device: None,
        inode: None,
        uid: 0,
        cgroup: None,
        cookie: 0,
        recv_queue: 0,
        send_queue: 0,
        expires_ms: (timer == Timer::TimeWait).then_some(30_000),
    }
}

/// An inventory of one namespace, number 1, on a kernel that lists bound sockets.
pub(crate) fn inventory(sysctls: Sysctls, sockets: Vec<Socket>) -> Inventory {
    let space = Space {
        namespace: Namespace::sample(1),
        sysctls,
        counters: NetStat::default(),
        conntrack: None,
        sockets,
        beyond: 0,
        marks: None,
    };
    Inventory { spaces: vec![space], lists_bound: Some(true), ..Inventory::default() }
}
