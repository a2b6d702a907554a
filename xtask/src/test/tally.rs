// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verdicts, from the lines that a test program prints: cargo's and the guest's suite say them alike.

/// What a test program said so far.
#[derive(Debug, Default, PartialEq)]
pub struct Tally {
    pub passed: usize,
    pub failed: Vec<String>,
    /// With the reason.
    pub not_run: Vec<(String, String)>,
    /// Tests that passed and said how long they took.
    pub timed: Vec<Timed>,
}

/// How long a test took, in seconds, as it said itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    pub name: String,
    pub seconds: f64,
    /// Setup since the test before: its theme's, where it is the first of one.
    pub setup: f64,
}

impl Timed {
    /// From `ok (1.5 s, setup 3.0 s)`; cargo's own tests don't say.
    fn parse(name: &str, verdict: &str) -> Option<Self> {
        let times = verdict.strip_prefix("ok (")?.strip_suffix(')')?;
        let (seconds, setup) = times.split_once(", setup ").unwrap_or((times, "0 s"));
        let number = |text: &str| text.strip_suffix(" s")?.parse().ok();
        Some(Self { name: name.to_owned(), seconds: number(seconds)?, setup: number(setup)? })
    }

    pub fn with_setup(&self) -> f64 {
        self.seconds + self.setup
    }
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
            self.timed.extend(Timed::parse(&name, verdict));
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
        self.timed.extend(other.timed);
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
             test d ... FAILED\ntest e ... ok (1.5 s, setup 2.0 s)\ntest g ... FAILED: 1 != 2\n\
             test h ... not run: no kprobes\ntest result: FAILED. 2 passed; 1 failed",
        );
        assert_eq!(tally.passed, 3);
        assert_eq!(tally.failed, ["d", "g: 1 != 2"]);
        assert_eq!(tally.timed, [Timed { name: "e".into(), seconds: 1.5, setup: 2.0 }]);
        let not_run = [("c", "needs root"), ("h", "no kprobes")];
        assert_eq!(tally.not_run, not_run.map(|(name, why)| (name.to_owned(), why.to_owned())));
    }
}
