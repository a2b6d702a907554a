// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sockets of an inventory as rows.

use tcp_trace_common::bind::RawMark;

use super::{cells, words};
use crate::inventory::{
    owners::Owner,
    socket::{Socket, State, Timer},
};

cells!(Socket {
    "netns" = netns,
    "state" = state,
    "timer" = timer,
    "saddr" = saddr,
    "sport" = sport,
    "daddr" = daddr,
    "dport" = dport,
    "device" = device,
    "inode" = inode,
    "uid" = uid,
    "cgroup" = cgroup,
    "cookie" = cookie,
    "recv_queue" = recv_queue,
    "send_queue" = send_queue,
    "expires_ms" = expires_ms,
});
cells!(Owner { "pid" = pid, "comm" = comm, "cgroup" = cgroup });
cells!(RawMark {
    "port" = port,
    "fastreuse" = fastreuse,
    "fastreuseport" = fastreuseport,
    "state" = state,
    "userlocks" = userlocks,
} pad pad = 0);

words!(State {
    "established" = State::Established,
    "syn_sent" = State::SynSent,
    "syn_recv" = State::SynRecv,
    "fin_wait1" = State::FinWait1,
    "fin_wait2" = State::FinWait2,
    "time_wait" = State::TimeWait,
    "bound" = State::Bound,
    "close_wait" = State::CloseWait,
    "last_ack" = State::LastAck,
    "listen" = State::Listen,
    "closing" = State::Closing,
});
words!(Timer {
    "off" = Timer::Off,
    "retransmit" = Timer::Retransmit,
    "keepalive" = Timer::Keepalive,
    "time_wait" = Timer::TimeWait,
    "zero_window" = Timer::ZeroWindow,
    "other" = Timer::Other,
});
