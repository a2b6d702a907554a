// SPDX-License-Identifier: MIT OR Apache-2.0
//! Allowed system calls, by seccomp. This is an allow-list: a deny-list would miss new calls and the second number that
//! x86-64 has for each old call. Calls that are not on it fail as on a kernel that lacks them (ENOSYS), which libraries
//! expect.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Is, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use super::{Needs, Reattach};

/// Calls with conditions on their arguments: one of several sets must hold; no sets allow any arguments.
pub(super) type Allowed = BTreeMap<c_long, Vec<SeccompRule>>;

/// Calls for memory, time, threads, waiting and open descriptors.
const ANYONE: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup2,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_pipe2,
    libc::SYS_eventfd2,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_select,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    // Reading files.
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_access,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlink,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    // Memory; executable memory has conditions of its own.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    // Time and threads.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_time,
    libc::SYS_getrandom,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrlimit,
    libc::SYS_getrusage,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Signals.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // The pair of sockets that wakes the agent on a signal.
    libc::SYS_socketpair,
    libc::SYS_recvfrom,
    libc::SYS_getsockopt,
];

/// Commands of bpf() on existing maps, links and programs.
const BPF_OF_WHAT_IS_THERE: &[u32] = &[
    1, 2, 3, 4,  // BPF_MAP_{LOOKUP,UPDATE,DELETE}_ELEM, BPF_MAP_GET_NEXT_KEY
    15, // BPF_OBJ_GET_INFO_BY_FD
    21, 24, 25, 26, 27, // BPF_MAP_LOOKUP_AND_DELETE_ELEM, and what does the same for many at once
    32, // BPF_ENABLE_STATS
    33, // BPF_ITER_CREATE
];
const BPF_PROG_LOAD: u32 = 5;
const BPF_RAW_TRACEPOINT_OPEN: u32 = 17;
const BPF_LINK_CREATE: u32 = 28;

/// `<linux/perf_event.h>`
const PERF_EVENT_IOC_ENABLE: u32 = 0x2400;
const PERF_EVENT_IOC_DISABLE: u32 = 0x2401;
const PERF_EVENT_IOC_SET_BPF: u32 = 0x4004_2408;
/// `struct termios2`, which newer libraries ask for.
const TCGETS2: u32 = 0x802c_542a;
/// `<linux/prctl.h>`: names of memory.
const PR_SET_VMA: u32 = 0x5356_4d41;

