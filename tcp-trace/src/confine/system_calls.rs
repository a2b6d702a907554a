// SPDX-License-Identifier: MIT OR Apache-2.0
//! System calls that stay, by seccomp. A list of what is allowed: of what is forbidden there could be none, for kernels get
//! new calls, and x86-64 has a second number for each old one. What is not on it fails as on a kernel that lacks it
//! (ENOSYS), which libraries expect, and which ends nothing that only tried.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Is, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use super::{Needs, Reattach};

/// Calls, each with what its arguments must be: one of several sets of conditions, or anything where there are none.
pub(super) type Allowed = BTreeMap<c_long, Vec<SeccompRule>>;

/// Memory, time, threads, waiting, and descriptors that are open.
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
    // Looking at files.
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
    // Memory; what can be executed is another matter.
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
    // The pair of sockets that says that a signal came.
    libc::SYS_socketpair,
    libc::SYS_recvfrom,
    libc::SYS_getsockopt,
];

/// Maps, links and programs that are there.
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

/// Whether a file is opened for more than reading. O_TMPFILE is a bit of its own and O_DIRECTORY.
const WRITES: u32 =
    (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32;

/// Of threads that trace.
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
        // To find out whether sockets that are only bound are listed, one is bound.
        when(&mut allowed, libc::SYS_socket, [diag, vec![is(0, libc::AF_INET as u32)?]])?;
    }
    if needs.stacks {
        // The flags of openat2 are out of a filter's sight: it is what links within another root are followed with.
        always(&mut allowed, &[libc::SYS_openat2, libc::SYS_memfd_create]);
    }
    Ok(allowed)
}

/// Of threads that open outputs: where, is Landlock's to say.
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

/// Restricts the calling thread, and those that it starts.
pub(super) fn only(allowed: Result<Allowed, Error>) -> Result<(), Error> {
    let (other, listed) = (SeccompAction::Errno(libc::ENOSYS as u32), SeccompAction::Allow);
    let program: BpfProgram = SeccompFilter::new(allowed?, other, listed, TargetArch::x86_64)?.try_into()?;
    apply_filter(&program)
}

fn anyone() -> Result<Allowed, Error> {
    let mut allowed = Allowed::new();
    always(&mut allowed, ANYONE);
    // Nothing that could be executed is added to what is.
    let executable = Is::MaskedEq(libc::PROT_EXEC as u64);
    when(&mut allowed, libc::SYS_mmap, [vec![low(2, executable.clone(), 0)?]])?;
    when(&mut allowed, libc::SYS_mprotect, [vec![low(2, executable, 0)?]])?;
    // Threads, and no processes. The flags of clone3 are out of sight; without it the library falls back to this one.
    let thread = libc::CLONE_THREAD as u64;
    when(&mut allowed, libc::SYS_clone, [vec![low(0, Is::MaskedEq(thread), thread)?]])?;
    when(&mut allowed, libc::SYS_prctl, each(0, &[libc::PR_SET_NAME as u32, PR_SET_VMA])?)?;
    // The limits of this process, to be read.
    when(&mut allowed, libc::SYS_prlimit64, [vec![is(0, 0)?, null(2)?]])?;
    // Signals to this process: its own end.
    when(&mut allowed, libc::SYS_tgkill, each(0, &[std::process::id()])?)?;
    let requests = [libc::TCGETS as u32, TCGETS2, libc::TIOCGWINSZ as u32, libc::FIONBIO as u32, libc::FIOCLEX as u32];
    when(&mut allowed, libc::SYS_ioctl, each(1, &requests)?)?;
    // To whom a socket is connected already: sending elsewhere would connect it.
    when(&mut allowed, libc::SYS_sendto, [vec![null(4)?]])?;
    Ok(allowed)
}

fn always(allowed: &mut Allowed, calls: &[c_long]) {
    allowed.extend(calls.iter().map(|call| (*call, Vec::new())));
}

/// Any of these sets of conditions will do, beside those that will already.
fn when(
    allowed: &mut Allowed,
    call: c_long,
    any_of: impl IntoIterator<Item = Vec<SeccompCondition>>,
) -> Result<(), Error> {
    let rules = any_of.into_iter().map(SeccompRule::new).collect::<Result<Vec<_>, _>>()?;
    allowed.entry(call).or_default().extend(rules);
    Ok(())
}

/// One of these values of an argument.
fn each(argument: u8, values: &[u32]) -> Result<Vec<Vec<SeccompCondition>>, Error> {
    values.iter().map(|value| Ok(vec![is(argument, *value)?])).collect()
}

fn is(argument: u8, value: u32) -> Result<SeccompCondition, Error> {
    low(argument, Is::Eq, value.into())
}

/// Of the lower half of an argument, which is all that the kernel takes of an `int`.
fn low(argument: u8, comparison: Is, value: u64) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(argument, Len::Dword, comparison, value)?)
}

fn null(argument: u8) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(argument, Len::Qword, Is::Eq, 0)?)
}
