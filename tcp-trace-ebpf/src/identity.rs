// SPDX-License-Identifier: MIT OR Apache-2.0
//! Identity of the current task: valid only in the context of the process in question, never in softirq.

use aya_ebpf::helpers::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_task,
    bpf_get_current_task_btf, bpf_get_current_uid_gid, bpf_get_smp_processor_id, generated,
};
use tcp_trace_common::{COMM_LEN, bind::RawBind, config::filter, connect::RawConnect, offsets::ABSENT};

use crate::{
    globals::{config, offset},
    memory::{Memory as _, Pointer, Typed, Untyped},
};

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

/// cgroup v2 of the current task.
#[inline(always)]
pub fn cgroup_id() -> u64 {
    // SAFETY: the helper has no precondition.
    unsafe { bpf_get_current_cgroup_id() }
}

/// Writes the current task and its CPU into an attempt.
#[inline(always)]
pub fn stamp(attempt: &mut RawConnect) {
    let pid_tgid = bpf_get_current_pid_tgid();
    attempt.tgid = (pid_tgid >> 32) as u32;
    attempt.tid = pid_tgid as u32;
    attempt.cgroup_id = cgroup_id();
    attempt.process_start_ns = process_start_ns();
    // SAFETY: the helper has no precondition.
    attempt.set_cpu(unsafe { bpf_get_smp_processor_id() });
    // A filter compares whole names, and old kernels leave remains of the last one behind the NUL.
    if offset!(task_comm) != ABSENT && config!(filters) & filter::COMM == 0 {
        name_and_user_by_type(attempt);
    } else {
        attempt.uid = bpf_get_current_uid_gid() as u32;
        // SAFETY: the helper writes as many bytes as there are, and ends the name with zeros.
        unsafe { generated::bpf_get_current_comm(attempt.comm.as_mut_ptr().cast(), COMM_LEN as u32) };
    }
}

/// Start of the current task's process on the boot-time clock in ns; 0: unknown.
#[inline(always)]
pub fn process_start_ns() -> u64 {
    #[inline(always)]
    fn of(task: impl Pointer) -> Option<u64> {
        task.follow(offset!(task_group_leader))?.read(offset!(task_start_boottime))
    }
    let start_ns = if offset!(task_comm) != ABSENT {
        // SAFETY: the helper has no precondition.
        of(Typed(unsafe { bpf_get_current_task_btf() } as u64))
    } else {
        // SAFETY: the helper has no precondition.
        of(Untyped(unsafe { bpf_get_current_task() }))
    };
    start_ns.unwrap_or(0)
}

/// Writes the current task into a `bind()`.
#[inline(always)]
pub fn stamp_bind(bind: &mut RawBind) {
    let pid_tgid = bpf_get_current_pid_tgid();
    bind.tgid = (pid_tgid >> 32) as u32;
    bind.tid = pid_tgid as u32;
    bind.uid = bpf_get_current_uid_gid() as u32;
    // SAFETY: the helper has no precondition.
    bind.cgroup_id = unsafe { bpf_get_current_cgroup_id() };
    // SAFETY: the helper writes as many bytes as there are, and ends the name with zeros.
    unsafe { generated::bpf_get_current_comm(bind.comm.as_mut_ptr().cast(), COMM_LEN as u32) };
}

/// Writes name and user with plain loads: the two helpers cost more than everything else here.
#[inline(always)]
fn name_and_user_by_type(attempt: &mut RawConnect) {
    // SAFETY: the helper has no precondition.
    let task = Typed(unsafe { bpf_get_current_task_btf() } as u64);
    let comm = attempt.comm.as_mut_ptr().cast::<u64>();
    for word in 0..2 {
        let half = task.read::<u64>(offset!(task_comm) + 8 * word).unwrap_or(0);
        // SAFETY: two words in sixteen bytes that begin at a word; volatile, so that they stay words.
        unsafe { comm.add(word as usize).write_volatile(half) };
    }
    attempt.uid = task.follow(offset!(task_cred)).and_then(|cred| cred.read(offset!(cred_uid))).unwrap_or(0);
}
