// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tasks of tcp-trace's development: one file per subcommand.

mod accelerator;
mod apt;
mod bench;
mod dist;
mod ebpf;
mod fuzz;
mod guest;
mod initramfs;
mod kernels;
mod lint;
mod notices;
mod peers;
mod run;
mod rustc_wrapper;
mod setup;
#[path = "../../tcp-trace/build/sources.rs"]
mod sources;
mod static_build;
mod test;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, run and test tcp-trace")]
enum Xtask {
    Bench(bench::Options),
    Dist(dist::Options),
    Ebpf(ebpf::Options),
    Fuzz(fuzz::Options),
    Lint(lint::Options),
    Run(run::Options),
    Setup(setup::Options),
    Test(test::Options),
    Vm(vm::Options),
}

fn main() -> ExitCode {
    if let Some(status) = rustc_wrapper::wrap() {
        return status;
    }
    let ended = match Xtask::parse() {
        Xtask::Bench(options) => bench::run(&options),
        Xtask::Dist(options) => dist::run(&options),
        Xtask::Ebpf(options) => ebpf::run(&options),
        Xtask::Fuzz(options) => fuzz::run(&options),
        Xtask::Lint(options) => lint::run(&options),
        Xtask::Run(options) => run::run(&options),
        Xtask::Setup(options) => setup::run(&options),
        Xtask::Test(options) => test::run(&options),
        Xtask::Vm(options) => vm::run(&options),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_the_readme_are_understood() {
        let readme = include_str!("../../README.md");
        let lines = readme.lines().filter_map(|line| line.strip_prefix("cargo xtask "));
        let commands: Vec<_> = lines.map(|line| line.split('#').next().unwrap_or(line)).collect();
        assert!(commands.len() >= 2);
        for command in commands {
            let words = ["cargo xtask"].into_iter().chain(command.split_whitespace());
            assert!(Xtask::try_parse_from(words).is_ok(), "cargo xtask {command}");
        }
    }
}
