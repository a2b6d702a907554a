// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of addresses. What has none is told by its place in its file.

use std::{collections::HashMap, fs, sync::Arc};

use blazesym::{
    MaybeDefault,
    symbolize::{
        Input, Symbolized, Symbolizer,
        source::{Elf, Kernel, Source},
    },
};
use foldhash::fast::RandomState;

use super::process::Code;
use crate::event::Frame;

/// Above this many a cache starts anew.
const LIMIT: usize = 65_536;

/// Asks each address once.
pub(super) struct Names {
    symbolizer: Symbolizer,
    kernel: HashMap<u64, Arc<str>, RandomState>,
    /// By module and place in it; a function that others were inlined into has several frames, the outermost first.
    user: HashMap<(u64, u64), Vec<Frame>, RandomState>,
}

impl Names {
    pub(super) fn new() -> Self {
        // The outer half of source lines is not drawn, so it is not asked for.
        let symbolizer = Symbolizer::builder().enable_code_info(false).enable_inlined_fns(true).build();
        Self { symbolizer, kernel: HashMap::default(), user: HashMap::default() }
    }

    /// Frames of the kernel in the order given. Where addresses are hidden, they are not told either.
    pub(super) fn kernel(&mut self, addresses: &[u64]) -> Vec<Frame> {
        let unknown: Vec<u64> =
            addresses.iter().copied().filter(|address| !self.kernel.contains_key(address)).collect();
        if !unknown.is_empty() {
            if self.kernel.len() >= LIMIT {
                self.kernel.clear();
            }
            let source = Source::Kernel(Kernel { vmlinux: MaybeDefault::None, ..Kernel::default() });
            let found = self.symbolizer.symbolize(&source, Input::AbsAddr(&unknown)).unwrap_or_else(|error| {
                tracing::info!("no names of kernel functions: {error}");
                Vec::new()
            });
            let mut found = found.into_iter();
            for address in unknown {
                let name = found.next().and_then(|symbol| symbol.into_sym().map(|symbol| Arc::from(&*symbol.name)));
                self.kernel.insert(address, name.unwrap_or_else(|| "[no name in /proc/kallsyms]".into()));
            }
        }
        let frame = |address| Frame { name: self.kernel.get(address).cloned().unwrap_or_default(), module: None };
        addresses.iter().map(frame).collect()
    }

    /// Frames of a user address, the outermost first.
    pub(super) fn user(&mut self, pid: u32, code: &Code, address: u64) -> Vec<Frame> {
        let Some(module) = &code.module else { return vec![made(pid, code, address)] };
        let offset = code.file_offset(address);
        let key = (module.id, offset);
        if let Some(known) = self.user.get(&key) {
            return known.clone();
        }
        if self.user.len() >= LIMIT {
            self.user.clear();
        }
        let frame = |name: &str| Frame { name: name.into(), module: Some(Arc::clone(&module.name)) };
        let source = Source::Elf(Elf::new(module.path()));
        let frames = match self.symbolizer.symbolize_single(&source, Input::FileOffset(offset)) {
            Ok(Symbolized::Sym(symbol)) => {
                let inlined = symbol.inlined.iter().map(|inlined| frame(&inlined.name));
                std::iter::once(frame(&symbol.name)).chain(inlined).collect()
            }
            Ok(Symbolized::Unknown(_)) | Err(_) => vec![frame(&format!("{}+{offset:#x}", module.name))],
        };
        self.user.insert(key, frames.clone());
        frames
    }
}

/// Code that belongs to no file: a compiler at run time may have left a list of names, perf(1)'s way. The name of a file
/// that we may not read is better than none.
fn made(pid: u32, code: &Code, address: u64) -> Frame {
    let name = if code.path.is_empty() || code.path.starts_with("[") || code.path.starts_with("//anon") {
        in_perf_map(pid, address).unwrap_or_else(|| "[code made at run time]".into())
    } else {
        format!("{}+{:#x}", code.path.rsplit('/').next().unwrap_or_default(), code.file_offset(address))
    };
    Frame { name: name.into(), module: None }
}

/// `/tmp/perf-PID.map`, in the process's own mount and pid namespace: `7f3a40001000 1c0 LazyCompile:connect net.js:12`
fn in_perf_map(pid: u32, address: u64) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let own_pid = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?.split_whitespace().next_back()?;
    let list = fs::read_to_string(format!("/proc/{pid}/root/tmp/perf-{own_pid}.map")).ok()?;
    name_in(&list, address)
}

fn name_in(list: &str, address: u64) -> Option<String> {
    // The last one that has the address: code is moved, and lists are only added to.
    list.lines().rev().find_map(|line| {
        let mut words = line.splitn(3, ' ');
        let start = u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok()?;
        let size = u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok()?;
        (start..start.saturating_add(size)).contains(&address).then(|| words.next().map(str::to_owned))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_name_counts() {
        let list = "1000 20 old one\nnonsense\n0x1010 10 new one\n2000 8 other\n";
        assert_eq!(name_in(list, 0x1018).as_deref(), Some("new one"));
        assert_eq!(name_in(list, 0x1008).as_deref(), Some("old one"));
        assert_eq!(name_in(list, 0x2008), None);
    }
}
