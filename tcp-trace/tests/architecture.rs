// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which top-level module uses which: only those of earlier stages, so there is no cycle. ARCHITECTURE.md has the same table.
//!
//! It reads the sources: paths that begin with `crate::`, and `super::` as far as the root. Tests may use what they like.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A module may use those of the lines above its own, and no others.
const STAGES: [&[&str]; 15] = [
    &["outside"],
    &["clock", "exit", "shutdown"],
    &["event", "kernel"],
    &["model", "probes", "proc_text"],
    &["decode", "enrich", "inventory", "machine", "mode"],
    &["session_info", "source"],
    &["aggregate", "governor"],
    &["findings", "stream"],
    &["summarize"],
    &["what_if"],
    &["export", "view"],
    &["confine", "flame", "lab", "recording"],
    &["check", "report", "session"],
    &["cli"],
    // Leads fuzzers to parsers of every stage.
    &["hostile"],
];

fn stage(module: &str) -> Option<usize> {
    STAGES.iter().position(|modules| modules.contains(&module))
}

/// Line breaks stay, so that lines keep their numbers.
fn without_comments_and_strings(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some(letter) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if letter == '"' {
            let mut letters = rest.char_indices().skip(1);
            loop {
                match letters.next() {
                    Some((_, '\\')) => drop(letters.next()),
                    Some((at, '"')) => break at + 1,
                    Some(_) => {}
                    None => break rest.len(),
                }
            }
        } else if let Some(after) = ["'\"'", "'\\''", "'\\\"'"].iter().find(|quoted| rest.starts_with(**quoted)) {
            after.len()
        } else {
            kept.push(letter);
            rest = &rest[letter.len_utf8()..];
            continue;
        };
        kept.extend(rest[..skipped].chars().filter(|letter| *letter == '\n'));
        rest = &rest[skipped..];
    }
    kept
}

/// Of what a path goes on with, the modules that it names: one, or those of a list.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| {
        text.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
    };
    let Some(list) = path.trim_start().strip_prefix('{') else { return vec![name(path)] };
    let (mut names, mut depth, mut part) = (Vec::new(), 0, String::new());
    for letter in list.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&std::mem::take(&mut part))),
            _ => {}
        }
        if letter != ',' {
            part.push(letter);
        }
    }
    names.push(name(&part));
    names
}

/// Top-level modules that a file uses, each with the line. `depth`: how many `super` lead from it to the root.
fn used(text: &str, depth: usize) -> BTreeSet<(String, usize)> {
    let text = without_comments_and_strings(text);
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let to_root = "super::".repeat(depth);
    let starts = ["crate::", to_root.as_str()].into_iter().flat_map(|start| {
        text.match_indices(start).filter_map(move |(at, _)| {
            let before = text[..at].chars().next_back();
            let is_whole = before.is_none_or(|letter| !letter.is_alphanumeric() && !['_', ':'].contains(&letter));
            is_whole.then_some((at, at + start.len()))
        })
    });
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let named = starts.flat_map(|(at, after)| first_names(&text[after..]).into_iter().map(move |name| (name, at)));
    // Items of the root itself are no modules.
    named.filter(|(name, _)| stage(name).is_some()).map(|(name, at)| (name, line(at))).collect()
}

fn is_test(file: &Path) -> bool {
    let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let in_tests = file.components().any(|part| part.as_os_str() == "tests");
    in_tests || ["tests", "sample"].contains(&name) || name.ends_with("_tests") || name.starts_with("tests_")
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// What a file uses that it must not, in words.
fn against_the_order(file: &Path, text: &str) -> Vec<String> {
    let parts: Vec<_> = file.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let module = parts[0].trim_end_matches(".rs").to_owned();
    let Some(own) = stage(&module) else { return vec![format!("{}: {module} is in no stage", file.display())] };
    let depth = parts.len() - usize::from(parts.last().is_some_and(|name| name == "mod.rs"));
    let wrong = used(text, depth).into_iter().filter(|(name, _)| *name != module && stage(name) >= Some(own));
    wrong.map(|(name, line)| format!("{}:{line}: {module} must not use {name}", file.display())).collect()
}

#[test]
fn stages_use_only_what_is_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 200, "{} files are not all", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let file = path.strip_prefix(&root).expect("below the root");
        if ["lib.rs", "main.rs"].iter().any(|name| file == Path::new(name)) || is_test(file) {
            continue;
        }
        wrong.extend(against_the_order(file, &fs::read_to_string(&path).expect("a source")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn an_arrow_against_the_order_is_found() {
    let text = "// use crate::cli;\nuse std::fmt;\n\nuse crate::{\n    event::Event,\n    export::{json, sink::Sink},\n};\n\n\
        const TEXT: &str = \"crate::report\";\nfn f() { crate::view::screen(super::super::report::of()) }\n\
        #[cfg(test)]\nmod tests {\n    use crate::cli;\n}\n";
    let found = against_the_order(Path::new("aggregate/ledger.rs"), text);
    assert_eq!(
        found,
        [
            "aggregate/ledger.rs:4: aggregate must not use export",
            "aggregate/ledger.rs:10: aggregate must not use report",
            "aggregate/ledger.rs:10: aggregate must not use view",
        ]
    );
    assert_eq!(against_the_order(Path::new("cli/live.rs"), text), [""; 0]);
}