/// Flags that open a file for more than reading. O_TMPFILE is a bit of its own and O_DIRECTORY.
const WRITES: u32 =
    (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32;

/// Calls of threads that trace.
pub(super) fn tracing(needs: &Needs) -> Result<Allowed, Error> {
    let mut allowed = anyone()?;
    when(&mut allowed, libc::SYS_open, [vec![low(1, Is::MaskedEq(WRITES.into()), 0)?]])?;
    when(&mut allowed, libc::SYS_openat, [vec![low(2, Is::MaskedEq(WRITES.into()), 0)?]])?;
    if needs.traces {
        always(&mut allowed, &[libc::SYS_open_by_handle_at]);
        when(&mut allowed, libc::SYS_bpf, each(0, BPF_OF_WHAT_IS_THERE)?)?;
        when(&mut allowed, libc::SYS_ioctl, each(1, &[PERF_EVENT_IOC_DISABLE])?)?;
    }
    match needs.bursts {
        Some(Reattach::Trampoline) => {
            when(&mut allowed, libc::SYS_bpf, each(0, &[BPF_LINK_CREATE, BPF_RAW_TRACEPOINT_OPEN])?)?;
        }
        Some(Reattach::TrampolineOfNewProgram) => {
            let commands = [BPF_LINK_CREATE, BPF_RAW_TRACEPOINT_OPEN, BPF_PROG_LOAD];
            when(&mut allowed, libc::SYS_bpf, each(0, &commands)?)?;
        }
        Some(Reattach::Breakpoint) => {
            always(&mut allowed, &[libc::SYS_perf_event_open]);
            when(&mut allowed, libc::SYS_bpf, each(0, &[BPF_LINK_CREATE])?)?;
            when(&mut allowed, libc::SYS_ioctl, each(1, &[PERF_EVENT_IOC_ENABLE, PERF_EVENT_IOC_SET_BPF])?)?;
        }
        None => {}
    }
    if needs.surveys {
        always(&mut allowed, &[libc::SYS_open_by_handle_at, libc::SYS_kcmp, libc::SYS_bind, libc::SYS_getsockname]);
        when(&mut allowed, libc::SYS_setns, each(1, &[libc::CLONE_NEWNET as u32])?)?;
        let diag = vec![is(0, libc::AF_NETLINK as u32)?, is(2, libc::NETLINK_SOCK_DIAG as u32)?];
        // Binds one socket, to find out whether the kernel lists sockets that are only bound.
        when(&mut allowed, libc::SYS_socket, [diag, vec![is(0, libc::AF_INET as u32)?]])?;
    }
    if needs.stacks {
        // A filter cannot see the flags of openat2, which follows links within another root.
        always(&mut allowed, &[libc::SYS_openat2, libc::SYS_memfd_create]);
    }
    Ok(allowed)
}

/// Calls of threads that open outputs; Landlock decides where.
pub(super) fn outputs() -> Result<Allowed, Error> {
    let mut allowed = anyone()?;
    let calls = [
        libc::SYS_open,
        libc::SYS_openat,
        libc::SYS_rename,
        libc::SYS_renameat,
        libc::SYS_renameat2,
        libc::SYS_linkat,
        libc::SYS_unlink,
        libc::SYS_unlinkat,
        libc::SYS_fchmod,
        libc::SYS_ftruncate,
        libc::SYS_fallocate,
    ];
    always(&mut allowed, &calls);
    Ok(allowed)
}

/// Restricts the calling thread, and threads that it starts later.
pub(super) fn only(allowed: Result<Allowed, Error>) -> Result<(), Error> {
    let (other, listed) = (SeccompAction::Errno(libc::ENOSYS as u32), SeccompAction::Allow);
    let program: BpfProgram = SeccompFilter::new(allowed?, other, listed, TargetArch::x86_64)?.try_into()?;
    apply_filter(&program)
}

fn anyone() -> Result<Allowed, Error> {
    let mut allowed = Allowed::new();
    always(&mut allowed, ANYONE);
    // No executable memory is added.
    let executable = Is::MaskedEq(libc::PROT_EXEC as u64);
    when(&mut allowed, libc::SYS_mmap, [vec![low(2, executable.clone(), 0)?]])?;
    when(&mut allowed, libc::SYS_mprotect, [vec![low(2, executable, 0)?]])?;
    // Threads, but no processes. The filter cannot see the flags of clone3; without it the library uses clone.
    let thread = libc::CLONE_THREAD as u64;
    when(&mut allowed, libc::SYS_clone, [vec![low(0, Is::MaskedEq(thread), thread)?]])?;
    when(&mut allowed, libc::SYS_prctl, each(0, &[libc::PR_SET_NAME as u32, PR_SET_VMA])?)?;
    // Reading the limits of this process.
    when(&mut allowed, libc::SYS_prlimit64, [vec![is(0, 0)?, null(2)?]])?;
    // Signals to this process, to end it.
    when(&mut allowed, libc::SYS_tgkill, each(0, &[std::process::id()])?)?;
    let requests = [libc::TCGETS as u32, TCGETS2, libc::TIOCGWINSZ as u32, libc::FIONBIO as u32, libc::FIOCLEX as u32];
    when(&mut allowed, libc::SYS_ioctl, each(1, &requests)?)?;
    // Sending on connected sockets only: sending elsewhere would connect the socket.
    when(&mut allowed, libc::SYS_sendto, [vec![null(4)?]])?;
    Ok(allowed)
}

fn always(allowed: &mut Allowed, calls: &[c_long]) {
    allowed.extend(calls.iter().map(|call| (*call, Vec::new())));
}

/// Adds sets of conditions to those that a call has.
fn when(
    allowed: &mut Allowed,
    call: c_long,
    any_of: impl IntoIterator<Item = Vec<SeccompCondition>>,
) -> Result<(), Error> {
    let rules = any_of.into_iter().map(SeccompRule::new).collect::<Result<Vec<_>, _>>()?;
    allowed.entry(call).or_default().extend(rules);
    Ok(())
}

/// An argument that equals one of these values.
fn each(argument: u8, values: &[u32]) -> Result<Vec<Vec<SeccompCondition>>, Error> {
    values.iter().map(|value| Ok(vec![is(argument, *value)?])).collect()
}

fn is(argument: u8, value: u32) -> Result<SeccompCondition, Error> {
    low(argument, Is::Eq, value.into())
}

/// A condition on the lower half of an argument, because the kernel takes only that of an `int`.
fn low(argument: u8, comparison: Is, value: u64) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(argument, Len::Dword, comparison, value)?)
}

fn null(argument: u8) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(argument, Len::Qword, Is::Eq, 0)?)
}
