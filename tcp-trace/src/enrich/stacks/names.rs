// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of addresses. An address without a symbol is shown as its offset in the file.

use std::{
    collections::HashMap,
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::{Duration, Instant},
};

use blazesym::{
    MaybeDefault,
    symbolize::{
        Input, Symbolized, Symbolizer,
        source::{Elf, Kernel, Source},
    },
};
use foldhash::fast::RandomState;

use super::process::Code;
use crate::{
    enrich::foreign::{self, Refused},
    event::Frame,
    outside::Text,
    proc_text,
};

/// Above this number of entries a cache is cleared.
const LIMIT: usize = 65_536;

/// Upper limit in bytes for the list of names of a JIT compiler.
const MAX_PERF_MAP: u64 = 64 << 20;
/// Time for which such a list counts as current.
const PERF_MAP_FRESH: Duration = Duration::from_secs(1);
/// Upper limit in bytes for a name; those of templates have no limit.
const MAX_NAME: usize = 1024;
/// Upper limit of inlined functions per address.
const MAX_INLINED: usize = 64;

/// Looks up each address once.
pub(super) struct Names {
    symbolizer: Symbolizer,
    kernel: HashMap<u64, Text, RandomState>,
    /// Frames by module and offset; a function with inlined ones has several frames, outermost first.
    user: HashMap<(u64, u64), Vec<Frame>, RandomState>,
    perf_map: Option<PerfMap>,
}

/// The list of names of one process, and the time of reading it.
struct PerfMap {
    pid: u32,
    read: Instant,
    list: Result<String, Refused>,
}

impl Names {
    pub(super) fn new() -> Self {
        // Source lines are not shown, so they are not looked up.
        let symbolizer = Symbolizer::builder().enable_code_info(false).enable_inlined_fns(true).build();
        Self { symbolizer, kernel: HashMap::default(), user: HashMap::default(), perf_map: None }
    }

    /// Frames of the kernel in the given order. Where addresses are hidden, frames have no names either.
    pub(super) fn kernel(&mut self, addresses: &[u64]) -> Vec<Frame> {
        let unknown: Vec<u64> =
            addresses.iter().copied().filter(|address| !self.kernel.contains_key(address)).collect();
        if !unknown.is_empty() {
            if self.kernel.len() >= LIMIT {
                self.kernel.clear();
            }
            let source = Source::Kernel(Kernel { vmlinux: MaybeDefault::None, ..Kernel::default() });
            let found = self.symbolizer.symbolize(&source, Input::AbsAddr(&unknown)).unwrap_or_else(|error| {
                tracing::info!("kernel functions have no names: {error}");
                Vec::new()
            });
            let mut found = found.into_iter();
            for address in unknown {
                let name = found.next().and_then(|symbol| symbol.into_sym().map(|symbol| Text::from(&*symbol.name)));
                self.kernel.insert(address, name.unwrap_or_else(|| "[no name in /proc/kallsyms]".into()));
            }
        }
        let frame = |address| Frame { name: self.kernel.get(address).cloned().unwrap_or_default(), module: None };
        addresses.iter().map(frame).collect()
    }

    /// Frames of a user address, outermost first.
    pub(super) fn user(&mut self, pid: u32, code: &Code, address: u64) -> Vec<Frame> {
        let module = match &code.module {
            Some(Ok(module)) => module,
            Some(Err(refused)) if *refused != Refused::Malformed => return vec![unread(code, address, *refused)],
            // Shared memory and memfds have an inode too, and JIT compilers use them.
            Some(Err(_)) | None => return vec![self.made(pid, code, address)],
        };
        let offset = code.file_offset(address);
        let key = (module.id, offset);
        if let Some(known) = self.user.get(&key) {
            return known.clone();
        }
        if self.user.len() >= LIMIT {
            self.user.clear();
        }
        let frame = |name: &str| Frame { name: short(name).into(), module: Some(module.name.clone()) };
        let mut elf = Elf::new(module.path());
        elf.debug_syms = module.debug_info;
        let source = Source::Elf(elf);
        let frames = match self.symbolizer.symbolize_single(&source, Input::FileOffset(offset)) {
            Ok(Symbolized::Sym(symbol)) => {
                let inlined = symbol.inlined.iter().take(MAX_INLINED).map(|inlined| frame(&inlined.name));
                std::iter::once(frame(&symbol.name)).chain(inlined).collect()
            }
            Ok(Symbolized::Unknown(_)) | Err(_) => vec![frame(&format!("{}+{offset:#x}", module.name))],
        };
        self.user.insert(key, frames.clone());
        frames
    }

