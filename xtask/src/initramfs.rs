// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole file system of a guest, as one cpio archive.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    io::{BufWriter, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use cpio::newc;

use crate::{peers, workspace::output};

/// Folder in which Debian's loader searches without a cache.
const LIBRARIES: &str = "/lib/x86_64-linux-gnu";

/// File name of the loader in that folder; programs expect it in /lib64.
const LOADER: &str = "ld-linux-x86-64.so.2";

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// Writes entries in order, and their parent folders automatically.
pub struct Initramfs {
    file: BufWriter<File>,
    present: BTreeSet<String>,
}

impl Initramfs {
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("could not write {}", path.display()))?;
        let mut archive = Self { file: BufWriter::new(file), present: BTreeSet::new() };
        // Where PID 1's own panic goes, before it has mounted anything.
        let console = newc::Builder::new("dev/console").mode(CHARACTER_DEVICE).rdev_major(5).rdev_minor(1);
        archive.entry("/dev/console", console, &[])?;
        for folder in ["/root/.", "/tmp/.", "/etc/."] {
            archive.parents(folder)?;
        }
        Ok(archive)
    }

    pub fn text(&mut self, path: &str, text: &[u8]) -> Result<()> {
        self.entry(path, newc::Builder::new(path).mode(FILE | 0o644), text)
    }

    /// Adds a file of the host at `path`, with its permissions.
    pub fn file(&mut self, from: &Path, path: &str) -> Result<()> {
        let shown = from.display();
        let mode =
            fs::metadata(from).with_context(|| format!("no {shown} to put into the guest"))?.permissions().mode();
        let bytes = fs::read(from).with_context(|| format!("could not read {shown}"))?;
        self.entry(path, newc::Builder::new(path).mode(FILE | (mode & 0o777)), &bytes)
    }

    pub fn symlink(&mut self, to: &str, path: &str) -> Result<()> {
        self.entry(path, newc::Builder::new(path).mode(SYMLINK), to.as_bytes())
    }

    /// Adds a program of the host to /bin, with the libraries that it loads at its start.
    pub fn program(&mut self, from: &Path) -> Result<()> {
        let mut ldd = Command::new("ldd");
        ldd.env("LD_LIBRARY_PATH", peers::library_path());
        self.program_by(from, ldd)
    }

    /// Adds a program of another Debian release, unpacked in `tree`, with that release's loader and libraries.
    pub fn program_of(&mut self, tree: &Path, from: &Path) -> Result<()> {
        let folders = ["usr/lib", "lib"].map(|folder| tree.join(folder).join("x86_64-linux-gnu"));
        let loader = folders.iter().map(|folder| folder.join(LOADER)).find(|loader| loader.exists());
        let loader = loader.with_context(|| format!("no {LOADER} in {}", tree.display()))?;
        self.file_once(&loader, &format!("/lib64/{LOADER}"))?;
        let mut list = Command::new(loader);
        list.arg("--library-path").arg(env::join_paths(folders)?).arg("--list");
        self.program_by(from, list)
    }

    fn program_by(&mut self, from: &Path, mut list: Command) -> Result<()> {
        let name = from.file_name().with_context(|| format!("{} names no file", from.display()))?.to_string_lossy();
        self.file(from, &format!("/bin/{name}"))?;
        let listed = list.arg(from).output().context("could not list the libraries of a program")?;
        for line in String::from_utf8_lossy(&listed.stdout).lines() {
            ensure!(!line.contains("not found"), "{}: {}", from.display(), line.trim());
            let library = line.split_whitespace().find(|word| word.starts_with('/'));
            let Some(library) = library.map(Path::new) else { continue };
            // The loader's own path is written into the program; the rest it looks for here.
            let is_loader = !line.contains("=>");
            let name = library.file_name().unwrap_or_default().to_string_lossy();
            let path = if is_loader { library.display().to_string() } else { format!("{LIBRARIES}/{name}") };
            self.file_once(library, &path)?;
        }
        Ok(())
    }

    fn file_once(&mut self, from: &Path, path: &str) -> Result<()> {
        if self.present.contains(path) { Ok(()) } else { self.file(from, path) }
    }

    /// Adds the static busybox, and a link for each of its applets.
    pub fn busybox(&mut self, from: &Path) -> Result<()> {
        self.file(from, "/bin/busybox")?;
        for applet in output(Command::new(from).arg("--list"))?.lines().filter(|&applet| applet != "busybox") {
            self.symlink("busybox", &format!("/bin/{applet}"))?;
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<()> {
        newc::trailer(&mut self.file)?;
        Ok(self.file.flush()?)
    }

    fn parents(&mut self, path: &str) -> Result<()> {
        for (end, _) in path.match_indices('/').skip(1) {
            let folder = &path[..end];
            if self.present.insert(folder.to_owned()) {
                self.write(newc::Builder::new(&folder[1..]).mode(DIRECTORY), &[])?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, entry: newc::Builder, bytes: &[u8]) -> Result<()> {
        self.parents(path)?;
        self.present.insert(path.to_owned());
        self.write(entry, bytes)
    }

    fn write(&mut self, entry: newc::Builder, bytes: &[u8]) -> Result<()> {
        let mut entry = entry.write(&mut self.file, u32::try_from(bytes.len())?);
        entry.write_all(bytes)?;
        entry.finish()?;
        Ok(())
    }
}
