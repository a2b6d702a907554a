// SPDX-License-Identifier: MIT OR Apache-2.0
//! The name of a thread, held in place: copied with its event, never looked up and never allocated.

use std::{fmt, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use tcp_trace_common::COMM_LEN;

use crate::outside;

/// Each byte that is not UTF-8 becomes U+FFFD, which takes three.
const CAPACITY: usize = 3 * COMM_LEN;

/// The name of a thread, as UTF-8 and harmless: every constructor cleans as [`outside::Text`] does. It has a type of its
/// own because every event carries one: a `Comm` is stored in place and copied, where a `Text` would need an allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Comm {
    /// Zeros from `len` on.
    bytes: [u8; CAPACITY],
    len: u8,
}

impl Comm {
    /// The kernel's `comm` up to its NUL; bytes that are not UTF-8, and what could do something, are replaced.
    pub fn from_kernel(raw: &[u8; COMM_LEN]) -> Self {
        const ONES: u128 = u128::from_le_bytes([0x01; COMM_LEN]);
        const HIGH_BITS: u128 = u128::from_le_bytes([0x80; COMM_LEN]);
        let all = u128::from_le_bytes(*raw);
        // The lowest bit set is that of the first NUL: borrows only go upwards.
        let nul_bits = all.wrapping_sub(ONES) & !all & HIGH_BITS;
        let len = nul_bits.trailing_zeros() as usize / 8;
        let before_nul = all & 1_u128.checked_shl(8 * len as u32).map_or(u128::MAX, |bit| bit - 1);
        let mut comm = Self { bytes: [0; CAPACITY], len: 0 };
        let is_plain = {
            const BLANKS: u128 = 0x20 * ONES;
            // Blanks from the NUL on; a borrow comes only from a byte that is one of those looked for.
            let padded = before_nul | BLANKS.checked_shl(8 * len as u32).unwrap_or(0);
            let delete = padded ^ (0x7f * ONES);
            let below = padded.wrapping_sub(BLANKS) & !padded;
            (before_nul | below | (delete.wrapping_sub(ONES) & !delete)) & HIGH_BITS == 0
        };
        if is_plain {
            comm.bytes[..COMM_LEN].copy_from_slice(&before_nul.to_le_bytes());
            comm.len = len as u8;
            return comm;
        }
        for chunk in raw[..len].utf8_chunks() {
            comm.push(&outside::one_line(chunk.valid()));
            if !chunk.invalid().is_empty() {
                comm.push("\u{fffd}");
            }
        }
        comm
    }

    /// A name as it was written down; `None`: it is longer than any.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut comm = Self { bytes: [0; CAPACITY], len: 0 };
        let text = outside::one_line(text);
        (text.len() <= CAPACITY).then(|| comm.push(&text))?;
        Some(comm)
    }

    /// As UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
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
        std::str::from_utf8(self.as_bytes()).expect("made of UTF-8")
    }
}

impl std::hash::Hash for Comm {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // Enough to tell names apart, and always as much: only those that were not UTF-8 are longer.
        state.write(&self.bytes[..COMM_LEN]);
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

impl Serialize for Comm {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Comm {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::from_text(&text).ok_or_else(|| D::Error::custom("a name longer than any that the kernel keeps"))
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{array::uniform16, prelude::*};

    use super::*;

    #[test]
    fn ends_at_the_nul() {
        assert_eq!(&*Comm::from_kernel(b"curl\0garbage\0\0\0\0"), "curl");
        assert_eq!(Comm::from_kernel(b"curl\0garbage\0\0\0\0"), Comm::from("curl"));
    }

    proptest! {
        #[test]
        fn is_what_a_lossy_string_would_be(
            raw in prop_oneof![any::<[u8; COMM_LEN]>(), uniform16(0..3_u8), uniform16(b'a'..b'c'), uniform16(0x1c..0x24_u8), uniform16(0x7c..0x81_u8)],
        ) {
            let end = raw.iter().position(|byte| *byte == 0).unwrap_or(COMM_LEN);
            let lossy = String::from_utf8_lossy(&raw[..end]);
            prop_assert_eq!(&*Comm::from_kernel(&raw), outside::one_line(&lossy));
        }

        #[test]
        fn is_ordered_as_text(a in "\\PC{0,5}", b in "\\PC{0,5}") {
            let (x, y) = (Comm::from(&*a), Comm::from(&*b));
            prop_assert_eq!(x.cmp(&y), (*x).cmp(&*y));
        }
    }
}
