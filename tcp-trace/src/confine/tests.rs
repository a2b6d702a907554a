// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests, each in a thread of its own, which is confined.

use std::{
    fs::{self, File, OpenOptions},
    io,
    net::TcpStream,
    path::Path,
    process::Command,
    sync::mpsc::channel,
    thread,
};

use super::*;

fn within<T: Send + 'static>(confine: impl FnOnce() + Send + 'static, work: impl FnOnce() -> T + Send + 'static) -> T {
    let confined = thread::spawn(move || {
        before_attaching();
        confine();
        work()
    });
    confined.join().expect("no panic")
}

fn everything() -> Needs {
    Needs {
        traces: true,
        surveys: true,
        call_sites: true,
        stacks: true,
        bursts: Some(Reattach::TrampolineOfNewProgram),
        outputs: Vec::new(),
    }
}

/// Makes a system call with integer arguments, and returns its errno.
fn call(number: libc::c_long, arguments: [u64; 4]) -> Option<i32> {
    let [first, second, third, fourth] = arguments;
    // SAFETY: the calls used here take integers, or null and a length of 0 for addresses.
    let result = unsafe { libc::syscall(number, first, second, third, fourth) };
    (result < 0).then(|| io::Error::last_os_error().raw_os_error()).flatten()
}

#[test]
fn what_no_run_needs_is_refused() {
    let refused = within(
        || tracing(&everything()),
        || {
            let executed = Command::new("/bin/true").status().map(|_| ()).map_err(|error| error.raw_os_error());
            let connected = TcpStream::connect("127.0.0.1:1").map(|_| ()).map_err(|error| error.raw_os_error());
            let calls = [
                ("execveat", libc::SYS_execveat, [0; 4]),
                ("fork", libc::SYS_fork, [0; 4]),
                ("ptrace", libc::SYS_ptrace, [u64::MAX, 0, 0, 0]),
                ("process_vm_writev", libc::SYS_process_vm_writev, [0; 4]),
                ("mount", libc::SYS_mount, [0; 4]),
                ("init_module", libc::SYS_init_module, [0; 4]),
                ("kexec_load", libc::SYS_kexec_load, [0; 4]),
                ("keyctl", libc::SYS_keyctl, [u64::MAX, 0, 0, 0]),
                ("userfaultfd", libc::SYS_userfaultfd, [0; 4]),
                ("io_uring_setup", libc::SYS_io_uring_setup, [0; 4]),
                ("setuid", libc::SYS_setuid, [0; 4]),
                ("another namespace than a network's", libc::SYS_setns, [u64::MAX, libc::CLONE_NEWNS as u64, 0, 0]),
                ("a raw socket", libc::SYS_socket, [libc::AF_PACKET as u64, libc::SOCK_RAW as u64, 0, 0]),
                ("another netlink", libc::SYS_socket, [libc::AF_NETLINK as u64, libc::SOCK_RAW as u64, 0, 0]),
                ("a signal to others", libc::SYS_kill, [1, 0, 0, 0]),
                ("a new map", libc::SYS_bpf, [0; 4]),
                ("the other number of getpid", 0x4000_0000 | libc::SYS_getpid, [0; 4]),
            ];
            let let_through =
                calls.iter().filter(|(_, number, arguments)| call(*number, *arguments) != Some(libc::ENOSYS));
            let let_through: Vec<_> = let_through.map(|(name, ..)| *name).collect();
            (executed, connected, let_through)
        },
    );
    assert_eq!(refused, (Err(Some(libc::ENOSYS)), Err(Some(libc::ENOSYS)), Vec::new()));
}

#[test]
fn code_is_not_added_to_what_is_there() {
    let refused = within(
        || tracing(&everything()),
        || {
            let (read, write, execute) = (libc::PROT_READ, libc::PROT_WRITE, libc::PROT_EXEC);
            let map = |protection| {
                // SAFETY: maps new memory, of which nothing is used.
                let place = unsafe {
                    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                    libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0)
                };
                place != libc::MAP_FAILED
            };
            (map(read | write), map(read | write | execute))
        },
    );
    assert_eq!(refused, (true, false));
}

#[test]
fn who_traces_opens_nothing_for_writing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    fs::write(&path, "before").expect("a file");
    let there = path.clone();
    let (read, written, appended, created, removed) = within(
        || tracing(&everything()),
        move || {
            let kind = |done: io::Result<()>| done.map_err(|error| error.raw_os_error());
            (
                fs::read(&there).ok(),
                kind(OpenOptions::new().write(true).open(&there).map(drop)),
                kind(OpenOptions::new().append(true).open(&there).map(drop)),
                kind(File::create(there.with_extension("new")).map(drop)),
                kind(fs::remove_file(&there)),
            )
        },
    );
    assert_eq!(read.as_deref(), Some(&b"before"[..]));
    assert_eq!([written, appended, created, removed], [Err(Some(libc::ENOSYS)); 4]);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn what_a_run_does_not_need_is_refused_to_it() {
    let load = |needs: Needs| within(move || tracing(&needs), || call(libc::SYS_bpf, [5, 0, 0, 0]));
    let bursts = Some(Reattach::Trampoline);
    assert_eq!(load(Needs { bursts, ..everything() }), Some(libc::ENOSYS));
    assert_ne!(load(everything()), Some(libc::ENOSYS));
    let enter = |needs: Needs| {
        within(move || tracing(&needs), || call(libc::SYS_setns, [u64::MAX, libc::CLONE_NEWNET as u64, 0, 0]))
    };
    assert_eq!(enter(Needs { surveys: false, ..everything() }), Some(libc::ENOSYS));
    assert_eq!(enter(everything()), Some(libc::EBADF));
}

#[test]
fn threads_are_started_and_inherit_it() {
    let refused = within(
        || tracing(&everything()),
        || thread::spawn(|| File::create("/tmp/tcp-trace-refused").map_err(|error| error.raw_os_error())).join(),
    );
    assert_eq!(refused.expect("no panic").map(drop), Err(Some(libc::ENOSYS)));
}

/// Writes to both files from an output thread; also tries to execute a program.
fn outputs_of(allowed: &Path, written: &Path) -> io::Result<()> {
    let (allowed, written) = (allowed.join("out.rec"), written.join("out.rec"));
    within(
        move || outputs(&[allowed]),
        move || {
            use io::Write as _;
            let mut draft = crate::export::draft::Draft::create(&written)?;
            draft.writer().write_all(b"bytes")?;
            draft.put_in_place()?;
            fs::rename(&written, written.with_extension("rec.1"))
        },
    )
}

#[test]
fn outputs_are_written_in_their_folders_alone() {
    let (here, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    outputs_of(here.path(), here.path()).expect("it is the folder of the output");
    assert_eq!(fs::read(here.path().join("out.rec.1")).expect("a file"), b"bytes");
    let (say, said) = channel();
    let folder = here.path().to_owned();
    within(move || say.send(files::only(&[folder.join("x")])).expect("the channel is open"), || ());
    if matches!(said.recv(), Ok(Ok(files::Enforced::No))) {
        return eprintln!("not run: no Landlock here");
    }
    let refused = outputs_of(here.path(), elsewhere.path()).expect_err("another folder");
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{refused}");
    assert_eq!(fs::read_dir(elsewhere.path()).expect("a folder").count(), 0);
}
