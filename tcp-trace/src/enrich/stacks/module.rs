// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file that code comes from. It stays open, so what it says can be had when the process and its container are gone.

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

use crate::enrich::maps::Mapping;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Bytes of a section.
pub(super) type Bytes = Arc<[u8]>;

/// An ELF file.
#[derive(Debug)]
pub(super) struct Module {
    file: File,
    /// No other has it, ever.
    pub(super) id: u64,
    /// Its last name.
    pub(super) name: Arc<str>,
    /// Where its code is loaded: offset in the file, bytes, address.
    segments: Vec<(u64, u64, u64)>,
    eh_frame: Option<(u64, Bytes)>,
    eh_frame_hdr: Option<(u64, Bytes)>,
}

impl Module {
    /// What a process has mapped there. By the mapping itself where that is allowed: the file may have been replaced, or
    /// be in a mount namespace of its own.
    pub(super) fn open(pid: u32, mapping: &Mapping<'_>) -> Option<Self> {
        let by_mapping = format!("/proc/{pid}/map_files/{:x}-{:x}", mapping.start, mapping.end);
        let by_name = || {
            let path = Path::new(mapping.path).strip_prefix("/").ok()?;
            File::open(Path::new(&format!("/proc/{pid}/root")).join(path)).ok()
        };
        let file = File::open(by_mapping).ok().or_else(by_name)?;
        let name = mapping.path.trim_end_matches(" (deleted)").rsplit('/').next()?;
        Self::read(file, name.into())
    }

    fn read(file: File, name: Arc<str>) -> Option<Self> {
        let cache = ReadCache::new(file.try_clone().ok()?);
        let elf = object::File::parse(&cache).ok()?;
        let code = elf.segments().filter(
            |segment| matches!(segment.flags(), SegmentFlags::Elf { p_flags } if p_flags & object::elf::PF_X != 0),
        );
        let segments = code.map(|segment| {
            let (offset, size) = segment.file_range();
            (offset, size, segment.address())
        });
        let segments = segments.collect();
        let (eh_frame, eh_frame_hdr) = (section(&elf, ".eh_frame"), section(&elf, ".eh_frame_hdr"));
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Some(Self { file, id, name, segments, eh_frame, eh_frame_hdr })
    }

    /// Where this process is told to read it.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// What to add to an address of the file to get one of the process.
    pub(super) fn bias(&self, mapping: &Mapping<'_>) -> Option<u64> {
        // Whole pages are mapped: a segment begins somewhere in the first one.
        let holds = |(offset, size, _): &&(u64, u64, u64)| (offset & !0xfff..offset + size).contains(&mapping.offset);
        let (offset, _, address) = self.segments.iter().find(holds)?;
        Some(mapping.start.wrapping_sub(mapping.offset).wrapping_add(*offset).wrapping_sub(*address))
    }

    /// For whoever finds the way out through its frames.
    pub(super) fn unwind_info(&self) -> ExplicitModuleSectionInfo<Bytes> {
        let range = |(from, bytes): &(u64, Bytes)| *from..from + bytes.len() as u64;
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

fn section<'a, R: ReadRef<'a>>(elf: &object::File<'a, R>, name: &str) -> Option<(u64, Bytes)> {
    let section = elf.section_by_name(name)?;
    Some((section.address(), section.data().ok()?.into()))
}
