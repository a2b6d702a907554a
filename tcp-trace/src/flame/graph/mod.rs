// SPDX-License-Identifier: MIT OR Apache-2.0
//! Call paths and weights to graph data: one line per path, outermost frame first. What is unknown about a path is a
//! frame in square brackets with its weight.

use std::collections::BTreeMap;

use super::weight::Weight;
use crate::{
    aggregate::stacks::{Key, Path, StacksSnapshot, Weights},
    event::{Frames, UserEnd},
    outside::Text,
};

/// What the frames at the root show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Split {
    /// Name of the calling thread
    Process,
    /// Name of the calling thread, with the process id
    Pid,
    /// Path of the caller's cgroup v2
    Cgroup,
    /// Remote address and port
    Destination,
}

/// A frame as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Drawn {
    /// Text of the frame.
    pub name: Text,
    /// Kind of the frame.
    pub part: Part,
    /// File that contains the code.
    pub module: Option<Text>,
}

/// Kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// A root, or a note about what is missing
    Word,
    /// Code of the program
    User,
    /// Code of the kernel
    Kernel,
}

/// Graph data with notes.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The weight that determines the width.
    pub weight: Weight,
    /// Paths with their weights, sorted.
    pub stacks: Vec<(Vec<Drawn>, Weights)>,
    /// Sum of all weights.
    pub total: Weights,
    /// Notes for the reader.
    pub notes: Vec<String>,
}

impl Graph {
    /// Builds the graph data.
    pub fn new(snapshot: &StacksSnapshot, weight: Weight, split: &[Split]) -> Self {
        let mut stacks: BTreeMap<Vec<Drawn>, Weights> = BTreeMap::new();
        let mut total = Weights::default();
        let mut doubts = Doubts::default();
        for (key, weights) in &snapshot.rows {
            let roots = split.iter().map(|split| word(&root(key, *split)));
            stacks.entry(roots.chain(frames(&key.path)).collect()).or_default().merge(weights);
            total.merge(weights);
            doubts.count(&key.path, weights.connects);
        }
        let mut notes = doubts.notes();
        let unknown = weight.unknown(&total);
        if unknown > 0 {
            notes.push(format!("the weight of {unknown} connects is unknown: the graph leaves them out"));
        }
        if snapshot.unjoined > 0 {
            notes.push(format!("{} stacks have no connect event", snapshot.unjoined));
        }
        Self { weight, stacks: stacks.into_iter().collect(), total, notes }
    }

    /// Paths with a weight above 0, with that weight.
    pub fn lines(&self) -> impl Iterator<Item = (&[Drawn], u64)> {
        let weighed = self.stacks.iter().map(|(frames, weights)| (&frames[..], self.weight.of(weights)));
        weighed.filter(|(_, weight)| *weight > 0)
    }
}

fn word(text: &str) -> Drawn {
    Drawn { name: text.into(), part: Part::Word, module: None }
}

fn root(key: &Key, split: Split) -> String {
    let comm = match &*key.process.comm {
        "" => "[no name]",
        comm => comm,
    };
    match split {
        Split::Process => comm.to_owned(),
        Split::Pid => format!("{comm} ({})", key.process.pid),
        Split::Cgroup => key.cgroup.as_deref().unwrap_or("[cgroup unknown]").to_owned(),
        Split::Destination => std::net::SocketAddr::new(key.destination.daddr, key.destination.dport).to_string(),
    }
}

fn frames(path: &Path) -> Vec<Drawn> {
    match path {
        Path::Known(frames) => known(frames),
        Path::NeverSearched => vec![word("[failed before the port search, where stacks are taken]")],
        Path::Early => vec![word("[began before stacks were taken]")],
        Path::Lost => vec![word("[stack lost]")],
        Path::NoRoom => vec![word("[no room for more call paths]")],
    }
}

fn known(frames: &Frames) -> Vec<Drawn> {
    let lack = match frames.user_end {
        UserEnd::Whole => None,
        UserEnd::Cut => Some("[truncated: deeper than the 8 KiB that are copied]"),
        UserEnd::Lost => Some("[unwinding failed here]"),
        UserEnd::Gone => Some("[process ended before unwinding]"),
        UserEnd::None => Some("[no user stack]"),
    };
    let kernel_lack = frames.kernel_errno.map(|errno| format!("[no kernel stack: errno {errno}]"));
    let drawn = |part| {
        move |frame: &crate::event::Frame| Drawn { name: frame.name.clone(), part, module: frame.module.clone() }
    };
    lack.map(word)
        .into_iter()
        .chain(frames.user.iter().map(drawn(Part::User)))
        .chain(kernel_lack.as_deref().map(word))
        .chain(frames.kernel.iter().map(drawn(Part::Kernel)))
        .collect()
}

/// Numbers of attempts with an incomplete path.
#[derive(Default)]
struct Doubts {
    cut: u64,
    lost_way: u64,
    gone: u64,
    no_user: u64,
    no_kernel: u64,
    no_stack: u64,
    no_room: u64,
}

impl Doubts {
    fn count(&mut self, path: &Path, connects: u64) {
        match path {
            Path::Known(frames) => {
                self.no_kernel += if frames.kernel_errno.is_some() { connects } else { 0 };
                match frames.user_end {
                    UserEnd::Whole => {}
                    UserEnd::Cut => self.cut += connects,
                    UserEnd::Lost => self.lost_way += connects,
                    UserEnd::Gone => self.gone += connects,
                    UserEnd::None => self.no_user += connects,
                }
            }
            Path::NeverSearched | Path::Early => {}
            Path::Lost => self.no_stack += connects,
            Path::NoRoom => self.no_room += connects,
        }
    }

    fn notes(&self) -> Vec<String> {
        let all = [
            (self.lost_way, "user stacks could not be unwound completely"),
            (self.cut, "user stacks are deeper than the 8 KiB that are copied"),
            (self.gone, "processes ended before their stacks were unwound"),
            (self.no_user, "connects have no user stack: kernel threads or 32-bit programs"),
            (self.no_kernel, "kernel stacks are missing"),
            (self.no_stack, "stacks were lost"),
            (self.no_room, "connects found no room for their call path"),
        ];
        all.into_iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect()
    }
}

#[cfg(test)]
pub(super) mod tests;
