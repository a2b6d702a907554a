// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads untrusted bytes, never beyond their end.

use thiserror::Error;

/// Error: bytes are not a valid part of a recording.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Malformed {
    /// An error with this text.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// Bytes that were not read yet.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// Takes `count` bytes.
    ///
    /// # Errors
    /// When fewer bytes are left.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(|| Malformed::new("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.take(N)?.try_into().expect("as many as were asked for"))
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// See [`take`](Self::take).
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    /// Takes a little-endian u16.
    ///
    /// # Errors
    /// See [`take`](Self::take).
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    /// Takes a little-endian u32.
    ///
    /// # Errors
    /// See [`take`](Self::take).
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    /// Takes a length of one byte, and as many bytes of text.
    ///
    /// # Errors
    /// See [`take`](Self::take); also when they are not UTF-8.
    pub fn name(&mut self) -> Result<&'a str, Malformed> {
        let len = self.u8()?;
        std::str::from_utf8(self.take(len.into())?).map_err(|_| Malformed::new("a name is not UTF-8"))
    }
}

/// Appends what [`Bytes::name`] reads. Names are short constants.
pub fn put_name(to: &mut Vec<u8>, name: &str) {
    to.push(u8::try_from(name.len()).expect("names are short constants"));
    to.extend(name.bytes());
}
