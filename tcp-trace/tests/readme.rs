// SPDX-License-Identifier: MIT OR Apache-2.0
//! The commands that the README shows exist, with the flags that it shows.

use clap::Parser as _;
use tcp_trace::cli::Cli;

const README: &str = include_str!("../../README.md");

/// Lines of shell blocks, without prompt words and comments.
fn commands(program: &str) -> Vec<Vec<&'static str>> {
    let blocks = README.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines).map(|line| line.split(" #").next().unwrap_or(line).trim());
    let words = lines.map(|line| line.split_whitespace().skip_while(|word| *word == "sudo").collect::<Vec<_>>());
    words.filter(|words| words.first() == Some(&program)).collect()
}

#[test]
fn commands_are_understood() {
    let commands = commands("tcp-trace");
    assert!(commands.len() >= 8, "the README shows {} commands of tcp-trace", commands.len());
    for command in commands {
        if let Err(error) = Cli::try_parse_from(&command) {
            panic!("{}\n{error}", command.join(" "));
        }
    }
}
