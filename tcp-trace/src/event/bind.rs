// SPDX-License-Identifier: MIT OR Apache-2.0
//! One `bind()`.

use std::net::IpAddr;

use jiff::Timestamp;
use tcp_trace_common::bind::FRAMES;

use super::Caller;
use crate::outside::Text;

/// One `bind()` of a TCP socket that needed a port: of its own choice, or of the kernel's.
#[derive(Clone, Debug, PartialEq)]
pub struct Bind {
    /// When it ended.
    pub time: Timestamp,
    /// Who called.
    pub caller: Caller,
    /// Inode of the socket's network namespace.
    pub netns: u32,
    /// Local address.
    pub saddr: IpAddr,
    /// Port asked for; `None`: any.
    pub port_asked: Option<u16>,
    /// Port that it got.
    pub port: Option<u16>,
    /// Positive errno, if it failed.
    pub errno: Option<i32>,
    /// Time in the port search; on the tracepoint tier in the whole call.
    pub took_ns: u64,
    /// SO_REUSEADDR was set.
    pub reuse_addr: bool,
    /// SO_REUSEPORT was set.
    pub reuse_port: bool,
    /// The range that the kernel chooses from, both ends included.
    pub range: Option<(u16, u16)>,
    /// User addresses, the innermost first, 0 where there is none.
    pub frames: [u64; FRAMES],
    /// The same in words: `libc.so.6+0x11b2c7 < envoy+0x3f2a10`. `None`: the process is gone, or not ours to look at.
    pub call_site: Option<Text>,
}
