// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables of descriptors: nearly always one a process, but a thread may have its own.

/// `KCMP_FILES`, include/uapi/linux/kcmp.h
const KCMP_FILES: libc::c_int = 2;

/// Whether two tasks have one table of descriptors. Where that cannot be found out they are taken to have.
pub(super) fn are_shared(one: u32, other: u32) -> bool {
    // SAFETY: five integers; the kernel writes no memory of this process.
    let order = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, 0_u64, 0_u64) };
    // 1 and 2 say which is where in an order that means nothing.
    !matches!(order, 1..=3)
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use rustix::thread::UnshareFlags;

    use super::*;

    #[test]
    fn a_thread_with_a_table_of_its_own() {
        let tid = |private: bool| {
            let (say, said) = mpsc::channel();
            let (go, wait) = mpsc::channel::<()>();
            let thread = thread::spawn(move || {
                if private {
                    // SAFETY: this thread opens no descriptor, and hands none on.
                    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FILES) }.expect("a table of its own");
                }
                say.send(rustix::thread::gettid().as_raw_nonzero().get() as u32).expect("the channel is open");
                let _ = wait.recv();
            });
            let shared = are_shared(std::process::id(), said.recv().expect("a thread"));
            drop(go);
            thread.join().expect("no panic");
            shared
        };
        assert!(tid(false));
        // A kernel without kcmp, or a policy against it, leaves us without an answer.
        // SAFETY: five integers.
        let works = unsafe { libc::syscall(libc::SYS_kcmp, 1_u32, 1_u32, KCMP_FILES, 0_u64, 0_u64) } == 0;
        assert!(!works || !tid(true));
    }
}
