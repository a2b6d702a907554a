// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the program ends: the one place that knows a number for the shell.

use std::fmt::Write as _;

/// A finding or threshold that `--fail-on` asked for. Not a failure of the program, so not a [`Failure`].
pub const FAIL_ON: u8 = 3;

/// One thing that was tried before giving up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// What, in a word: a tier, a file.
    pub what: String,
    /// Why it did not do.
    pub why: String,
}

impl Tried {
    /// What was tried, and why it did not do.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}

/// A failure that the user can act on: its headline is a sentence without a full stop, `try_next` what to do, one
/// line each.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something broke while running.
    #[error("{headline}")]
    Failed {
        /// What broke.
        headline: String,
        /// What was tried.
        tried: Vec<Tried>,
        /// What to do next.
        try_next: Vec<String>,
    },
    /// The output could not be opened or written.
    #[error("cannot write {to}: {source}")]
    Output {
        /// The file, or `standard output`.
        to: String,
        /// Why.
        source: std::io::Error,
    },
    /// The command line asks for what cannot be.
    #[error("{headline}")]
    Usage {
        /// What is wrong with it.
        headline: String,
        /// What to write instead.
        try_next: Vec<String>,
    },
    /// This kernel cannot do it, whoever asks.
    #[error("{headline}")]
    KernelLacks {
        /// What cannot be done.
        headline: String,
        /// What was tried.
        tried: Vec<Tried>,
        /// What to do next.
        try_next: Vec<String>,
    },
    /// This kernel could, for somebody with more privileges.
    #[error("{headline}")]
    NotPermitted {
        /// What cannot be done.
        headline: String,
        /// What was tried.
        tried: Vec<Tried>,
        /// What to do next.
        try_next: Vec<String>,
    },
}

impl Failure {
    /// What failed and why, without what to do.
    pub fn in_a_line(&self) -> String {
        let tried = match self {
            Self::Failed { tried, .. } | Self::KernelLacks { tried, .. } | Self::NotPermitted { tried, .. } => tried,
            Self::Output { .. } | Self::Usage { .. } => return self.to_string(),
        };
        let why: Vec<_> = tried.iter().map(|tried| format!("{}: {}", tried.what, tried.why)).collect();
        if why.is_empty() { self.to_string() } else { format!("{self} ({})", why.join("; ")) }
    }

    /// The exit code. 69 and 77 are `EX_UNAVAILABLE` and `EX_NOPERM` of sysexits.h.
    pub fn code(&self) -> u8 {
        match self {
            Self::Failed { .. } | Self::Output { .. } => 1,
            Self::Usage { .. } => 2,
            Self::KernelLacks { .. } => 69,
            Self::NotPermitted { .. } => 77,
        }
    }

    /// What standard error gets: the headline, what was tried, what to do next. Ends with a newline.
    pub fn report(&self) -> String {
        let mut report = format!("tcp-trace: {self}\n");
        let width = self.tried().iter().map(|t| t.what.len()).max().unwrap_or(0);
        for Tried { what, why } in self.tried() {
            let mut lines = why.lines();
            // A `String` takes every write.
            let _ = writeln!(report, "  tried {what:width$}  {}", lines.next().unwrap_or("no reason given"));
            for line in lines {
                let _ = writeln!(report, "        {:width$}  {line}", "");
            }
        }
        for line in self.try_next() {
            let _ = writeln!(report, "  try: {line}");
        }
        report
    }

    fn tried(&self) -> &[Tried] {
        match self {
            Self::Failed { tried, .. } | Self::KernelLacks { tried, .. } | Self::NotPermitted { tried, .. } => tried,
            Self::Output { .. } | Self::Usage { .. } => &[],
        }
    }

    fn try_next(&self) -> Vec<&str> {
        match self {
            Self::Failed { try_next, .. }
            | Self::Usage { try_next, .. }
            | Self::KernelLacks { try_next, .. }
            | Self::NotPermitted { try_next, .. } => try_next.iter().map(String::as_str).collect(),
            Self::Output { source, .. } => vec![match source.kind() {
                std::io::ErrorKind::StorageFull => "free some space there, or choose another place with --output",
                _ => "another place with --output, or leave it out for standard output",
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_says_what_was_tried_and_what_to_do() {
        let failure = Failure::KernelLacks {
            headline: "cannot trace connect: no tier is available".into(),
            tried: vec![
                Tried::new("fentry", "kernel BTF is missing (/sys/kernel/btf/vmlinux)"),
                Tried::new("tracepoint", "kernel BTF is missing"),
            ],
            try_next: vec!["tcp-trace doctor".into()],
        };
        assert_eq!(
            failure.report(),
            "tcp-trace: cannot trace connect: no tier is available\n\
             \x20 tried fentry      kernel BTF is missing (/sys/kernel/btf/vmlinux)\n\
             \x20 tried tracepoint  kernel BTF is missing\n\
             \x20 try: tcp-trace doctor\n"
        );
        assert_eq!(failure.code(), 69);
    }

    #[test]
    fn output_says_where() {
        let failure = Failure::Output { to: "/proc/x".into(), source: std::io::Error::from_raw_os_error(libc::ENOSPC) };
        assert_eq!(failure.code(), 1);
        assert!(failure.report().starts_with("tcp-trace: cannot write /proc/x: No space left on device"));
        assert!(failure.report().contains("\n  try: free some space"));
    }
}
