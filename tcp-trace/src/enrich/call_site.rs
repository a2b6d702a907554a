// SPDX-License-Identifier: MIT OR Apache-2.0
//! User addresses to places in programs and libraries, by /proc/PID/maps. Asked while the process is there still, and
//! once for each place.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tcp_trace_common::bind::FRAMES;

use super::maps;
use crate::{event::Event, outside::Text, proc_text};

/// Above this many the cache starts anew.
const LIMIT: usize = 4096;

/// The longest list of mappings that is read.
const MAX_MAPS: u64 = 16 << 20;

/// Who, and where.
type Key = (u32, [u64; FRAMES]);

/// Places in words, looked up once each.
#[derive(Debug, Default)]
pub struct CallSites {
    /// `None`: the process was gone, or not ours to look at.
    known: HashMap<Key, Option<Text>, RandomState>,
}

impl CallSites {
    /// Adds the place that an event was called from, if it can be had.
    pub fn enrich(&mut self, event: &mut Event) {
        if let Event::Bind(bind) = event {
            bind.call_site = self.name(bind.caller.pid, &bind.frames);
        }
    }

    /// `libc.so.6+0x11b2c7 < envoy+0x3f2a10`, the innermost first. Addresses outside of code are left out: where frame
    /// pointers are missing they are strays.
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
