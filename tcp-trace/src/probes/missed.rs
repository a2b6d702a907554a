// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs that did not run because they, or another program, already ran on that CPU.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::Ebpf;

const FIELD: &str = "recursion_misses:";

/// Runs missed since loading, all programs together; `None` where the kernel does not count them (before 5.12).
pub fn missed(ebpf: &Ebpf) -> Option<u64> {
    let loaded = ebpf.programs().filter_map(|(_, program)| program.fd().ok());
    // bpf_prog_info has the number too, but not the part of it that the library hands out.
    loaded.map(|fd| in_fdinfo(&fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd())).ok()?)).sum()
}

fn in_fdinfo(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(FIELD))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::in_fdinfo;

    #[test]
    fn a_kernel_that_does_not_count_is_not_zero() {
        assert_eq!(in_fdinfo("pos:\t0\nprog_type:\t17\nrun_cnt:\t0\nrecursion_misses:\t3\n"), Some(3));
        assert_eq!(in_fdinfo("pos:\t0\nprog_type:\t17\nrun_cnt:\t0\n"), None);
    }
}
