// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who called `connect()`, frame by frame.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fields::structure;
use crate::outside::Text;

/// The fields of a `stack` event: `fields.rs` says how to read this list. Stacks are drawn, never listed, so no JSON line
/// and no CSV row has them.
macro_rules! stack_fields {
    ($consumer:ident) => {
        $consumer! {
            /// The stacks of a thread in an attempt of `connect()`. `tid` and `began_ns` identify the attempt: its
            /// [`Connect`](super::Connect) comes later and carries the same two.
            Stack "stack" {
                /// When the stacks were taken.
                "time" time: Timestamp => recorded;
                /// Process id.
                "pid" pid: u32 => recorded;
                /// Thread id.
                "tid" tid: u32 => recorded;
                /// When the attempt began, in nanoseconds of `CLOCK_MONOTONIC`.
                "began_ns" began_ns: u64 => recorded;
                /// When the stacks were taken: as the `search` for a port began, or when the thread was found `on_cpu`.
                "taken" taken: Taken => recorded;
                /// The frames, as JSON: `user` and `kernel`, the outermost first.
                "frames" frames: Arc<Frames> => recorded;
                /// What `frames` is made of; `None` once it is. A piece of the process's memory, which is never recorded.
                "" captured: Option<Box<Captured>> => recorded;
            }
        }
    };
}
pub(crate) use stack_fields;

stack_fields!(structure);

/// On what occasion stacks were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// The search for a port began; once an attempt.
    Search,
    /// The thread was found on a CPU within its attempt.
    OnCpu,
}

/// Frames, the outermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Frames {
    /// In the program.
    pub user: Vec<Frame>,
    /// Whether these are all of them.
    pub user_end: UserEnd,
    /// In the kernel, up to the function that was traced.
    pub kernel: Vec<Frame>,
    /// Positive errno, if the kernel's stack could not be read.
    pub kernel_errno: Option<i32>,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Frame {
    /// The function, or the place in its file where that has no name: `nginx+0x3f2a10`.
    pub name: Text,
    /// The file that it is in; `None`: the kernel, or code that was made while it ran.
    pub module: Option<Text>,
}

/// Where the way out through a user stack ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserEnd {
    /// At the outermost function.
    Whole,
    /// At the end of the piece of the stack that is taken along: there are more.
    Cut,
    /// At code that has neither unwind tables nor frame pointers.
    Lost,
    /// Nowhere: the process was gone before its maps were read, or tcp-trace may not read them.
    Gone,
    /// There is none: a thread of the kernel, or a 32-bit program.
    #[default]
    None,
}

/// Addresses, and what the way out through the user stack is found by.
#[derive(Clone, PartialEq, Eq)]
pub struct Captured {
    /// Kernel addresses, the innermost first, or a positive errno.
    pub kernel: Result<Vec<u64>, i32>,
    /// User instruction pointer; 0: none.
    pub ip: u64,
    /// User stack pointer.
    pub sp: u64,
    /// User frame pointer.
    pub bp: u64,
    /// What was at `sp`.
    pub user: Vec<u8>,
    /// There is more of it.
    pub cut: bool,
}

impl std::fmt::Debug for Captured {
    /// Without the memory, which may hold anything.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Captured").field("ip", &self.ip).field("user_bytes", &self.user.len()).finish_non_exhaustive()
    }
}
