// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that appear complete or not at all. Only their owner may read them.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{draft::Draft, output_thread};
use crate::exit::Failure;

/// A file on its way.
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    writer: BufWriter<Writing>,
}

/// `BufWriter` wants something that writes, and gives it back.
#[derive(Debug)]
struct Writing(Draft);

impl WholeFile {
    /// Begins it.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let draft = Draft::create(path).map_err(|source| failed(path, source))?;
        Ok(Self { path: path.into(), writer: BufWriter::with_capacity(64 << 10, Writing(draft)) })
    }

    /// Puts it in its place, on the disk, what was there before is gone.
    ///
    /// # Errors
    /// When not all of it could be written; then there is nothing new.
    pub fn keep(self) -> Result<(), Failure> {
        let Self { path, writer } = self;
        let written = writer.into_inner().map_err(io::IntoInnerError::into_error);
        let placed = written.and_then(|Writing(draft)| output_thread::run(move || draft.put_in_place()));
        placed.map(drop).map_err(|source| failed(&path, source))
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.writer().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.writer().flush()
    }
}

fn failed(path: &Path, source: io::Error) -> Failure {
    Failure::Output { to: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn it_is_there_once_it_is_complete() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = temporary.path();
        let path = folder.join("page.html");
        let mut file = WholeFile::create(&path).expect("a file");
        file.write_all(b"all of it").expect("written");
        assert!(!path.exists());
        file.keep().expect("kept");
        assert_eq!(fs::read(&path).expect("read"), b"all of it");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder), ["page.html"]);
    }

    #[test]
    fn what_is_given_up_leaves_what_was_there() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = temporary.path();
        let path = folder.join("page.html");
        fs::write(&path, "before").expect("written");
        let mut file = WholeFile::create(&path).expect("a file");
        file.write_all(b"half").expect("written");
        drop(file);
        assert_eq!((fs::read(&path).expect("read"), names(folder)), (b"before".to_vec(), vec!["page.html".into()]));
    }

    #[test]
    fn a_device_stays_one_and_a_folder_is_refused() {
        let mut null = WholeFile::create(Path::new("/dev/null")).expect("a device");
        null.write_all(b"gone").expect("written");
        null.keep().expect("kept");
        assert!(!fs::metadata("/dev/null").expect("there").is_file());
        assert!(WholeFile::create(Path::new("/tmp")).is_err());
    }
}
