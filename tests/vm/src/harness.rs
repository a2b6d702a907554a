// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names, verdicts, and the count at the end.

use std::fmt;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

/// A test that this machine cannot run. Not a failure, and never silent.
#[derive(Debug)]
pub struct NotRun(pub String);

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotRun {}

/// The error of a test that cannot run here.
pub fn not_run(why: impl Into<String>) -> anyhow::Error {
    NotRun(why.into()).into()
}

/// All verdicts so far.
pub struct Report {
    filter: Option<String>,
    passed: u32,
    failed: u32,
    not_run: u32,
}

impl Report {
    pub fn new(filter: Option<String>) -> Self {
        Self { filter, passed: 0, failed: 0, not_run: 0 }
    }

    /// Whether anything in `theme` can be of interest. A filter names a theme, or a test within one.
    pub fn wants(&self, theme: &str) -> bool {
        self.filter.as_deref().is_none_or(|filter| theme.contains(filter) || filter.starts_with(theme))
    }

    /// Runs one test.
    pub fn test(&mut self, name: &str, run: impl FnOnce() -> Result<()>) {
        if !self.filter.as_deref().is_none_or(|filter| name.contains(filter)) {
            return;
        }
        let start = Instant::now();
        let result = run();
        let seconds = start.elapsed().as_secs_f32();
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("test {name} ... ok ({seconds:.1} s)");
            }
            Err(error) => match error.downcast_ref::<NotRun>() {
                Some(why) => {
                    self.not_run += 1;
                    println!("test {name} ... not run: {why}");
                }
                None => {
                    self.failed += 1;
                    println!("test {name} ... FAILED: {error:#}");
                }
            },
        }
    }

    pub fn finish(self) -> ExitCode {
        println!("{} passed, {} failed, {} not run", self.passed, self.failed, self.not_run);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
