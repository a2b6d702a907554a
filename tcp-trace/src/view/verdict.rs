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

/// The mark of text that was cut off.
const CUT: &str = " ...";

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

/// Writes findings: eight lines each at most, or everything with `-v`.
pub(super) fn findings(out: &mut String, theme: Theme, layout: Layout, findings: &[Finding]) {
    let shown = &findings[..findings.len().min(layout.top)];
    for (index, finding) in shown.iter().enumerate() {
        let _ = writeln!(out);
        if layout.verbose {
            in_full(out, theme, layout, finding, &shown[..index]);
        } else {
            in_short(out, theme, layout, finding);
        }
    }
    if findings.len() > layout.top {
        let _ = writeln!(out, "\n{} more findings (--top)", findings.len() - layout.top);
    }
}

fn headline(finding: &Finding) -> String {
    format!("{} ({}): {}", finding.code, finding.severity, finding.headline)
}

/// Headline, who and a few figures, the best command for this kernel, and the main risk.
fn in_short(out: &mut String, theme: Theme, layout: Layout, finding: &Finding) {
    for line in at_most(2, &headline(finding), layout.width) {
        let _ = writeln!(out, "{}", theme.severity(finding.severity, &line));
    }
    let figure = |name: &&str| {
        let found = finding.evidence.iter().find(|(known, value)| known == name && *value != Evidence::Unknown);
        found.map(|(name, value)| in_words(name, value)).map(|(name, value)| format!("{name} {value}"))
    };
    let figures = finding.code.telling().iter().filter_map(figure).fold(String::new(), |line, figure| {
        match if line.is_empty() { figure } else { format!("{line}, {figure}") } {
            longer if line.is_empty() || longer.chars().count() <= layout.width - 2 => longer,
            _ => line,
        }
    });
    for line in at_most(1, &figures, layout.width - 2) {
        let _ = writeln!(out, "  {line}");
    }
    let comment = finding.fix.first().and_then(|line| line.strip_prefix("# "));
    let command = finding.fix.iter().find(|line| !line.starts_with('#'));
    for line in comment.map(|comment| at_most(2, &format!("fix: {comment}"), layout.width - 2)).unwrap_or_default() {
        let _ = writeln!(out, "  {line}");
    }
    if let Some(command) = command {
        // A command right below the comment belongs to it; one further down is another way.
        let what = match finding.fix.get(1) {
            _ if comment.is_none() => "fix:",
            Some(second) if second == command => "run:",
            _ => "or:",
        };
        // Never broken, so that no part of it is pasted alone.
        let _ = writeln!(out, "  {what} {command}");
    }
    if let Some(risk) = &finding.risk {
        for line in at_most(1, &format!("risk: {risk}"), layout.width - 2) {
            let _ = writeln!(out, "  {line}");
        }
    }
    let _ = writeln!(out, "  {}", theme.faint(&format!("more: tcp-trace explain {}, or -v", finding.code)));
}

/// Wrapped text of at most that many lines; `...` marks what is cut off.
fn at_most(lines: usize, text: &str, width: usize) -> Vec<String> {
    let mut wrapped = wrapped(text, width);
    if wrapped.len() > lines {
        wrapped.truncate(lines);
        if let Some(last) = wrapped.last_mut() {
            while last.chars().count() + CUT.len() > width
                && let Some(blank) = last.rfind(' ')
            {
                last.truncate(blank);
            }
            last.push_str(CUT);
        }
    }
    wrapped.retain(|line| !line.is_empty());
    wrapped
}

/// Everything about a finding; `earlier` are those above it, whose fix it does not repeat.
fn in_full(out: &mut String, theme: Theme, layout: Layout, finding: &Finding, earlier: &[Finding]) {
    for line in wrapped(&headline(finding), layout.width) {
        let _ = writeln!(out, "{}", theme.severity(finding.severity, &line));
    }
    let known = finding.evidence.iter().filter(|(_, value)| *value != Evidence::Unknown);
    let evidence: Vec<String> =
        known.map(|(name, value)| in_words(name, value)).map(|(name, value)| format!("{name} {value}")).collect();
    for line in wrapped(&format!("evidence: {}", evidence.join(", ")), layout.width - 2) {
        let _ = writeln!(out, "  {line}");
    }
    if let Some(same) = earlier.iter().find(|earlier| earlier.fix == finding.fix) {
        let _ = writeln!(out, "  fix: same as for {} above", same.code);
        return;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::{Code, Severity};

    #[test]
    fn a_finding_is_eight_lines_at_most() {
        let layout = Layout { width: 80, top: 5, colours: false, unicode: false, verbose: false };
        for code in Code::ALL {
            let long = "words that go on and on ".repeat(20);
            let evidence = code.telling().iter().map(|name| (*name, Evidence::Text(long.clone())));
            let finding = Finding {
                code,
                severity: Severity::Critical,
                headline: long.clone(),
                evidence: evidence.collect(),
                fix: vec![format!("# {long}"), "sysctl -w net.ipv4.tcp_tw_reuse=1".into(), format!("# or {long}")],
                gain: Some(long.clone()),
                risk: Some(long.clone()),
            };
            let mut text = String::new();
            findings(&mut text, Theme { colours: false }, layout, &[finding]);
            let lines: Vec<&str> = text.lines().skip(1).collect();
            assert!(lines.len() <= 8 && lines.iter().all(|line| line.chars().count() <= 80), "{code}:\n{text}");
            assert!(text.contains("\n  run: sysctl -w net.ipv4.tcp_tw_reuse=1\n"), "{text}");
        }
    }
}
