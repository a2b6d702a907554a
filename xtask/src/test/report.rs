// SPDX-License-Identifier: MIT OR Apache-2.0
//! The end of a test run: a table of verdicts, where the time went, and by name what failed and what was not run.

use super::{
    allowed,
    tally::{Tally, Timed},
};

/// The slowest tests that are listed.
const SLOWEST: usize = 20;

/// One machine's share of the run.
pub struct Row {
    pub name: String,
    pub tally: Tally,
    pub seconds: u64,
    /// Of these, to build what only it runs.
    pub build: Option<u64>,
}

/// Prints all of it, the plain line that ends it last; whether the run was green.
///
/// `guests_build`: seconds that building for all guests took.
pub fn print(mut rows: Vec<Row>, guests_build: Option<u64>, seconds: u64, in_ci: bool) -> bool {
    if in_ci {
        rows.iter_mut().for_each(fail_what_must_run);
    }
    println!("\n{:<14}{:>8}{:>8}{:>9}{:>10}", "", "passed", "failed", "not run", "seconds");
    for Row { name, tally: Tally { passed, failed, not_run, .. }, seconds, .. } in &rows {
        println!("{name:<14}{passed:>8}{:>8}{:>9}{seconds:>10}", failed.len(), not_run.len());
    }
    times(&rows, guests_build, seconds);
    let mut total = Tally::default();
    let mut failures = Vec::new();
    println!();
    for Row { name, tally, .. } in rows {
        for (test, why) in &tally.not_run {
            let loudly = if allowed::allows(&name, test, why) { "" } else { "  <- must run in CI" };
            println!("not run: {name}: {test}: {why}{loudly}");
        }
        failures.extend(tally.failed.iter().map(|test| format!("FAILED:  {name}: {test}")));
        total.add(tally);
    }
    failures.iter().for_each(|failure| println!("{failure}"));
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed.len(), total.not_run.len());
    total.failed.is_empty()
}

/// In CI a test that was not run is a failure, unless the list of allowed ones has it with this reason.
fn fail_what_must_run(row: &mut Row) {
    let Row { name, tally, .. } = row;
    let (allowed, must_run): (Vec<_>, Vec<_>) =
        tally.not_run.drain(..).partition(|(test, why)| allowed::allows(name, test, why));
    tally.not_run = allowed;
    tally.failed.extend(must_run.into_iter().map(|(test, why)| format!("{test}: not run, but it must: {why}")));
}

fn times(rows: &[Row], guests_build: Option<u64>, seconds: u64) {
    let mut slowest: Vec<(&str, &Timed)> =
        rows.iter().flat_map(|row| row.tally.timed.iter().map(|timed| (row.name.as_str(), timed))).collect();
    slowest.sort_by(|(_, a), (_, b)| b.with_setup().total_cmp(&a.with_setup()));
    println!("\nthe slowest tests, with the setup of their themes in seconds");
    for (row, timed) in slowest.iter().take(SLOWEST) {
        println!("{row:>14}  {:>6.1} + {:>6.1}  {}", timed.seconds, timed.setup, timed.name);
    }
    println!("\nseconds within tests, and in setup between them");
    for Row { name, tally, .. } in rows.iter().filter(|row| !row.tally.timed.is_empty()) {
        let within: f64 = tally.timed.iter().map(|timed| timed.seconds).sum();
        let between: f64 = tally.timed.iter().map(|timed| timed.setup).sum();
        println!("{name:>14}  {within:>6.0}  {between:>6.0}");
    }
    println!("\nseconds to build");
    let of_rows = rows.iter().map(|row| (row.name.as_str(), row.build));
    for (what, seconds) in [("the guests", guests_build)].into_iter().chain(of_rows) {
        if let Some(seconds) = seconds {
            println!("{what:>14}  {seconds:>6}");
        }
    }
    println!("{:>14}  {seconds:>6}", "whole run");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(not_run: &[(&str, &str)]) -> Row {
        let not_run = not_run.iter().map(|(test, why)| ((*test).to_owned(), (*why).to_owned())).collect();
        Row { name: "7.2".to_owned(), tally: Tally { not_run, ..Tally::default() }, seconds: 1, build: None }
    }

    #[test]
    fn a_kernel_that_cannot_be_had_fails_in_ci_only() {
        let missing = || vec![row(&[("every test", "kernel 7.2 cannot be had")])];
        assert!(print(missing(), None, 1, false));
        assert!(!print(missing(), None, 1, true));
    }
}
