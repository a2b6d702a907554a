// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the program ends: the only place with exit codes.

use std::fmt::Write as _;

use crate::outside::one_line;

/// Exit code for a finding at or above `--fail-on`, and for a rule of `check` that does not hold. Not a failure of the
/// program, so not a [`Failure`].
pub const FAIL_ON: u8 = 3;
/// Exit code for a rule of `check` of which it is unknown whether it holds, while no other rule fails.
pub const INDETERMINATE: u8 = 4;

/// One thing that was tried before the failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Name of what was tried: a tier, a file.
    pub what: String,
    /// Why it failed.
    pub why: String,
}

impl Tried {
    /// What was tried, and why it failed.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}

/// A failure that the user can act on. Its headline is a sentence without a full stop; `try_next` lists what to do, one
/// line each.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something failed during the run.
    #[error("{headline}")]
    Failed {
        /// What failed.
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
    /// The command line asks for something impossible.
    #[error("{headline}")]
    Usage {
        /// What is wrong with it.
        headline: String,
        /// What to write instead.
        try_next: Vec<String>,
    },
    /// This kernel does not support it, with any privileges.
    #[error("{headline}")]
    KernelLacks {
        /// What is not supported.
        headline: String,
        /// What was tried.
        tried: Vec<Tried>,
        /// What to do next.
        try_next: Vec<String>,
    },
    /// This kernel supports it, with more privileges.
    #[error("{headline}")]
    NotPermitted {
        /// What is not permitted.
        headline: String,
        /// What was tried.
        tried: Vec<Tried>,
        /// What to do next.
        try_next: Vec<String>,
    },
}

impl Failure {
    /// The failure and its reasons in one line, without what to do.
    pub fn in_a_line(&self) -> String {
        let tried = match self {
            Self::Failed { tried, .. } | Self::KernelLacks { tried, .. } | Self::NotPermitted { tried, .. } => tried,
            Self::Output { .. } | Self::Usage { .. } => &Vec::new(),
        };
        let why: Vec<_> = tried.iter().map(|tried| format!("{}: {}", tried.what, tried.why)).collect();
        let line = if why.is_empty() { self.to_string() } else { format!("{self} ({})", why.join("; ")) };
        one_line(&line).into_owned()
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

    /// Text for standard error: the headline, what was tried, what to do next. Ends with a newline.
    pub fn report(&self) -> String {
        let mut report = format!("tcp-trace: {}\n", one_line(&self.to_string()));
        let width = self.tried().iter().map(|t| t.what.len()).max().unwrap_or(0);
        for Tried { what, why } in self.tried() {
            let mut lines = why.lines();
            let (what, first) = (one_line(what), one_line(lines.next().unwrap_or("no reason given")));
            // Writing to a `String` never fails.
            let _ = writeln!(report, "  tried {what:width$}  {first}");
            for line in lines {
                let _ = writeln!(report, "        {:width$}  {}", "", one_line(line));
            }
        }
        for line in self.try_next() {
            let _ = writeln!(report, "  try: {}", one_line(line));
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
                std::io::ErrorKind::StorageFull => "free some space there, or choose another file with --output",
                _ => "choose another file with --output, or leave out --output for standard output",
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
    fn names_in_a_failure_do_nothing_and_add_no_line() {
        let name = "/tmp/a\nb\x1b]0;x\x07\r\u{202e}\u{9b}1m";
        let (headline, try_next) = (format!("no file {name}"), vec![format!("another than {name}")]);
        // A reason may have several lines, as the verifier's do.
        let tried = vec![Tried::new(name, format!("{name}\nand"))];
        let clone = || (headline.clone(), tried.clone(), try_next.clone());
        let failures = [
            (clone(), |(headline, tried, try_next)| Failure::Failed { headline, tried, try_next }),
            (clone(), |(headline, tried, try_next)| Failure::KernelLacks { headline, tried, try_next }),
            (clone(), |(headline, tried, try_next)| Failure::NotPermitted { headline, tried, try_next }),
            (clone(), |(headline, _, try_next)| Failure::Usage { headline, try_next }),
            (clone(), |(to, ..)| Failure::Output { to, source: std::io::Error::other("a\x07b") }),
        ] as [((String, Vec<Tried>, Vec<String>), fn(_) -> Failure); 5];
        for (words, failure) in failures {
            let failure = failure(words);
            let report = failure.report();
            let lines: Vec<_> = report.lines().collect();
            assert!(lines.iter().all(|line| one_line(line) == *line), "{report:?}");
            assert!(lines[1..].iter().all(|line| line.starts_with("  ")), "{report}");
            let in_a_line = failure.in_a_line();
            assert_eq!(one_line(&in_a_line), in_a_line);
        }
    }

    #[test]
    fn output_says_where() {
        let failure = Failure::Output { to: "/proc/x".into(), source: std::io::Error::from_raw_os_error(libc::ENOSPC) };
        assert_eq!(failure.code(), 1);
        assert!(failure.report().starts_with("tcp-trace: cannot write /proc/x: No space left on device"));
        assert!(failure.report().contains("\n  try: free some space"));
    }
}
