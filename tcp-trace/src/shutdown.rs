// SPDX-License-Identifier: MIT OR Apache-2.0
//! When a live run ends: SIGINT, SIGTERM and SIGHUP end it with its final report, a second one ends it at once,
//! whatever it waits for. Signals belong to the process, so this state does too.

use std::{
    io,
    os::unix::net::UnixStream,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use signal_hook::{consts, flag, low_level};

static SHUTDOWN: OnceLock<Shutdown> = OnceLock::new();

struct Shutdown {
    asked: Arc<AtomicBool>,
    /// Readable from the first signal on.
    wake: UnixStream,
    due: OnceLock<Instant>,
}

/// Handles signals from now on; before, a signal ends the process by the kernel's default action.
///
/// # Errors
/// When no file descriptors are left.
pub fn listen() -> io::Result<()> {
    if SHUTDOWN.get().is_some() {
        return Ok(());
    }
    let asked = Arc::new(AtomicBool::new(false));
    let (wake, wakes) = UnixStream::pair()?;
    for signal in [consts::SIGINT, consts::SIGTERM, consts::SIGHUP] {
        // nohup(1)
        if signal == consts::SIGHUP && is_ignored(signal) {
            continue;
        }
        // The order matters: the first signal finds that none came before.
        flag::register_conditional_default(signal, Arc::clone(&asked))?;
        flag::register(signal, Arc::clone(&asked))?;
        low_level::pipe::register(signal, wakes.try_clone()?)?;
    }
    // Another call was faster, and handles the same signals.
    let _ = SHUTDOWN.set(Shutdown { asked, wake, due: OnceLock::new() });
    Ok(())
}

/// Sets when the run ends without a signal.
pub fn end_at(due: Instant) {
    if let Some(shutdown) = SHUTDOWN.get() {
        // A process has one run.
        let _ = shutdown.due.set(due);
    }
}

/// Whether a signal arrived, or the time is up.
pub fn is_due() -> bool {
    SHUTDOWN.get().is_some_and(|shutdown| {
        shutdown.asked.load(Ordering::Relaxed) || shutdown.due.get().is_some_and(|due| *due <= Instant::now())
    })
}

/// Time until the end; `None`: until a signal.
pub fn until_due() -> Option<Duration> {
    let due = SHUTDOWN.get()?.due.get()?;
    Some(due.saturating_duration_since(Instant::now()))
}

/// A socket that becomes readable with the first signal; `None`: signals are not handled.
pub fn wake() -> Option<&'static UnixStream> {
    SHUTDOWN.get().map(|shutdown| &shutdown.wake)
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: all-zero is a valid `sigaction`; without a new action the call only writes the present one there.
    unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut present) == 0 && present.sa_sigaction == libc::SIG_IGN
    }
}
