// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds the frames of a stack and their names while the process exists. Its mappings and the files of its code are
//! kept from its first stack on.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use foldhash::fast::RandomState;
use framehop::x86_64::CacheX86_64;

use super::{
    names::Names,
    process::{Modules, Process},
};
use crate::{
    clock,
    event::{Captured, Frame, Frames, Stack, Taken, UserEnd},
};

/// Number of processes and call paths in the caches; above it they are cleared.
const LIMIT: usize = 4096;
/// Upper limit of frames in a stack, including inlined ones.
const MAX_FRAMES: usize = 2048;
/// Time in ns after which the mappings of a process are read again, because it maps more, or executes another program.
const STALE_NS: u64 = 1_000_000_000;

/// Process id, generation of its mappings, user addresses, end of the user stack, kernel addresses.
type Path = (u32, u32, Vec<u64>, UserEnd, Vec<u64>);

/// A process as it was last read.
struct Known {
    process: Rc<Process>,
    looked_ns: u64,
    generation: u32,
}

/// Looks up each name once.
pub(super) struct LookUp {
    names: Names,
    unwind_cache: CacheX86_64,
    modules: Modules,
    processes: HashMap<u32, Known, RandomState>,
    paths: HashMap<Path, Arc<Frames>, RandomState>,
    generation: u32,
}

impl LookUp {
    /// Reads the kernel's list of symbols.
    pub(super) fn new() -> Self {
        let mut look_up = Self {
            names: Names::new(),
            unwind_cache: CacheX86_64::new(),
            modules: Modules::default(),
            processes: HashMap::default(),
            paths: HashMap::default(),
            generation: 0,
        };
        look_up.names.kernel(&[0]);
        look_up
    }

    /// Turns a captured stack into frames.
    pub(super) fn enrich(&mut self, stack: &mut Stack) {
        if let Some(captured) = stack.captured.take() {
            stack.frames = self.frames(stack, &captured);
        }
    }

    fn frames(&mut self, stack: &Stack, captured: &Captured) -> Arc<Frames> {
        let known = if captured.ip == 0 { None } else { self.process(stack.pid) };
        let (addresses, end) = match &known {
            Some((process, _)) => process.unwind(captured, &mut self.unwind_cache),
            None if captured.ip == 0 => (Vec::new(), UserEnd::None),
            None => (Vec::new(), UserEnd::Gone),
        };
        let generation = known.as_ref().map_or(0, |(_, generation)| *generation);
        let kernel = captured.kernel.clone().unwrap_or_default();
        let path = (stack.pid, generation, addresses, end, kernel);
        if let Some(frames) = self.paths.get(&path) {
            return Arc::clone(frames);
        }
        let (_, _, addresses, _, kernel) = &path;
        let mut user = Vec::new();
        if let Some((process, _)) = &known {
            for address in addresses.iter().rev() {
                if user.len() >= MAX_FRAMES {
                    break;
                }
                let code = process.code(*address);
                user.extend(code.into_iter().flat_map(|code| self.names.user(stack.pid, code, *address)));
            }
        }
        let frames = Arc::new(Frames {
            user,
            user_end: end,
            kernel: up_to_the_hook(self.names.kernel(kernel), stack.taken),
            kernel_errno: captured.kernel.as_ref().err().copied(),
        });
        if self.paths.len() >= LIMIT {
            self.paths.clear();
        }
        self.paths.insert(path, Arc::clone(&frames));
        frames
    }

    /// The process as it is, or as it was when it last existed.
    fn process(&mut self, pid: u32) -> Option<(Rc<Process>, u32)> {
        let now_ns = clock::monotonic_ns();
        let known = self.processes.get(&pid);
        let fresh = known.filter(|known| now_ns.saturating_sub(known.looked_ns) < STALE_NS);
        if let Some(known) = fresh {
            return Some((Rc::clone(&known.process), known.generation));
        }
        if self.modules.are_too_many() {
            // Drops everything that keeps a file open, or its tables.
            *self = Self { generation: self.generation, ..Self::new() };
        }
        let process = Process::look(pid, &mut self.modules);
        match (process, self.processes.get_mut(&pid)) {
            (Some(process), Some(known)) => {
                known.looked_ns = now_ns;
                if !known.process.is_like(&process) {
                    self.generation += 1;
                    (known.process, known.generation) = (Rc::new(process), self.generation);
                }
            }
            (Some(process), None) => {
                if self.processes.len() >= LIMIT {
                    self.processes.clear();
                }
                self.generation += 1;
                let known = Known { process: Rc::new(process), looked_ns: now_ns, generation: self.generation };
                self.processes.insert(pid, known);
            }
            (None, _) => {}
        }
        self.processes.get(&pid).map(|known| (Rc::clone(&known.process), known.generation))
    }
}

/// Frames outermost first, without those that tracing put on the stack.
pub(super) fn up_to_the_hook(innermost_first: Vec<Frame>, taken: Taken) -> Vec<Frame> {
    const SEARCH: [&str; 3] = ["__inet_hash_connect", "inet_hash_connect", "inet6_hash_connect"];
    /// Frames between a hook and the program.
    const TRACING: [&str; 5] = ["bpf_prog_", "bpf_trace_run", "__bpf_trace_", "__traceiter_", TRAMPOLINE];
    const TRAMPOLINE: &str = "bpf_trampoline_";
    let mut frames = innermost_first;
    if taken == Taken::Search {
        let ours = |frame: &Frame| TRACING.iter().any(|name| frame.name.starts_with(name));
        let search = frames.iter().position(|frame| SEARCH.contains(&&*frame.name));
        let tracing = frames.iter().position(|frame| !ours(frame)).unwrap_or(0);
        // A trampoline that is jumped to, rather than called, leaves no frame of the function in front of it.
        let jumped = search.is_none() && frames[..tracing].iter().any(|frame| frame.name.starts_with(TRAMPOLINE));
        frames.drain(..search.unwrap_or(tracing));
        if jumped {
            frames.insert(0, Frame { name: SEARCH[0].into(), module: None });
        }
    }
    frames.reverse();
    // A traced function has frames on both sides of the trampoline that its beginning calls.
    while let Some(at) = frames.iter().position(|frame| frame.name.starts_with(TRAMPOLINE)) {
        let twice = at > 0 && frames.get(at + 1).is_some_and(|behind| behind.name == frames[at - 1].name);
        frames.drain(at..=at + usize::from(twice));
    }
    frames
}
