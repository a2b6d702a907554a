// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runbook pages of findings: each code has one, all have the same sections, and they agree with what findings print.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use clap::Parser as _;
use tcp_trace::{cli::Cli, findings::Code};

const SECTIONS: [&str; 5] = ["What it is", "How to be sure", "What to change", "What not to do", "Background"];
const COLUMNS: usize = 80;

/// Lines of a page, each with whether it is part of a block of code.
fn lines(page: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut inside = false;
    page.lines().map(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        (line, inside || fence)
    })
}

fn sources(code: Code) -> String {
    let own = code.name().replace('-', "_");
    let files: &[&str] = match code {
        Code::RangeFull | Code::ParityCliff | Code::TimeWaitPileup => &[&own, "fix"],
        Code::AcceptQueueOverflow => &["accept_queue"],
        Code::SynQueueOverflow => &["syn_queue"],
        Code::ConnectRefused | Code::ConnectUnanswered => &["unreached"],
        _ => &[&own],
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/findings");
    let read = |file: &&str| fs::read_to_string(folder.join(file).with_extension("rs")).expect("a source");
    files.iter().map(read).collect()
}

/// Names of settings in a source, without the folders of /proc/sys.
fn settings(source: &str) -> BTreeSet<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    let words = source.split(|letter| !is_part(letter)).map(|word| word.trim_end_matches('.'));
    let prefixes = ["net.ipv4.", "net.core.", "net.netfilter.", "fs."];
    words.filter_map(|word| prefixes.iter().find_map(|prefix| word.strip_prefix(prefix))).collect()
}

fn explain(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcp-trace"));
    command.arg("explain").args(arguments).stdin(Stdio::null()).output().expect("the program runs")
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/findings");
    let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let files: BTreeSet<_> = files.map(|name| name.into_string().expect("a name")).collect();
    assert_eq!(files, Code::ALL.map(|code| format!("{code}.md")).into());
    for code in Code::ALL {
        let begin = format!("# {code}\n\n{}\n\n## What it is\n", code.summary());
        assert!(code.page().starts_with(&begin), "{code}");
        assert!(code.summary().ends_with('.'), "{code}");
    }
}

#[test]
fn every_page_has_the_same_sections_and_fits_a_terminal() {
    for code in Code::ALL {
        let page = code.page();
        let headings: Vec<_> = lines(page).filter(|(line, in_code)| line.starts_with('#') && !in_code).collect();
        let names: Vec<_> = headings.iter().map(|(line, _)| line.trim_start_matches('#').trim()).collect();
        assert_eq!(names[0], code.name());
        assert_eq!(names[1..], SECTIONS, "{code}");
        assert!(lines(page).last().is_some_and(|(_, in_code)| !in_code), "{code}: a block of code does not end");
        for (line, in_code) in lines(page) {
            let may_be_long = in_code || line.contains("http");
            assert!(may_be_long || line.chars().count() <= COLUMNS, "{code}: {line}");
        }
        let count = page.lines().count();
        assert!((40..=90).contains(&count), "{code}: {count} lines");
    }
}

#[test]
fn pages_have_what_findings_say() {
    for code in Code::ALL {
        let (source, page) = (sources(code), code.page());
        for setting in settings(&source) {
            assert!(page.contains(setting), "{code}: no word of {setting}");
        }
        for command in ["ss -", "prlimit ", "tcpdump ", "ls /proc/", "tcp-trace listen "] {
            assert!(!source.contains(&format!("\"{command}")) || page.contains(command), "{code}: no {command}");
        }
        for advice in code.avoid() {
            let subject = advice.split(':').next().expect("a part");
            for setting in subject.split(' ').filter(|word| word.starts_with("tcp_") || word.starts_with("nf_")) {
                let setting = setting.split('=').next().expect("a part").trim_end_matches(',');
                assert!(page.contains(setting), "{code}: what not to do has no {setting}");
            }
        }
    }
}

/// A setting is written in a network namespace that the command names, or belongs to the whole machine.
#[test]
fn no_command_changes_the_wrong_namespace() {
    const OF_THE_MACHINE: [&str; 4] = ["fs.nr_open", "fs.file-max", "net.ipv4.tcp_mem", "net.ipv4.tcp_max_orphans"];
    for code in Code::ALL {
        for (line, _) in lines(code.page()).filter(|(line, in_code)| *in_code && line.contains("sysctl -w ")) {
            let line = line.trim();
            let named = line.starts_with("nsenter -t PID -n ") || line.starts_with("nsenter -t 1 -n ");
            assert!(named || OF_THE_MACHINE.iter().any(|setting| line.contains(setting)), "{code}: {line}");
        }
    }
}

#[test]
fn commands_of_tcp_trace_are_understood() {
    let mut count = 0;
    for code in Code::ALL {
        let inside = lines(code.page()).filter(|(_, in_code)| *in_code).map(|(line, _)| line.trim());
        for line in inside.filter(|line| line.trim_start_matches("sudo ").starts_with("tcp-trace ")) {
            let command = line.split(['#', '|']).next().unwrap_or(line);
            let words: Vec<_> = command.split_whitespace().skip_while(|word| *word == "sudo").collect();
            count += 1;
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{code}: {line}\n{error}");
            }
        }
    }
    assert!(count > 30, "{count} commands");
}

#[test]
fn the_program_prints_a_page_and_the_list() {
    let page = explain(&["parity-cliff"]);
    assert!(page.status.success());
    assert_eq!(String::from_utf8(page.stdout).expect("text"), Code::ParityCliff.page());

    let list = explain(&[]);
    assert!(list.status.success());
    let text = String::from_utf8(list.stdout).expect("text");
    assert!(!text.contains('\x1b'), "{text:?}");
    for code in Code::ALL {
        assert!(text.lines().any(|line| line.starts_with(code.name()) && line.ends_with(code.summary())), "{code}");
    }
}

#[test]
fn an_unknown_code_is_a_usage_error_with_a_suggestion() {
    let unknown = explain(&["parity-clif"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(unknown.stdout.is_empty());
    let text = String::from_utf8(unknown.stderr).expect("text");
    assert!(text.contains("'parity-cliff'"), "{text}");
}
