// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of tests, verdicts, and the count at the end.

use std::{
    fmt,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Result;

/// Error: this machine cannot run the test. Not a failure, but always reported.
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

/// A part of the suite. Not every part runs on every kernel by default: see xtask/src/test/matrix.rs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Tests of kernel functions or layouts, which differ between kernel lines.
    Kernel,
    /// Tests that build on the first part.
    Ends,
    /// Tests that do not depend on the kernel.
    Once,
}

impl Part {
    /// The parts that the environment selects; all of them by default.
    fn chosen() -> Vec<Self> {
        let all = [("kernel", Self::Kernel), ("ends", Self::Ends), ("once", Self::Once)];
        let named = std::env::var("TCP_TRACE_PARTS");
        let is_named = |name: &str| named.as_ref().map_or(true, |named| named.split(',').any(|word| word == name));
        all.into_iter().filter(|(name, _)| is_named(name)).map(|(_, part)| part).collect()
    }
}

/// All verdicts so far.
pub struct Report {
    filter: Option<String>,
    parts: Vec<Part>,
    passed: u32,
    failed: u32,
    not_run: u32,
    /// End of the last test: the time until the next one is its theme's setup.
    last_end: Instant,
}

impl Report {
    pub fn new(filter: Option<String>) -> Self {
        Self { filter, parts: Part::chosen(), passed: 0, failed: 0, not_run: 0, last_end: Instant::now() }
    }

    /// Whether this part of the suite runs here.
    pub fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// Whether the filter selects anything in `theme`: a filter names a theme, or a test within one.
    pub fn wants(&self, theme: &str) -> bool {
        self.filter.as_deref().is_none_or(|filter| theme.contains(filter) || filter.starts_with(theme))
    }

    /// Runs one test.
    pub fn test(&mut self, name: &str, run: impl FnOnce() -> Result<()>) {
        if !self.filter.as_deref().is_none_or(|filter| name.contains(filter)) {
            return;
        }
        let setup = self.last_end.elapsed();
        let start = Instant::now();
        let result = run();
        let took = start.elapsed();
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("test {name} ... ok ({})", Took { took, setup });
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
        self.last_end = Instant::now();
    }

    pub fn finish(self) -> ExitCode {
        println!("{} passed, {} failed, {} not run", self.passed, self.failed, self.not_run);
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Duration of a test, and of its setup since the test before.
struct Took {
    took: Duration,
    setup: Duration,
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.took.as_secs_f32())?;
        if self.setup >= Duration::from_millis(100) {
            write!(f, ", setup {:.1} s", self.setup.as_secs_f32())?;
        }
        Ok(())
    }
}
