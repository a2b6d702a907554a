// SPDX-License-Identifier: MIT OR Apache-2.0
//! When an incident ends: on SIGINT, on SIGTERM, or after its duration.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// The stop request, shared by all threads of an incident.
#[derive(Clone)]
pub(super) struct Stop {
    over: Arc<AtomicBool>,
}

impl Stop {
    /// Blocks both signals in this thread and in all threads that it starts later, so that only [`Stop::wait`] receives
    /// them.
    pub(super) fn install() -> anyhow::Result<Self> {
        let signals = signals();
        // SAFETY: `signals` is an initialised set, and the old mask is not requested.
        let result = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &signals, std::ptr::null_mut()) };
        anyhow::ensure!(result == 0, "could not block SIGINT: {}", std::io::Error::from_raw_os_error(result));
        Ok(Self { over: Arc::new(AtomicBool::new(false)) })
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Waits for `duration`; returns true if a signal arrived before.
    pub(super) fn wait(&self, duration: Duration) -> bool {
        let signals = signals();
        let deadline = Instant::now() + duration;
        while !self.is_over() {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout =
                libc::timespec { tv_sec: left.as_secs() as libc::time_t, tv_nsec: left.subsec_nanos() as libc::c_long };
            // SAFETY: `signals` and `timeout` are initialised, and no `siginfo` is requested.
            let signal = unsafe { libc::sigtimedwait(&signals, std::ptr::null_mut(), &timeout) };
            if signal > 0 {
                self.end();
                // A second signal ends the process at once, by the kernel's default action.
                // SAFETY: `signals` is an initialised set, and the old mask is not requested.
                unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &signals, std::ptr::null_mut()) };
            } else if left.is_zero() {
                return false;
            }
        }
        true
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Sleeps until `deadline`, in slices short enough for a prompt end.
    pub(super) fn sleep_until(&self, deadline: Instant) {
        while !self.is_over() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }
}

fn signals() -> libc::sigset_t {
    // SAFETY: all-zero is a valid `sigset_t`; both calls only write to it, and the signal numbers are valid.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGINT);
        libc::sigaddset(&mut set, libc::SIGTERM);
        set
    }
}
