// SPDX-License-Identifier: MIT OR Apache-2.0
//! Findings in words, with evidence and fixes.

use std::fmt::Write;

use super::{
    format::{duration, share, wrapped},
    screen::Layout,
    theme::Theme,
};
use crate::{
    aggregate::words::grouped,
    findings::{Evidence, Finding},
};

/// Writes all findings of `doctor`, with their number first.
pub(super) fn causes(out: &mut String, theme: Theme, layout: Layout, all: &[Finding]) {
    let head = match all {
        [] => "no findings: nothing wrong in what was observed".to_owned(),
        [_] => "1 cause found".to_owned(),
        _ => format!("{} causes found, worst first", all.len()),
    };
    let _ = writeln!(out, "\n{}", theme.title(&head));
    findings(out, theme, layout, all);
}

pub(super) fn findings(out: &mut String, theme: Theme, layout: Layout, findings: &[Finding]) {
    let shown = &findings[..findings.len().min(layout.top)];
    for (index, finding) in shown.iter().enumerate() {
        let head = format!("{} ({}): {}", finding.code, finding.severity, finding.headline);
        let _ = writeln!(out);
        for line in wrapped(&head, layout.width) {
            let _ = writeln!(out, "{}", theme.severity(finding.severity, &line));
        }
        let evidence = finding.evidence.iter().map(|(name, value)| in_words(name, value));
        let evidence: Vec<String> = evidence.map(|(name, value)| format!("{name} {value}")).collect();
        for line in wrapped(&format!("evidence: {}", evidence.join(", ")), layout.width - 2) {
            let _ = writeln!(out, "  {line}");
        }
        if let Some(same) = shown[..index].iter().find(|earlier| earlier.fix == finding.fix) {
            let _ = writeln!(out, "  fix: same as for {} above", same.code);
            continue;
        }
        let _ = writeln!(out, "  fix:");
        for line in &finding.fix {
            fix(out, theme, layout, line);
        }
        let gain = finding.gain.as_deref().map(|gain| ("gain", gain));
        let risk = finding.risk.as_deref().map(|risk| ("risk", risk));
        let avoid = finding.code.avoid().iter().map(|avoid| ("avoid", *avoid));
        for (what, words) in gain.into_iter().chain(risk).chain(avoid) {
            for line in wrapped(&format!("{what}: {words}"), layout.width - 2) {
                let _ = writeln!(out, "  {line}");
            }
        }
    }
    if findings.len() > layout.top {
        let _ = writeln!(out, "\n{} more findings (--top)", findings.len() - layout.top);
    }
}

/// Writes a line of a fix. Comments are wrapped; a command is never broken, so that no part of it is pasted alone.
fn fix(out: &mut String, theme: Theme, layout: Layout, line: &str) {
    match line.strip_prefix("# ") {
        Some(comment) => {
            for part in wrapped(comment, layout.width - 6) {
                let _ = writeln!(out, "    {}", theme.faint(&format!("# {part}")));
            }
        }
        None => {
            let _ = writeln!(out, "    {line}");
        }
    }
}

/// Name and value of a piece of evidence.
pub(crate) fn in_words(name: &str, value: &Evidence) -> (String, String) {
    let (name, is_duration) = match name.strip_suffix("_ns") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let value = match value {
        Evidence::Number(ns) if is_duration => duration(Some(*ns)),
        // An inode number is a name, not a quantity.
        Evidence::Number(inode) if name == "netns" => inode.to_string(),
        Evidence::Number(number) => grouped(*number),
        Evidence::Share(part) => share(Some(*part)),
        Evidence::Text(text) => text.clone(),
        Evidence::Flag(flag) => (if *flag { "yes" } else { "no" }).to_owned(),
        Evidence::Unknown => "?".to_owned(),
    };
    (name.replace('_', " "), value)
}
