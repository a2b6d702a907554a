// SPDX-License-Identifier: MIT OR Apache-2.0
//! Readers of traced processes' files, as functions of bytes, for fuzzing.

use std::{
    fs::File,
    io::{self, Write as _},
    rc::Rc,
};

use framehop::x86_64::CacheX86_64;
use rustix::fs::{MemfdFlags, memfd_create};

use super::{
    module::Module,
    names::{self, Names},
    process::Process,
};
use crate::{event::Captured, outside::Text};

/// A list of mappings with one program.
const MAPS: &str = "400000-500000 r-xp 00000000 fd:00 17 /program\n";
const START: u64 = 0x40_0000;

/// The name that a perf map has for an address.
pub(crate) fn name_in_perf_map(list: &[u8], address: u64) -> Option<Text> {
    names::name_in(&String::from_utf8_lossy(list), address)
}

/// Names of the frames of a stack within a program, which is unwound by its tables.
pub(crate) fn frames_of(program: &[u8]) -> io::Result<Vec<Text>> {
    let mut file = File::from(memfd_create("program", MemfdFlags::CLOEXEC)?);
    file.write_all(program)?;
    let module = Module::read(file, "program".into()).map(Rc::new);
    let process = Process::of(MAPS.into(), |_| module.clone());
    let user: Vec<u8> = (0..64).flat_map(|word| (START + word * 0x40).to_le_bytes()).collect();
    let captured = Captured { kernel: Ok(Vec::new()), ip: START + 0x10, sp: 0x7000, bp: 0x7040, user, cut: true };
    let (addresses, _) = process.unwind(&captured, &mut CacheX86_64::new());
    let mut names = Names::new();
    let frames = addresses.iter().filter_map(|address| Some((process.code(*address)?, *address)));
    Ok(frames.flat_map(|(code, address)| names.user(0, code, address)).map(|frame| frame.name).collect())
}
