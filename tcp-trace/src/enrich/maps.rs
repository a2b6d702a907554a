// SPDX-License-Identifier: MIT OR Apache-2.0
//! The executable mappings of a process, from /proc/PID/maps.

/// One executable mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping<'a> {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Offset in the file where it begins.
    pub(crate) offset: u64,
    /// Device and inode, which identify a file independent of its path.
    pub(crate) device: &'a str,
    pub(crate) inode: u64,
    /// Path as the process sees it; empty for memory without a file.
    pub(crate) path: &'a str,
}

impl Mapping<'_> {
    /// The last component of its path.
    pub(crate) fn file_name(&self) -> &str {
        self.path.trim_end_matches(" (deleted)").rsplit('/').next().unwrap_or_default()
    }
}

/// Parses lines such as `7f1c5a228000-7f1c5a37d000 r-xp 00028000 fd:00 262417    /usr/lib/x86_64-linux-gnu/libc.so.6`.
pub(crate) fn executable(maps: &str) -> impl Iterator<Item = Mapping<'_>> {
    maps.lines().filter_map(|line| {
        let mut words = line.splitn(6, ' ');
        let (start, end) = words.next()?.split_once('-')?;
        if !words.next()?.contains('x') {
            return None;
        }
        let number = |digits| u64::from_str_radix(digits, 16).ok();
        Some(Mapping {
            start: number(start)?,
            end: number(end)?,
            offset: number(words.next()?)?,
            device: words.next()?,
            inode: words.next()?.parse().ok()?,
            path: words.next().unwrap_or("").trim_start(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_with_and_without_a_file() {
        let maps = "\
            55d0c0a00000-55d0c0a28000 r--p 00000000 fd:00 1 /usr/bin/envoy\n\
            55d0c0a28000-55d0c0b00000 r-xp 00028000 fd:00 17          /opt/a b/envoy (deleted)\n\
            7f1c5a228000-7f1c5a37d000 rwxp 00000000 00:00 0 \n\
            nonsense\n";
        let all: Vec<_> = executable(maps).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(
            all[0],
            Mapping {
                start: 0x55d0_c0a2_8000,
                end: 0x55d0_c0b0_0000,
                offset: 0x2_8000,
                device: "fd:00",
                inode: 17,
                path: "/opt/a b/envoy (deleted)"
            }
        );
        assert_eq!((all[1].path, all[1].inode), ("", 0));
    }
}
