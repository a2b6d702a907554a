// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verdicts as text: worst first, each with its evidence, then the accounts of the run.

use std::fmt::Write as _;

use super::{Checked, Verdict, Verdicts};
use crate::{
    findings::Severity,
    view::{
        format::wrapped,
        screen::{self, Layout},
        theme::Theme,
    },
};

/// Columns of a verdict.
const VERDICT: usize = 13;

/// The whole report.
pub fn text(verdicts: &Verdicts, layout: Layout) -> String {
    let layout = Layout { width: layout.width.max(80), ..layout };
    let theme = Theme { colours: layout.colours };
    let mut out = screen::title("check", &verdicts.summary, layout);
    out.push('\n');
    for verdict in Verdict::ALL {
        let of_it = verdicts.checked.iter().filter(|checked| checked.verdict == verdict);
        of_it.for_each(|checked| rule(&mut out, theme, layout, checked));
    }
    let counts = Verdict::ALL.map(|verdict| (verdicts.count(verdict), verdict.name()));
    let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}"));
    let _ = writeln!(out, "\n{}", counts.collect::<Vec<_>>().join(", "));
    out += &screen::accounts(&verdicts.summary, layout);
    out
}

fn rule(out: &mut String, theme: Theme, layout: Layout, checked: &Checked) {
    let verdict = format!("{:VERDICT$}", checked.verdict.name());
    let verdict = match checked.verdict {
        Verdict::Fail => theme.severity(Severity::Critical, &verdict),
        Verdict::Indeterminate | Verdict::Warn => theme.severity(Severity::Warning, &verdict),
        Verdict::Pass => theme.title(&verdict),
    };
    let indent = VERDICT + 2;
    let width = layout.width - indent;
    let mut lines = wrapped(&checked.rule, width).into_iter();
    let _ = writeln!(out, "{verdict}  {}", lines.next().unwrap_or_default());
    for line in lines {
        let _ = writeln!(out, "{:indent$}{line}", "");
    }
    let several = checked.evidence.len() > 1;
    for evidence in &checked.evidence {
        let about = if several { format!("{}: ", evidence.condition) } else { String::new() };
        for line in wrapped(&format!("{about}{}", evidence.in_words()), width) {
            let _ = writeln!(out, "{:indent$}{}", "", theme.faint(&line));
        }
    }
}
