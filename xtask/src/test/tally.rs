// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verdicts, from the lines that a test program prints: cargo's and the guest's suite say them alike.

/// What a test program said so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: Vec<String>,
    /// With the reason.
    pub not_run: Vec<(String, String)>,
}

impl Tally {
    /// A tally of one failure, which no test's line speaks of.
    pub fn failure(what: String) -> Self {
        Self { failed: vec![what], ..Self::default() }
    }

    /// A tally of one thing that could not be run.
    pub fn not_run(what: String, why: String) -> Self {
        Self { not_run: vec![(what, why)], ..Self::default() }
    }

    /// Takes `test NAME ... VERDICT`; other lines are the tests' own talk.
    pub fn line(&mut self, line: &str) {
        let Some((name, verdict)) = line.trim().strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) else {
            return;
        };
        let name = name.to_owned();
        if verdict == "ok" || verdict.starts_with("ok ") {
            self.passed += 1;
        } else if let Some(why) = verdict.strip_prefix("not run").or_else(|| verdict.strip_prefix("ignored")) {
            self.not_run.push((name, why.trim_start_matches([':', ',', ' ']).to_owned()));
        } else if verdict.starts_with("FAILED") {
            self.failed.push(name + verdict.strip_prefix("FAILED").unwrap_or_default());
        }
    }

    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.not_run.extend(other.not_run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &str) -> Tally {
        let mut tally = Tally::default();
        lines.lines().for_each(|line| tally.line(line));
        tally
    }

    #[test]
    fn both_dialects_are_understood() {
        let tally = told(
            "running 3 tests\ntest a::b ... ok\ntest src/lib.rs - f (line 3) ... ok\ntest c ... ignored, needs root\n\
             test d ... FAILED\ntest e ... ok (1.5 s)\ntest g ... FAILED: 1 != 2\ntest h ... not run: no kprobes\n\
             test result: FAILED. 2 passed; 1 failed",
        );
        assert_eq!(tally.passed, 3);
        assert_eq!(tally.failed, ["d", "g: 1 != 2"]);
        let not_run = [("c", "needs root"), ("h", "no kprobes")];
        assert_eq!(tally.not_run, not_run.map(|(name, why)| (name.to_owned(), why.to_owned())));
    }
}
