// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs tcp-trace on the kernel at hand and holds its answers against what this program itself saw and did.
//!
//! Runs as root, alone, in a guest: `cargo xtask test`. Natively it does what it can, each theme in network namespaces
//! of its own. An argument is a filter: the tests whose names contain it. It shares no code with tcp-trace.

mod bpf;
mod cases;
mod cgroup;
mod harness;
mod lab;
mod matching;
mod netns;
mod nftables;
mod scan;
mod seen;
mod socket;
mod tiers;
mod tool;
mod witness;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut report = harness::Report::new(std::env::args().nth(1));
    if let Err(error) = tiers::prepare() {
        report.test("prepare", || Err(error));
        return report.finish();
    }
    cases::run_all(&mut report);
    report.finish()
}
