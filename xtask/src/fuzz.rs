// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask fuzz`: runs libFuzzer on each parser of outside data, for a limited time. The pinned toolchain counts
//! edges; a C++ compiler builds libFuzzer.

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    sync::Mutex,
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    setup,
    workspace::{TARGET, cargo, root, run as run_command, target},
};

/// Compiler flags for the coverage that libFuzzer needs, as cargo-fuzz sets them.
const COVERAGE: [&str; 7] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=16",
];
/// Fixtures that are also a corpus.
const FIXTURES: [(&str, &str); 2] =
    [("recording", "tcp-trace/tests/fixtures/recordings"), ("btf", "tcp-trace/tests/fixtures/kernels/5.10")];
/// Memory limit in MiB: the limit of a target, and the fuzzer's own memory.
const MEMORY_MIB: u32 = 2048;
/// Time limit in seconds for one input.
const SECONDS_OF_ONE: u32 = 60;

/// Fuzz each parser of outside data with libFuzzer
#[derive(clap::Args)]
pub struct Options {
    /// Only these targets
    targets: Vec<String>,
    /// Seconds per target; as many targets run at a time as there are CPUs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

pub fn run(options: &Options) -> Result<ExitCode> {
    let targets = targets(&options.targets)?;
    if setup::find("c++").is_none() {
        eprintln!("fuzz: not run: {}: libFuzzer needs a C++ compiler", targets.join(", "));
        return Ok(ExitCode::SUCCESS);
    }
    let begin = Instant::now();
    let mut build = cargo();
    build.args(["build", "--locked", "--release", "--target", TARGET, "--manifest-path", "fuzz/Cargo.toml"]);
    build.arg("--target-dir").arg(target("fuzz"));
    run_command(build.env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\u{1f}")))?;
    println!("fuzz: built in {} s", begin.elapsed().as_secs());
    let waiting = Mutex::new(targets.iter());
    let failed = Mutex::new(Vec::new());
    // A function of its own, so that no target is held up by the lock while another one runs.
    let next = || waiting.lock().expect("no panic").next();
    let work = || {
        while let Some(name) = next() {
            if let Err(error) = fuzz(name, options.seconds) {
                failed.lock().expect("no panic").push(format!("{name}: {error:#}"));
            }
        }
    };
    thread::scope(|scope| {
        (0..thread::available_parallelism().map_or(1, usize::from)).for_each(|_| {
            scope.spawn(work);
        })
    });
    let failed = failed.into_inner().expect("no panic");
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(ExitCode::SUCCESS)
}

/// All targets, or the selected ones.
fn targets(wanted: &[String]) -> Result<Vec<String>> {
    let files = fs::read_dir(root().join("fuzz/targets"))?.map(|entry| Ok(entry?.path()));
    let files = files.collect::<Result<Vec<PathBuf>>>()?;
    let mut names: Vec<_> = files.iter().filter_map(|path| path.file_stem()?.to_str()).map(ToOwned::to_owned).collect();
    names.sort();
    for name in wanted {
        ensure!(names.contains(name), "no target {name}: there are {}", names.join(", "));
    }
    names.retain(|name| wanted.is_empty() || wanted.contains(name));
    Ok(names)
}

/// Fuzzes a target. New inputs stay in target/fuzz/corpus; an input that crashes a parser is reported.
fn fuzz(name: &str, seconds: u32) -> Result<()> {
    let (found, log) = (target("fuzz/corpus").join(name), target("fuzz").join(format!("{name}.log")));
    fs::create_dir_all(&found)?;
    let begin = Instant::now();
    let mut fuzzer = Command::new(target("fuzz").join(TARGET).join("release").join(name));
    fuzzer.arg(format!("-max_total_time={seconds}")).arg(format!("-timeout={SECONDS_OF_ONE}"));
    fuzzer.arg(format!("-rss_limit_mb={MEMORY_MIB}")).arg(format!("-artifact_prefix={}/", target("fuzz").display()));
    fuzzer.arg("-print_final_stats=1").arg(&found);
    let fixtures = FIXTURES.iter().filter(|(target, _)| *target == name).map(|(_, folder)| root().join(folder));
    fuzzer.args([root().join("fuzz/corpus").join(name)].into_iter().chain(fixtures).filter(|folder| folder.is_dir()));
    let ended = fuzzer.stdout(Stdio::null()).stderr(fs::File::create(&log)?).status().context("could not start")?;
    let said = fs::read_to_string(&log).unwrap_or_default();
    let runs =
        said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")).unwrap_or("no").trim();
    let tail: Vec<_> = said.lines().rev().take(40).collect();
    ensure!(ended.success(), "{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
    println!("fuzz: {name} ... ok ({runs} inputs in {} s)", begin.elapsed().as_secs());
    Ok(())
}
