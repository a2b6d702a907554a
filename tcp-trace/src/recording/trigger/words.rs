// SPDX-License-Identifier: MIT OR Apache-2.0
//! A trigger as words with their places, so that errors can point at them.

use std::ops::Range;

/// A syntax error and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Bytes of the text with the error.
    pub at: Range<usize>,
    /// The error, and what would be valid.
    pub what: String,
}

impl Wrong {
    pub(super) fn new(at: Range<usize>, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }

    /// The text, a mark under the place, and the error.
    pub fn point(&self, text: &str) -> String {
        let before = text[..self.at.start].chars().count();
        let marked = text[self.at.clone()].chars().count().max(1);
        format!("{}\n  {text}\n  {}{}", self.what, " ".repeat(before), "^".repeat(marked))
    }
}

/// A word, or one of `(`, `)`, `=`, `!=`, `<`, `<=`, `>`, `>=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// Bytes of the word in the text.
    pub at: Range<usize>,
    /// Text of the word.
    pub text: &'a str,
}

/// Splits a text into words; quotes keep a word together.
pub fn split(text: &str) -> Result<Vec<Word<'_>>, Wrong> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let len = match first {
            _ if first.is_whitespace() => {
                at += first.len_utf8();
                continue;
            }
            '(' | ')' | '=' => 1,
            '<' | '>' | '!' => 1 + usize::from(rest[1..].starts_with('=')),
            '"' | '\'' => {
                let end = rest[1..].find(first);
                let end = end.ok_or_else(|| Wrong::new(at..text.len(), "a quote without an end"))?;
                words.push(Word { at: at..at + end + 2, text: &rest[1..=end] });
                at += end + 2;
                continue;
            }
            _ => {
                let ends = |letter: char| letter.is_whitespace() || "()=<>!\"'".contains(letter);
                rest.find(ends).unwrap_or(rest.len())
            }
        };
        words.push(Word { at: at..at + len, text: &rest[..len] });
        at += len;
    }
    Ok(words)
}
