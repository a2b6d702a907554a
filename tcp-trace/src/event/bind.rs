// SPDX-License-Identifier: MIT OR Apache-2.0
//! One `bind()`.

use std::net::IpAddr;

use jiff::Timestamp;
use tcp_trace_common::bind::FRAMES;

use super::{Caller, fields::structure};
use crate::outside::Text;

/// The fields of a `bind` event: `fields.rs` says how to read this list.
macro_rules! bind_fields {
    ($consumer:ident) => {
        $consumer! {
            /// One `bind()` of a TCP socket that needed a port: of its own choice, or of the kernel's.
            Bind "bind" {
                /// When the call ended.
                "time" time: Timestamp;
                /// Who called `bind()`.
                "" caller: Caller => recorded;
                /// Process id (thread group) of the caller.
                "pid" => [.caller.pid];
                /// Thread id of the caller.
                "tid" => [.caller.tid];
                /// Name of the calling thread.
                "comm" => [.caller.comm];
                /// User id of the caller.
                "uid" => [.caller.uid];
                /// cgroup v2 of the caller: its path, or `cgroup:` and its id where the path is not known. Null without a
                /// cgroup.
                "cgroup" => [.caller.cgroup];
                /// Inode number of the socket's network namespace.
                "netns" netns: u32;
                /// Address family of the socket: `ipv4` or `ipv6`.
                "family" => [.saddr.family()];
                /// Local address; all zeros: any.
                "saddr" saddr: IpAddr;
                /// Port that the caller asked for. Null: any.
                "port_asked" port_asked: Option<u16>;
                /// Port that the socket got. Null if the call failed.
                "port" port: Option<u16>;
                /// Positive errno. Null if the call succeeded.
                "errno" errno: Option<i32>;
                /// Time in the port search (on the tracepoint tier: in the whole call), in nanoseconds.
                "took_ns" took_ns: u64;
                /// Whether SO_REUSEADDR was set.
                "reuse_addr" reuse_addr: bool;
                /// Whether SO_REUSEPORT was set.
                "reuse_port" reuse_port: bool;
                /// Port range that the kernel chooses from, both ends included. Null if it is not known.
                "range" range: Option<(u16, u16)> => recorded;
                /// Low end of the port range that the kernel chooses from. Null if it is not known.
                "range_low" => [.range.map(|(low, _)| low)];
                /// High end of the port range that the kernel chooses from, included. Null if it is not known.
                "range_high" => [.range.map(|(_, high)| high)];
                /// Return addresses on the user stack, the innermost first; 0 where there is none.
                "frames" frames: [u64; FRAMES] => recorded;
                /// Return addresses of the caller in words: `libc.so.6+0x11b2c7 < envoy+0x3f2a10`. Null if the process is gone, or its maps
                /// cannot be read.
                "call_site" call_site: Option<Text>;
            }
        }
    };
}
pub(crate) use bind_fields;

bind_fields!(structure);
