// SPDX-License-Identifier: MIT OR Apache-2.0
//! The name of a thread, held in place: copied with its event, never looked up and never allocated.

use std::fmt;
use std::ops::Deref;

use tcp_trace_common::COMM_LEN;

/// Each byte that is not UTF-8 becomes U+FFFD, which takes three.
const CAPACITY: usize = 3 * COMM_LEN;

/// The name of a thread, as UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Comm {
    /// Zeros from `len` on.
    bytes: [u8; CAPACITY],
    len: u8,
}

impl Comm {
    /// The kernel's `comm` up to its NUL; bytes that are not UTF-8 are replaced.
    pub fn from_kernel(raw: &[u8; COMM_LEN]) -> Self {
        let end = raw.iter().position(|byte| *byte == 0).unwrap_or(COMM_LEN);
        let raw = &raw[..end];
        let mut comm = Self { bytes: [0; CAPACITY], len: 0 };
        if let Ok(text) = std::str::from_utf8(raw) {
            comm.push(text);
        } else {
            for chunk in raw.utf8_chunks() {
                comm.push(chunk.valid());
                if !chunk.invalid().is_empty() {
                    comm.push("\u{fffd}");
                }
            }
        }
        comm
    }

    fn push(&mut self, text: &str) {
        let len = usize::from(self.len);
        self.bytes[len..len + text.len()].copy_from_slice(text.as_bytes());
        self.len += text.len() as u8;
    }
}

/// What a kernel would keep of the name: its first 15 bytes.
impl From<&str> for Comm {
    fn from(name: &str) -> Self {
        let mut raw = [0; COMM_LEN];
        for (slot, byte) in raw[..COMM_LEN - 1].iter_mut().zip(name.bytes()) {
            *slot = byte;
        }
        Self::from_kernel(&raw)
    }
}

impl Deref for Comm {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).expect("made of UTF-8")
    }
}

impl std::hash::Hash for Comm {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write(&self.bytes[..usize::from(self.len)]);
    }
}

impl Ord for Comm {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}

impl PartialOrd for Comm {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_at_the_nul() {
        assert_eq!(&*Comm::from_kernel(b"curl\0garbage\0\0\0\0"), "curl");
        assert_eq!(Comm::from_kernel(b"curl\0garbage\0\0\0\0"), Comm::from("curl"));
    }

    proptest! {
        #[test]
        fn is_what_a_lossy_string_would_be(raw: [u8; COMM_LEN]) {
            let end = raw.iter().position(|byte| *byte == 0).unwrap_or(COMM_LEN);
            prop_assert_eq!(&*Comm::from_kernel(&raw), &*String::from_utf8_lossy(&raw[..end]));
        }

        #[test]
        fn is_ordered_as_text(a in "\\PC{0,5}", b in "\\PC{0,5}") {
            let (x, y) = (Comm::from(&*a), Comm::from(&*b));
            prop_assert_eq!(x.cmp(&y), (*x).cmp(&*y));
        }
    }
}
