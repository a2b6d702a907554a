// SPDX-License-Identifier: MIT OR Apache-2.0
//! The word lint: phrases that read translated or literary, each with a replacement in plain technical English.

use std::{fs, process::Command};

use anyhow::{Result, ensure};

use crate::workspace::{output, root};

/// Phrases to avoid and what to write instead. A phrase is lower-case words; matching ignores case and line breaks.
const PHRASES: &[(&str, &str)] = &[
    ("whoever", "name the actor: the process, the caller, the kernel"),
    ("who was not there", "people who weren't there"),
    ("nobody", "no process, no thread, unknown"),
    ("somebody", "another process, a caller"),
    ("everybody", "every process, all users"),
    ("anybody", "any process, any user"),
    ("is told", "is reported"),
    ("are told", "are reported"),
    ("was told", "was reported"),
    ("were told", "were reported"),
    ("be told", "be reported"),
    ("not told", "not reported"),
    ("told of", "reported"),
    ("told by", "recognised by, reported by"),
    ("told apart", "distinguished"),
    ("tells of", "reports"),
    ("tell of", "report"),
    ("stands in", "appears in, is in"),
    ("stand in", "appear in, are in"),
    ("stands for", "represents"),
    ("stand for", "represent"),
    ("comes to", "amounts to, reaches"),
    ("come to", "amount to, reach"),
    ("came to", "amounted to, reached"),
    ("reckon", "compute, assume"),
    ("reckons", "computes, assumes"),
    ("reckoned", "computed, assumed"),
    ("so many", "this many, the number of"),
    ("for want of", "because there is no"),
    ("is to be", "must be, will be"),
    ("are to be", "must be, will be"),
    ("was to be", "should have been"),
    ("to be had", "available"),
    ("could not be had", "is missing, could not be read"),
    ("asked of", "read from, requested from"),
    ("look-up", "lookup"),
    ("look-ups", "lookups"),
    ("as above", "repeat the noun"),
    ("without a word", "without a message"),
    ("in vain", "without effect"),
    ("by hand of", "by"),
    ("a riddle", "unknown"),
    ("at which price", "at what cost"),
    ("gone into", "covered, modelled"),
    ("the answer of then", "the original report"),
    ("to the byte", "byte for byte"),
    ("of ours", "of tcp-trace"),
    ("not ours", "not of tcp-trace, another process's"),
    ("what becomes of", "what happens to"),
    ("what became of", "what happened to"),
];

/// Where a phrase is allowed: in the heading of the benchmarks' table, which is quoted in README.md.
const ALLOWED: &[&str] = &["nobody traces"];

/// Files of quotations and data, this list.
const EXEMPT: &[&str] =
    &["xtask/src/lint/words.rs", "tcp-trace/tests/golden/", "tcp-trace/tests/fixtures/", "fuzz/corpus/"];

/// Separates pieces of prose; no phrase contains it.
const CUT: char = '\u{1f}';

/// Text of a file that people read, with the line of each byte.
#[derive(Default)]
struct Prose {
    text: String,
    lines: Vec<usize>,
}

impl Prose {
    fn push(&mut self, byte: char, line: usize) {
        let byte = if byte.is_whitespace() { ' ' } else { byte.to_ascii_lowercase() };
        // One space for any whitespace, so that a phrase may continue on the next line.
        if matches!(byte, ' ' | CUT) && self.text.ends_with(byte) {
            return;
        }
        self.text.push(byte);
        self.lines.resize(self.text.len(), line);
    }

    /// Ends a phrase: what follows does not continue what came before.
    fn cut(&mut self, line: usize) {
        self.push(CUT, line);
    }

    /// Phrases found, with their lines.
    fn found(&self) -> impl Iterator<Item = (usize, &'static str, &'static str)> + '_ {
        // A part of an identifier or of a file name is no word.
        let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte));
        PHRASES.iter().flat_map(move |(phrase, instead)| {
            let bytes = self.text.as_bytes();
            self.text.match_indices(phrase).filter_map(move |(at, _)| {
                let before = at.checked_sub(1).and_then(|before| bytes.get(before));
                let whole = !is_word(before) && !is_word(bytes.get(at + phrase.len()));
                let allowed = ALLOWED.iter().any(|allowed| self.text[at..].starts_with(allowed));
                (whole && !allowed).then(|| (self.lines[at], *phrase, *instead))
            })
        })
    }
}

