// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which parts of the guests' suite run on which kernel by default.

/// A kernel line, and the parts of the suite that run there: names that `tests/vm` knows.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub line: &'static str,
    pub parts: &'static str,
}

/// Everything.
pub const ALL: &str = "kernel,ends,once";

/// What asks a kernel function or a layout runs everywhere; what rests on that runs on the oldest and the newest line; what
/// does not depend on the kernel runs once. The longest first.
pub const BY_DEFAULT: [Entry; 5] = [
    Entry { line: "5.10", parts: "kernel,ends" },
    Entry { line: "7.2", parts: "kernel,ends" },
    Entry { line: "6.12", parts: "kernel,once" },
    Entry { line: "6.1", parts: "kernel" },
    Entry { line: "6.18", parts: "kernel" },
];
