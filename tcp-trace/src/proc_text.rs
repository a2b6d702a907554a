// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text of /proc that processes control: names, paths. It may be anything, so invalid UTF-8 is replaced, not rejected:
//! a name must not hide its process.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use tcp_trace_common::COMM_LEN;

use crate::{event::Comm, outside};

/// Reads a file of /proc; invalid UTF-8 and control characters become U+FFFD.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: impl AsRef<Path>) -> io::Result<String> {
    fs::read(path).map(lossy)
}

/// Reads a file of /proc that a process can make long.
///
/// # Errors
/// When it cannot be read, or is longer than `limit` bytes.
pub fn read_at_most(path: impl AsRef<Path>, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(lossy(bytes)) }
}

/// The name of a process or thread, in the form that events have.
///
/// # Errors
/// When it cannot be read.
pub fn comm(task: &Path) -> io::Result<Comm> {
    let written = fs::read(task.join("comm"))?;
    // The kernel adds a line feed; one before it belongs to the name.
    let name = written.strip_suffix(b"\n").unwrap_or(&written);
    let mut raw = [0; COMM_LEN];
    for (slot, byte) in raw[..COMM_LEN - 1].iter_mut().zip(name) {
        *slot = *byte;
    }
    Ok(Comm::from_kernel(&raw))
}

/// Replaces invalid UTF-8 and control characters with U+FFFD.
pub(crate) fn lossy(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    match outside::lines(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(harmless) => harmless,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_utf8_is_a_name() {
        let folder = tempfile::tempdir().expect("a folder");
        for (written, name) in
            [(&b"\xff\xfex\n"[..], "\u{fffd}\u{fffd}x"), (b"a\n\n", "a\u{fffd}"), (b"nginx\n", "nginx")]
        {
            fs::write(folder.path().join("comm"), written).expect("written");
            assert_eq!(&*comm(folder.path()).expect("a name"), name);
        }
        let path = folder.path().join("maps");
        fs::write(&path, b"r-xp /opt/\xff/server\n").expect("written");
        assert_eq!(read_at_most(&path, 64).expect("text"), "r-xp /opt/\u{fffd}/server\n");
        assert!(read_at_most(&path, 4).is_err());
    }
}
