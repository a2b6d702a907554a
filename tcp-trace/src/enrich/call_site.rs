// SPDX-License-Identifier: MIT OR Apache-2.0
//! User addresses to call sites in programs and libraries, by /proc/PID/maps: read once per call site, while the
//! process exists.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tcp_trace_common::bind::FRAMES;

use super::maps;
use crate::{event::Event, outside::Text, proc_text};

/// Above this number of entries the cache is cleared.
const LIMIT: usize = 4096;

/// Upper limit in bytes for a list of mappings.
const MAX_MAPS: u64 = 16 << 20;

/// Process id and user addresses.
type Key = (u32, [u64; FRAMES]);

/// Call sites in words, each looked up once.
#[derive(Debug, Default)]
pub struct CallSites {
    /// Known call sites; `None`: the process is gone, or not accessible.
    known: HashMap<Key, Option<Text>, RandomState>,
}

impl CallSites {
    /// Adds the call site of an event, if available.
    pub fn enrich(&mut self, event: &mut Event) {
        if let Event::Bind(bind) = event {
            bind.call_site = self.name(bind.caller.pid, &bind.frames);
        }
    }

    /// The call site as `libc.so.6+0x11b2c7 < envoy+0x3f2a10`, innermost frame first. Addresses outside of code are
    /// left out: without frame pointers they are random.
    pub fn name(&mut self, pid: u32, frames: &[u64; FRAMES]) -> Option<Text> {
        let key = (pid, *frames);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        if self.known.len() >= LIMIT {
            self.known.clear();
        }
        let maps = proc_text::read_at_most(format!("/proc/{pid}/maps"), MAX_MAPS).ok();
        let name = maps.and_then(|maps| in_words(&maps, frames));
        self.known.insert(key, name.clone());
        name
    }
}

fn in_words(maps: &str, frames: &[u64; FRAMES]) -> Option<Text> {
    let places = frames.iter().filter(|frame| **frame != 0).filter_map(|frame| place(maps, *frame));
    let places: Vec<_> = places.collect();
    (!places.is_empty()).then(|| places.join(" < ").into())
}

fn place(maps: &str, address: u64) -> Option<String> {
    let code = maps::executable(maps).find(|mapping| (mapping.start..mapping.end).contains(&address))?;
    let file = code.path.rsplit('/').next().filter(|name| !name.is_empty())?;
    Some(format!("{file}+{:#x}", address - code.start + code.offset))
}

#[cfg(test)]
mod tests {
    use super::in_words;

    const MAPS: &str = "\
        55d0c0a00000-55d0c0a28000 r--p 00000000 fd:00 1 /usr/bin/envoy\n\
        55d0c0a28000-55d0c0b00000 r-xp 00028000 fd:00 1 /usr/bin/envoy\n\
        7f1c5a228000-7f1c5a37d000 r-xp 00028000 fd:00 2 /usr/lib/x86_64-linux-gnu/libc.so.6\n\
        7ffd1a9c0000-7ffd1a9e1000 rw-p 00000000 00:00 0 [stack]\n";

    #[test]
    fn file_and_offset_within_it() {
        let frames = [0x7f1c_5a22_8010, 0x7ffd_1a9c_0008, 0x55d0_c0a2_8100, 0];
        assert_eq!(in_words(MAPS, &frames).as_deref(), Some("libc.so.6+0x28010 < envoy+0x28100"));
        assert_eq!(in_words(MAPS, &[0x55d0_c0a0_0010, 0, 0, 0]), None, "not code");
        assert_eq!(in_words("", &[1, 2, 3, 4]), None);
    }
}
