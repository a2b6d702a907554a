// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory of the agent: its own, and that of its maps and programs in the kernel.

use std::fs;

/// Resident bytes of this process.
pub fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Bytes of the maps and programs of this process in the kernel, from /proc/self/fdinfo.
pub fn locked_bytes() -> Option<u64> {
    let descriptors = fs::read_dir("/proc/self/fdinfo").ok()?;
    let each = descriptors.flatten().filter_map(|file| in_fdinfo(&fs::read_to_string(file.path()).ok()?));
    each.reduce(|sum, one| sum + one)
}

fn in_fdinfo(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("memlock:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_maps_and_of_others() {
        assert_eq!(in_fdinfo("pos:\t0\nmap_type:\t27\nmemlock:\t4210688\nmap_id:\t7\n"), Some(4_210_688));
        assert_eq!(in_fdinfo("pos:\t0\nflags:\t02\n"), None);
    }

    #[test]
    fn this_process_is_resident() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
    }
}
