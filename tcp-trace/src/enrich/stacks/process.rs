// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a process has mapped, and the way out through its stacks.

use std::{collections::HashMap, fs, rc::Rc};

use foldhash::fast::RandomState;
use framehop::{
    Module as UnwindModule, Unwinder as _,
    x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64},
};

use super::module::{Bytes, Module};
use crate::{
    enrich::maps,
    event::{Captured, UserEnd},
};

/// Deeper than that, a way out is a circle.
const FRAMES: usize = 512;

/// Files that are known, by device and inode.
pub(super) type Modules = HashMap<(String, u64), Option<Rc<Module>>, RandomState>;

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
    /// `None`: code that was made while the process ran, or a file that we may not read.
    pub(super) module: Option<Rc<Module>>,
    /// As the process calls it.
    pub(super) path: Rc<str>,
}

impl Code {
    /// Where in its file an address is.
    pub(super) fn file_offset(&self, address: u64) -> u64 {
        address - self.start + self.offset
    }
}

impl Process {
    /// As it is now; `None`: it is gone, or not ours to look at.
    pub(super) fn look(pid: u32, modules: &mut Modules) -> Option<Self> {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok().filter(|maps| !maps.is_empty())?;
        let mut unwinder = UnwinderX86_64::new();
        let mut code = Vec::new();
        for mapping in maps::executable(&maps) {
            let key = (mapping.device.to_owned(), mapping.inode);
            let module = match mapping.inode {
                0 => None,
                _ => modules.entry(key).or_insert_with(|| Module::open(pid, &mapping).map(Rc::new)).clone(),
            };
            if let Some(module) = &module
                && let Some(bias) = module.bias(&mapping)
            {
                let range = mapping.start..mapping.end;
                unwinder.add_module(UnwindModule::new(module.name.to_string(), range, bias, module.unwind_info()));
            }
            let path = mapping.path.into();
            code.push(Code { start: mapping.start, end: mapping.end, offset: mapping.offset, module, path });
        }
        Some(Self { maps, code, unwinder })
    }

    /// Whether it has the same mapped as another.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.maps == other.maps
    }

    /// The mapping that an address is in, if there is code.
    pub(super) fn code(&self, address: u64) -> Option<&Code> {
        self.code.iter().find(|code| (code.start..code.end).contains(&address))
    }

    /// Addresses to look names up by, the innermost first, and how the way ended.
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
                // What is not code is a stray: where there are no tables, a frame pointer may be anything.
                Ok(Some(_)) => break UserEnd::Lost,
                Ok(None) => break UserEnd::Whole,
                Err(framehop::Error::CouldNotReadStack(_)) if captured.cut => break UserEnd::Cut,
                // The outermost frame of a program without tables has no frame pointer any more.
                Err(framehop::Error::ReturnAddressIsNull) => break UserEnd::Whole,
                Err(_) => break UserEnd::Lost,
            }
        };
        // A system call is made from within a function that somebody called.
        let end = if frames.len() < 2 && end == UserEnd::Whole { UserEnd::Lost } else { end };
        (frames, end)
    }
}
