// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who is running: only to be asked in the context of the process that is meant, never in softirq.

use aya_ebpf::helpers::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid, generated,
};
use tcp_trace_common::{COMM_LEN, connect::RawConnect};

/// Thread id of the current task.
#[inline(always)]
pub fn tid() -> u32 {
    bpf_get_current_pid_tgid() as u32
}

/// Thread group of the current task.
#[inline(always)]
pub fn tgid() -> u32 {
    (bpf_get_current_pid_tgid() >> 32) as u32
}

/// Name of the current task.
#[inline(always)]
pub fn comm() -> [u8; COMM_LEN] {
    bpf_get_current_comm().unwrap_or([0; COMM_LEN])
}

/// Writes the current task into an attempt.
#[inline(always)]
pub fn stamp(attempt: &mut RawConnect) {
    let pid_tgid = bpf_get_current_pid_tgid();
    attempt.tgid = (pid_tgid >> 32) as u32;
    attempt.tid = pid_tgid as u32;
    attempt.uid = bpf_get_current_uid_gid() as u32;
    // SAFETY: the helper has no precondition.
    attempt.cgroup_id = unsafe { bpf_get_current_cgroup_id() };
    // SAFETY: the helper writes as many bytes as there are, and ends the name with zeros.
    unsafe { generated::bpf_get_current_comm(attempt.comm.as_mut_ptr().cast(), COMM_LEN as u32) };
}