/// Comments and string literals of Rust source.
fn of_rust(source: &str) -> Prose {
    let mut prose = Prose::default();
    let mut line = 1;
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        // The longest piece of one kind that `rest` begins with, and what of it is prose.
        let (piece, text) = if rest.starts_with("//") {
            let piece = &rest[..rest.find('\n').unwrap_or(rest.len())];
            (piece, Some(piece.trim_start_matches(['/', '!'])))
        } else if rest.starts_with('"') {
            let piece = &rest[..string_len(rest)];
            (piece, Some(piece))
        } else if let Some(piece) = raw_string(rest) {
            (piece, Some(piece))
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            (&rest[..rest[1..].find('\'').map_or(rest.len(), |end| end + 2)], None)
        } else if next.is_whitespace() {
            (&rest[..next.len_utf8()], Some(" "))
        } else {
            prose.cut(line);
            (&rest[..next.len_utf8()], None)
        };
        let mut at = line;
        // A line that ends in a backslash goes on in the next one.
        for character in text.unwrap_or_default().chars().filter(|character| *character != '\\') {
            prose.push(character, at);
            at += usize::from(character == '\n');
        }
        line += piece.matches('\n').count();
        rest = &rest[piece.len()..];
    }
    prose
}

/// Bytes of the string literal that `text` begins with, quotes included.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    let end = text[1..].bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// The raw string literal that `text` begins with.
fn raw_string(text: &str) -> Option<&str> {
    let hashes = text.strip_prefix('r')?;
    let body = hashes.trim_start_matches('#');
    let end = format!("\"{}", "#".repeat(hashes.len() - body.len()));
    let body = body.strip_prefix('"')?;
    let len = body.find(&end)?;
    Some(&text[..text.len() - body.len() + len + end.len()])
}

/// All text of a document or of a configuration file.
fn of_text(source: &str) -> Prose {
    let mut prose = Prose::default();
    for (line, text) in source.lines().enumerate() {
        if text.trim().is_empty() {
            prose.cut(line + 1);
        }
        let comment = text.trim_start().trim_start_matches(['#', '>', '-', '*']);
        comment.chars().chain(Some(' ')).for_each(|character| prose.push(character, line + 1));
    }
    prose
}

/// Fails if a file of the repository contains one of the phrases, and prints each with its place and its replacement.
pub fn check() -> Result<()> {
    let mut git = Command::new("git");
    let files = output(git.arg("-C").arg(root()).args(["ls-files", "*.rs", "*.md", "*.toml", "*.yml"]))?;
    let mut count = 0;
    for name in files.lines().filter(|name| !EXEMPT.iter().any(|exempt| name.starts_with(exempt))) {
        let path = root().join(name);
        // A file that was removed, and not yet from the index.
        let Ok(source) = fs::read_to_string(&path) else { continue };
        let prose = if name.ends_with(".rs") { of_rust(&source) } else { of_text(&source) };
        for (line, phrase, instead) in prose.found() {
            println!("{name}:{line}: {phrase} -> {instead}");
            count += 1;
        }
    }
    ensure!(count == 0, "the word lint found {count} phrases to replace");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(prose: &Prose) -> Vec<(usize, &'static str)> {
        prose.found().map(|(line, phrase, _)| (line, phrase)).collect()
    }

    #[test]
    fn a_planted_phrase_is_found() {
        let source = "/// Whoever calls.\nfn nobody() {\n    // For want\n    // of ports.\n    let s = \"so \\\n        many\";\n    r#\"to be had\"#;\n}\n";
        assert_eq!(lines(&of_rust(source)), [(1, "whoever"), (5, "so many"), (3, "for want of"), (7, "to be had")]);
        assert_eq!(lines(&of_text("One.\n\n- Nobody reads\n  this.\n")), [(3, "nobody")]);
    }

    #[test]
    fn code_and_parts_of_words_are_not() {
        assert_eq!(
            lines(&of_rust("let nobody = '\"'; let nobody_else = \"nobody_at_all\"; // anybody's\n")),
            [(1, "anybody")]
        );
        assert_eq!(lines(&of_text("so manyfold\n\nfor want\n\nof it\n")), []);
    }
}