    /// The frame of code without a file, for which a JIT compiler may have written a perf map.
    fn made(&mut self, pid: u32, code: &Code, address: u64) -> Frame {
        let is_anonymous = code.path.is_empty() || code.path.starts_with('[') || code.path.starts_with("//anon");
        let made = if is_anonymous { "[code generated at run time]".into() } else { place(code, address) };
        let name = match self.perf_map(pid) {
            Ok(list) => name_in(list, address).unwrap_or(made),
            Err(Refused::Missing) => made,
            Err(refused) => format!("{made} [perf map not read: {refused}]").into(),
        };
        Frame { name, module: None }
    }

    fn perf_map(&mut self, pid: u32) -> Result<&str, Refused> {
        let is_fresh = |map: &PerfMap| map.pid == pid && map.read.elapsed() < PERF_MAP_FRESH;
        if !self.perf_map.as_ref().is_some_and(is_fresh) {
            self.perf_map = Some(PerfMap { pid, read: Instant::now(), list: read_perf_map(pid) });
        }
        match self.perf_map.as_ref().map(|map| &map.list) {
            Some(Ok(list)) => Ok(list),
            Some(Err(refused)) => Err(*refused),
            None => Err(Refused::Missing),
        }
    }
}

/// The frame of a file that is not read: its file name and the reason.
fn unread(code: &Code, address: u64, refused: Refused) -> Frame {
    let place = place(code, address);
    let name = if refused == Refused::Missing { place } else { format!("{place} [not read: {refused}]").into() };
    Frame { name, module: None }
}

/// Formats an address as `nginx+0x3f2a10`.
fn place(code: &Code, address: u64) -> Text {
    let file = code.path.rsplit('/').next().unwrap_or_default();
    short(&format!("{file}+{:#x}", code.file_offset(address))).into()
}

/// Shortens a name.
fn short(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_NAME)]
}

/// Reads `/tmp/perf-PID.map` in the process's own mount and pid namespace: `7f3a40001000 1c0 LazyCompile:connect
/// net.js:12`.
fn read_perf_map(pid: u32) -> Result<String, Refused> {
    let status = proc_text::read(format!("/proc/{pid}/status"))?;
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::split_whitespace);
    let own_pid = field("NSpid:").and_then(Iterator::last).ok_or(Refused::Missing)?;
    let file = foreign::open_in_root(pid, Path::new(&format!("/tmp/perf-{own_pid}.map")))?;
    let owner = file.metadata()?.uid();
    // All users can write to /tmp: another user could choose the names.
    if owner != 0 && !field("Uid:").is_some_and(|mut ids| ids.any(|id| id.parse() == Ok(owner))) {
        return Err(Refused::NotTheirs);
    }
    foreign::read_text(&file, MAX_PERF_MAP)
}

pub(super) fn name_in(list: &str, address: u64) -> Option<Text> {
    // The last entry with the address, because code moves and lists are only appended to.
    list.lines().rev().find_map(|line| {
        let mut words = line.splitn(3, ' ');
        let start = u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok()?;
        let size = u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok()?;
        (start..start.saturating_add(size)).contains(&address).then(|| words.next().map(|name| short(name).into()))?
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{chown, symlink},
    };

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn the_last_name_counts() {
        let list = "1000 20 old one\nnonsense\n0x1010 10 new one\n2000 8 other\n";
        assert_eq!(name_in(list, 0x1018).as_deref(), Some("new one"));
        assert_eq!(name_in(list, 0x1008).as_deref(), Some("old one"));
        assert_eq!(name_in(list, 0x2008), None);
    }

    #[test]
    fn a_list_that_is_no_file_or_somebody_elses_is_not_read() {
        let (pid, path) = (std::process::id(), format!("/tmp/perf-{}.map", std::process::id()));
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a FIFO");
        let fifo = read_perf_map(pid);
        fs::remove_file(&path).expect("ours");
        symlink("/dev/zero", &path).expect("a link");
        let device = read_perf_map(pid);
        fs::remove_file(&path).expect("ours");
        fs::write(&path, "1000 20 name\n").expect("written");
        let ours = read_perf_map(pid);
        let strangers = chown(&path, Some(54_321), None).map(|()| read_perf_map(pid));
        fs::remove_file(&path).expect("ours");
        assert_eq!((fifo, device), (Err(Refused::Irregular), Err(Refused::Irregular)));
        assert_eq!(ours.as_deref(), Ok("1000 20 name\n"));
        assert!(matches!(strangers, Err(_) | Ok(Err(Refused::NotTheirs))), "{strangers:?}");
        assert_eq!(read_perf_map(pid), Err(Refused::Missing));
    }
}
