// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that appear complete or not at all: written beside their place, then renamed. Only their owner may read them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::exit::Failure;

/// A file on its way.
#[derive(Debug)]
pub struct WholeFile {
    path: PathBuf,
    /// Where it is until it is complete; `None`: a device or a pipe, which nothing can take the place of.
    beside: Option<PathBuf>,
    writer: BufWriter<File>,
}

impl WholeFile {
    /// Begins it.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let is_special = fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir());
        let beside = (!is_special).then(|| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!(".{name}.{}.part", std::process::id()))
        });
        let opened = match &beside {
            // Without a name there is nothing to rename it to: `..`, or a folder.
            Some(_) if path.file_name().is_none() || path.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Some(beside) => OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(beside),
            None => OpenOptions::new().write(true).open(path),
        };
        let file = opened.map_err(|source| failed(path, source))?;
        Ok(Self { path: path.into(), beside, writer: BufWriter::with_capacity(64 << 10, file) })
    }

    /// Puts it in its place, on the disk, what was there before is gone.
    ///
    /// # Errors
    /// When not all of it could be written; then there is nothing new.
    pub fn keep(mut self) -> Result<(), Failure> {
        let kept = self.put_in_place();
        kept.map_err(|source| failed(&self.path, source))?;
        self.beside = None;
        Ok(())
    }

    fn put_in_place(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        let Some(beside) = &self.beside else { return Ok(()) };
        self.writer.get_ref().sync_all()?;
        fs::rename(beside, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The name is on the disk only with its folder; one that cannot be opened is left to the kernel.
        File::open(folder).and_then(|folder| folder.sync_all()).or(Ok(()))
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

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // It was given up: whoever gave up says why.
            let _ = fs::remove_file(beside);
        }
    }
}

fn failed(path: &Path, source: io::Error) -> Failure {
    Failure::Output { to: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tcp-trace-whole-file-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn it_is_there_once_it_is_complete() {
        let folder = folder("complete");
        let path = folder.join("page.html");
        let mut file = WholeFile::create(&path).expect("a file");
        file.write_all(b"all of it").expect("written");
        assert!(!path.exists());
        file.keep().expect("kept");
        assert_eq!(fs::read(&path).expect("read"), b"all of it");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(names(&folder), ["page.html"]);
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn what_is_given_up_leaves_what_was_there() {
        let folder = folder("given-up");
        let path = folder.join("page.html");
        fs::write(&path, "before").expect("written");
        let mut file = WholeFile::create(&path).expect("a file");
        file.write_all(b"half").expect("written");
        drop(file);
        assert_eq!((fs::read(&path).expect("read"), names(&folder)), (b"before".to_vec(), vec!["page.html".into()]));
        fs::remove_dir_all(folder).expect("removed");
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
