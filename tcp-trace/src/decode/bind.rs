// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decodes the raw event of one `bind()`.

use tcp_trace_common::bind::{RawBind, flag};

use super::Decoder;
use crate::{
    event::{Bind, Caller, Cgroup, Comm},
    model::address::address,
};

impl Decoder {
    pub(super) fn bind(&self, raw: &RawBind) -> Bind {
        let port = |port: u16| (port != 0).then_some(port);
        Bind {
            time: self.clock.wall(raw.header.ktime_ns),
            caller: Caller {
                pid: raw.tgid,
                tid: raw.tid,
                comm: Comm::from_kernel(&raw.comm),
                uid: raw.uid,
                cgroup: Cgroup::from_kernel(raw.cgroup_id),
            },
            netns: raw.netns,
            saddr: address(raw.saddr.octets(), raw.family),
            port_asked: port(raw.port_asked),
            port: port(raw.port_given).filter(|_| raw.ret == 0),
            errno: (raw.ret < 0).then_some(-raw.ret),
            took_ns: raw.took_ns,
            reuse_addr: raw.flags & flag::REUSE_ADDR != 0,
            reuse_port: raw.flags & flag::REUSE_PORT != 0,
            range: (raw.range_high != 0).then_some((raw.range_low, raw.range_high)),
            frames: raw.frames,
            call_site: None,
        }
    }
}
