// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mappings of a process, and unwinding of its stacks.

use std::{collections::HashMap, rc::Rc};

use foldhash::fast::RandomState;
use framehop::{
    Module as UnwindModule, Unwinder as _,
    x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64},
};

use super::module::{Bytes, Module};
use crate::{
    enrich::{foreign::Refused, maps},
    event::{Captured, UserEnd},
    outside::Text,
    proc_text,
};

/// Upper limit of frames: beyond it, unwinding is in a loop.
const FRAMES: usize = 512;

/// Upper limit in bytes for a list of mappings: some 100,000 of them.
const MAX_MAPS: u64 = 16 << 20;
/// Upper limit of open files; beyond it they are opened again. Most processes may have 1024 descriptors.
const MAX_FILES: usize = 512;
/// Upper limit of memory for files in bytes; beyond it they are read again.
const MAX_HELD: u64 = 512 << 20;
/// Upper limit of memory in bytes for files that only one process uses.
const MAX_OF_ONE: u64 = 256 << 20;

/// Known files, by device and inode.
#[derive(Default)]
pub(super) struct Modules {
    files: HashMap<(String, u64), Result<Rc<Module>, Refused>, RandomState>,
    held: u64,
}

impl Modules {
    /// Whether the known files must be dropped before another process is read.
    pub(super) fn are_too_many(&self) -> bool {
        self.held >= MAX_HELD || self.files.len() >= MAX_FILES
    }

    /// The file of a mapping; `held` is the memory that this process has used so far.
    fn of(&mut self, pid: u32, mapping: &maps::Mapping<'_>, held: &mut u64) -> Result<Rc<Module>, Refused> {
        let key = (mapping.device.to_owned(), mapping.inode);
        if let Some(known) = self.files.get(&key) {
            return known.clone();
        }
        if self.files.len() >= MAX_FILES + MAX_FILES / 4 {
            return Err(Refused::TooMany);
        }
        if *held >= MAX_OF_ONE {
            return Err(Refused::TooMuch(MAX_OF_ONE));
        }
        let module = Module::open(pid, mapping).map(Rc::new);
        let takes = module.as_ref().map_or(0, |module| module.held);
        (*held, self.held) = (*held + takes, self.held + takes);
        self.files.insert(key, module.clone());
        module
    }
}

/// One process, at one time of its life.
pub(super) struct Process {
    maps: String,
    code: Vec<Code>,
    unwinder: UnwinderX86_64<Bytes>,
}

/// An executable mapping.
pub(super) struct Code {
    start: u64,
    end: u64,
    offset: u64,
    /// The file; `None`: code that was generated at run time; `Err`: why the file is not read.
    pub(super) module: Option<Result<Rc<Module>, Refused>>,
    /// Path as the process sees it.
    pub(super) path: Text,
}

impl Code {
    /// Offset in its file of an address.
    pub(super) fn file_offset(&self, address: u64) -> u64 {
        (address - self.start).wrapping_add(self.offset)
    }
}

impl Process {
    /// Reads the process; `None`: it is gone, or not accessible.
    pub(super) fn look(pid: u32, modules: &mut Modules) -> Option<Self> {
        let maps = proc_text::read_at_most(format!("/proc/{pid}/maps"), MAX_MAPS).ok()?;
        if maps.is_empty() {
            return None;
        }
        let mut held = 0;
        Some(Self::of(maps, |mapping| modules.of(pid, mapping, &mut held)))
    }

    /// A process with these mappings, and their files.
    pub(super) fn of(maps: String, mut open: impl FnMut(&maps::Mapping<'_>) -> Result<Rc<Module>, Refused>) -> Self {
        let mut unwinder = UnwinderX86_64::new();
        let mut code = Vec::new();
        for mapping in maps::executable(&maps) {
            let module = (mapping.inode != 0).then(|| open(&mapping));
            if let Some(Ok(module)) = &module
                && let Some(bias) = module.bias(&mapping)
            {
                let range = mapping.start..mapping.end;
                unwinder.add_module(UnwindModule::new(module.name.to_string(), range, bias, module.unwind_info()));
            }
            let path = mapping.path.into();
            code.push(Code { start: mapping.start, end: mapping.end, offset: mapping.offset, module, path });
        }
        Self { maps, code, unwinder }
    }

    /// Whether it has the same mappings as another.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.maps == other.maps
    }

    /// The executable mapping that contains an address.
    pub(super) fn code(&self, address: u64) -> Option<&Code> {
        self.code.iter().find(|code| (code.start..code.end).contains(&address))
    }

    /// Addresses of frames, innermost first, and how unwinding ended.
    pub(super) fn unwind(&self, captured: &Captured, cache: &mut CacheX86_64) -> (Vec<u64>, UserEnd) {
        let mut read = |address: u64| {
            let from = usize::try_from(address.wrapping_sub(captured.sp)).map_err(|_| ())?;
            let bytes = captured.user.get(from..).and_then(|rest| rest.first_chunk()).ok_or(())?;
            Ok(u64::from_le_bytes(*bytes))
        };
        let registers = UnwindRegsX86_64::new(captured.ip, captured.sp, captured.bp);
        let mut frames = Vec::new();
        let mut way = self.unwinder.iter_frames(captured.ip, registers, cache, &mut read);
        let end = loop {
            match way.next() {
                Ok(Some(frame)) if frames.len() < FRAMES && self.code(frame.address_for_lookup()).is_some() => {
                    frames.push(frame.address_for_lookup());
                }
                // An address outside of code is random: without tables, a frame pointer may be anything.
                Ok(Some(_)) => break UserEnd::Lost,
                Ok(None) => break UserEnd::Whole,
                Err(framehop::Error::CouldNotReadStack(_)) if captured.cut => break UserEnd::Cut,
                // The outermost frame of a program without tables has no frame pointer.
                Err(framehop::Error::ReturnAddressIsNull) => break UserEnd::Whole,
                Err(_) => break UserEnd::Lost,
            }
        };
        // Some function calls the function with the system call, so a single frame is incomplete.
        let end = if frames.len() < 2 && end == UserEnd::Whole { UserEnd::Lost } else { end };
        (frames, end)
    }
}
