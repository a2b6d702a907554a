// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decides whether an attempt is traced. Checked once, when it begins: what is rejected here costs nothing later.

use tcp_trace_common::{COMM_LEN, config::filter, connect::RawConnect};

use crate::{detail::Detail, globals::config};

#[inline(always)]
fn on(bit: u32) -> bool {
    config!(filters) & bit != 0
}

/// Whether a filter needs the destination.
#[inline(always)]
pub fn needs_destination() -> bool {
    on(filter::FAMILY) || on(filter::DPORT) || on(filter::DADDR)
}

/// What filters check for every signal.
pub struct Subject<'a> {
    pub cgroup_id: u64,
    pub tgid: u32,
    pub uid: u32,
    pub netns: u32,
    pub family: u16,
    pub comm: &'a [u8; COMM_LEN],
}

/// Whether it passes the filters that need nothing else.
#[inline(always)]
pub fn wants(subject: &Subject<'_>) -> bool {
    if subject.tgid == config!(agent_tgid) {
        return Detail::now().follows_agent();
    }
    if (on(filter::TGID) && subject.tgid != config!(tgid))
        || (on(filter::UID) && subject.uid != config!(uid))
        || (on(filter::CGROUP) && subject.cgroup_id != config!(cgroup_id))
        || (on(filter::NETNS) && subject.netns != config!(netns))
        || (on(filter::FAMILY) && subject.family != config!(family))
    {
        return false;
    }
    !on(filter::COMM) || (half(subject.comm, 0) == half_comm(0) && half(subject.comm, 1) == half_comm(1))
}

/// Whether the attempt passes all filters.
#[inline(always)]
pub fn wanted(attempt: &RawConnect) -> bool {
    let RawConnect { cgroup_id, tgid, uid, netns, family, ref comm, .. } = *attempt;
    wants(&Subject { cgroup_id, tgid, uid, netns, family, comm })
        && (tgid == config!(agent_tgid) || wants_destination(attempt))
}

#[inline(always)]
fn wants_destination(attempt: &RawConnect) -> bool {
    if on(filter::DPORT) && attempt.dport != config!(dport) {
        return false;
    }
    !on(filter::DADDR)
        || (attempt.daddr.0[0] & config!(daddr_mask[0]) == config!(daddr[0])
            && attempt.daddr.0[1] & config!(daddr_mask[1]) == config!(daddr[1]))
}

#[inline(always)]
fn half(bytes: &[u8; 16], index: usize) -> u64 {
    // SAFETY: two words of eight bytes in sixteen; unaligned reads are allowed.
    unsafe { bytes.as_ptr().cast::<u64>().add(index).read_unaligned() }
}

#[inline(always)]
fn half_comm(index: usize) -> u64 {
    // SAFETY: two words of eight bytes in sixteen; unaligned reads are allowed; volatile because user space sets the
    // contents.
    unsafe { core::ptr::read_volatile((&raw const crate::globals::CONFIG.comm).cast::<u64>().add(index)) }
}
