// SPDX-License-Identifier: MIT OR Apache-2.0
//! Waits for running programs, which may still act on values that they read a moment ago.

/// `MEMBARRIER_CMD_GLOBAL`, which is synchronize_rcu(): programs run within RCU read sections, so none that began
/// before is left afterwards.
const MEMBARRIER_CMD_GLOBAL: libc::c_long = 1 << 0;

/// Returns once every program that was running has ended.
pub fn period() {
    // SAFETY: three integers; the call only waits.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result != 0 {
        // With nohz_full CPUs there is no membarrier. Programs take microseconds, so this sleep is a thousand times too
        // long.
        tracing::debug!("no membarrier: {}", std::io::Error::last_os_error());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
