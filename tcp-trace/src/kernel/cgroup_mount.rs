// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mount point of cgroup v2, for names of cgroups and owners of sockets.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Mount point of cgroup2 in this mount namespace.
pub fn mount() -> Option<PathBuf> {
    mount_point(&fs::read("/proc/self/mountinfo").unwrap_or_default())
}

/// Mount point of cgroup2 from mountinfo: `36 35 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw`.
pub(crate) fn mount_point(mountinfo: &[u8]) -> Option<PathBuf> {
    mountinfo.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let path = fields.nth(4)?;
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        (kind == b"cgroup2").then(|| unescaped(path))
    })
}

/// Decodes a field of mountinfo, which writes blanks, tabs, newlines and backslashes as three octal digits.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = (first == b'\\').then(|| tail.get(..3)).flatten();
        let octal = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(octal.unwrap_or(first));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    Path::new(std::ffi::OsStr::from_bytes(&bytes)).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_mount() {
        let mountinfo = b"35 24 0:31 / /sys/fs/cgroup rw shared:9 - tmpfs tmpfs rw\n\
            36 35 0:30 / /sys/fs/cgroup/a\\040b rw,nosuid shared:10 master:1 - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_point(mountinfo), Some(PathBuf::from("/sys/fs/cgroup/a b")));
        assert_eq!(mount_point(b"35 24 0:31 / / rw - ext4 /dev/vda rw\nbroken"), None);
    }
}
