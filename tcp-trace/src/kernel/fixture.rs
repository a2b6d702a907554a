// SPDX-License-Identifier: MIT OR Apache-2.0
//! A folder that stands in for `/proc`, `/sys` and `/boot` in tests.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::Roots;

/// Goes away when dropped.
pub struct Folder(PathBuf);

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Folder {
    pub fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tcp-trace-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder for the file");
        fs::write(path, contents).expect("a file for the test");
    }

    pub fn roots(&self) -> Roots {
        Roots { proc: self.0.join("proc"), sys: self.0.join("sys"), boot: self.0.join("boot") }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind at worst: it lies among the temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
