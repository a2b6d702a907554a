// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hooks, and what they count.

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_probe_read_kernel},
    macros::{kprobe, kretprobe, map},
    maps::HashMap,
    programs::{ProbeContext, RetProbeContext},
};

/// One thread's counts since the beginning, and what its last search began with.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Calls {
    /// `__inet_check_established` or its IPv6 twin returned a negative errno.
    pub refused: u64,
    /// `tcp_twsk_unique` returned 0.
    pub time_wait_refused: u64,
    /// `tcp_twsk_unique` returned 1.
    pub time_wait_reused: u64,
    /// Third argument of the last `__inet_hash_connect`.
    pub port_offset: u64,
    /// What `table_perturb` held for it on entry.
    pub perturb: u64,
}

const NOTHING: Calls = Calls { refused: 0, time_wait_refused: 0, time_wait_reused: 0, port_offset: 0, perturb: 0 };

/// Filled by the test before loading: where the kernel keeps the pointer `table_perturb`.
#[unsafe(no_mangle)]
static TABLE_PERTURB: u64 = 0;

/// Thread id -> its counts. Entries are never deleted: a test has a few threads.
#[map]
static CALLS: HashMap<u32, Calls> = HashMap::with_max_entries(4096, 0);

#[inline(always)]
fn calls() -> Option<&'static mut Calls> {
    let tid = bpf_get_current_pid_tgid() as u32;
    if CALLS.get_ptr_mut(tid).is_none() {
        let _ = CALLS.insert(tid, NOTHING, 0);
    }
    // SAFETY: only programs that run in this very thread write to its entry, and none of them nests in another.
    CALLS.get_ptr_mut(tid).map(|calls| unsafe { &mut *calls })
}

/// For both families: of two equal programs LLVM would keep one.
#[kretprobe]
pub fn check_return(ctx: RetProbeContext) -> u32 {
    if ctx.ret::<i32>() < 0
        && let Some(calls) = calls()
    {
        calls.refused += 1;
    }
    0
}

#[kretprobe]
pub fn twsk_unique_return(ctx: RetProbeContext) -> u32 {
    if let Some(calls) = calls() {
        if ctx.ret::<i32>() == 0 {
            calls.time_wait_refused += 1;
        } else {
            calls.time_wait_reused += 1;
        }
    }
    0
}

#[kprobe]
pub fn hash_connect_enter(ctx: ProbeContext) -> u32 {
    let Some(calls) = calls() else { return 0 };
    calls.port_offset = ctx.arg(2).unwrap_or(0);
    calls.perturb = perturb(calls.port_offset).unwrap_or(0);
    0
}

/// 65,536 entries: `CONFIG_INET_TABLE_PERTURB_ORDER` of every kernel that the tests boot.
#[inline(always)]
fn perturb(port_offset: u64) -> Option<u64> {
    // SAFETY: a static of this object; volatile because the loader writes it after the compiler is done.
    let pointer = unsafe { core::ptr::read_volatile(&raw const TABLE_PERTURB) };
    // SAFETY: the helper checks both addresses.
    let table: u64 = unsafe { bpf_probe_read_kernel(pointer as *const u64) }.ok()?;
    let entry = table + 4 * (port_offset & 0xffff);
    // SAFETY: the helper checks both addresses.
    unsafe { bpf_probe_read_kernel(entry as *const u32) }.ok().map(u64::from)
}
