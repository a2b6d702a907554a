// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file with code. It stays open, so its content is available after the process and its container are gone.

use std::{
    fs::File,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use framehop::ExplicitModuleSectionInfo;
use object::{Object as _, ObjectSection as _, ObjectSegment as _, ReadCache, ReadRef, SegmentFlags};

use crate::{
    enrich::{
        foreign::{self, Refused},
        maps::Mapping,
    },
    outside::Text,
};

/// Upper limit in bytes for a file that other users than root can change: such a file is copied.
const MAX_COPY: u64 = 256 << 20;
/// Upper limit in bytes for a section of unwind tables; those of browsers have a third of that.
const MAX_SECTION: u64 = 64 << 20;
/// Sections that refer to other files, by names that the author of the file chose.
const LINKS: [&str; 3] = [".gnu_debuglink", ".gnu_debugaltlink", ".debug_sup"];

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Content of a section.
pub(super) type Bytes = Arc<[u8]>;

/// An ELF file.
#[derive(Debug)]
pub(super) struct Module {
    file: File,
    /// Unique id.
    pub(super) id: u64,
    /// Last component of its path.
    pub(super) name: Text,
    /// Memory that it takes, in bytes.
    pub(super) held: u64,
    /// Whether its debug information may be read: it refers to no other file, or root controls the file.
    pub(super) debug_info: bool,
    /// Loaded segments with code: offset in the file, length, address.
    segments: Vec<(u64, u64, u64)>,
    eh_frame: Option<(u64, Bytes)>,
    eh_frame_hdr: Option<(u64, Bytes)>,
}

impl Module {
    /// Opens the file that a process has mapped, through the mapping itself if permitted: the path may lead to another
    /// file by now, or to another mount namespace.
    pub(super) fn open(pid: u32, mapping: &Mapping<'_>) -> Result<Self, Refused> {
        let file = match foreign::open_mapped(pid, mapping.start, mapping.end) {
            Err(Refused::Errno(_) | Refused::Missing) => foreign::open_in_root(pid, Path::new(mapping.path))?,
            opened => opened?,
        };
        Self::read(file, mapping.file_name().into())
    }

    /// Reads the parts that are needed.
    pub(super) fn read(file: File, name: Text) -> Result<Self, Refused> {
        let is_trusted = foreign::is_roots_own(&file);
        // Libraries map the file: a file that shrinks meanwhile would end this process.
        let (file, copied) = match is_trusted {
            true => (file, 0),
            false => {
                let copy = foreign::copy(&file, MAX_COPY)?;
                let copied = copy.metadata()?.len();
                (copy, copied)
            }
        };
        let cache = ReadCache::new(file.try_clone()?);
        let elf = object::File::parse(&cache).map_err(|_| Refused::Malformed)?;
        let code = elf.segments().filter(
            |segment| matches!(segment.flags(), SegmentFlags::Elf { p_flags } if p_flags & object::elf::PF_X != 0),
        );
        let segments = code.map(|segment| {
            let (offset, size) = segment.file_range();
            (offset, size, segment.address())
        });
        let segments = segments.collect();
        let (eh_frame, eh_frame_hdr) = (section(&elf, ".eh_frame")?, section(&elf, ".eh_frame_hdr")?);
        let tables = [&eh_frame, &eh_frame_hdr].into_iter().flatten().map(|(_, bytes)| bytes.len() as u64);
        let debug_info = is_trusted || LINKS.iter().all(|name| elf.section_by_name(name).is_none());
        let (id, held) = (NEXT.fetch_add(1, Ordering::Relaxed), copied + tables.sum::<u64>());
        Ok(Self { file, id, name, held, debug_info, segments, eh_frame, eh_frame_hdr })
    }

    /// Path under which this process reads it.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// Difference between an address of the process and the one in the file.
    pub(super) fn bias(&self, mapping: &Mapping<'_>) -> Option<u64> {
        // Whole pages are mapped: a segment begins somewhere in the first one.
        let holds = |(offset, size, _): &&(u64, u64, u64)| {
            (offset & !0xfff..offset.saturating_add(*size)).contains(&mapping.offset)
        };
        let (offset, _, address) = self.segments.iter().find(holds)?;
        Some(mapping.start.wrapping_sub(mapping.offset).wrapping_add(*offset).wrapping_sub(*address))
    }

    /// Sections that unwinding needs.
    pub(super) fn unwind_info(&self) -> ExplicitModuleSectionInfo<Bytes> {
        let range = |(from, bytes): &(u64, Bytes)| *from..from.saturating_add(bytes.len() as u64);
        let bytes = |(_, bytes): &(u64, Bytes)| Arc::clone(bytes);
        ExplicitModuleSectionInfo {
            eh_frame_svma: self.eh_frame.as_ref().map(range),
            eh_frame: self.eh_frame.as_ref().map(bytes),
            eh_frame_hdr_svma: self.eh_frame_hdr.as_ref().map(range),
            eh_frame_hdr: self.eh_frame_hdr.as_ref().map(bytes),
            ..Default::default()
        }
    }
}

fn section<'a, R: ReadRef<'a>>(elf: &object::File<'a, R>, name: &str) -> Result<Option<(u64, Bytes)>, Refused> {
    let Some(section) = elf.section_by_name(name) else { return Ok(None) };
    if section.file_range().is_some_and(|(_, size)| size > MAX_SECTION) {
        return Err(Refused::TooLong(MAX_SECTION));
    }
    Ok(section.data().ok().map(|bytes| (section.address(), bytes.into())))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A program with a section of this length, nearly all of it a hole in the file.
    fn with_section(name: &str, size: u64) -> File {
        let program = fs::read("/proc/self/exe").expect("this program");
        let at = |offset: usize, bytes: usize| {
            let mut word = [0; 8];
            word[..bytes].copy_from_slice(&program[offset..offset + bytes]);
            u64::from_le_bytes(word) as usize
        };
        // Elf64_Ehdr and Elf64_Shdr, elf(5)
        let (headers, count, names) = (at(0x28, 8), at(0x3c, 2), at(0x3e, 2));
        let names = at(headers + names * 64 + 0x18, 8);
        let is_it = |header: &usize| program[names + at(*header, 4)..].starts_with(format!("{name}\0").as_bytes());
        let header = (0..count).map(|index| headers + index * 64).find(is_it).expect("it has such a section");
        let mut changed = program.clone();
        changed[header + 0x20..header + 0x28].copy_from_slice(&size.to_le_bytes());
        let file = tempfile::tempfile().expect("a file");
        std::os::unix::fs::FileExt::write_all_at(&file, &changed, 0).expect("written");
        file.set_len(at(header + 0x18, 8) as u64 + size + 1).expect("a hole");
        file
    }

    #[test]
    fn tables_that_would_fill_the_memory_are_not_read() {
        let read = |file| Module::read(file, "program".into()).map(|module| module.held > 0);
        assert_eq!(read(File::open("/proc/self/exe").expect("this program")), Ok(true));
        assert!(matches!(read(with_section(".eh_frame", 1 << 30)), Err(Refused::TooLong(_))));
        assert_eq!(read(File::open("/etc/passwd").expect("it is there")), Err(Refused::Malformed));
    }
}
