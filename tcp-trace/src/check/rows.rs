// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verdicts as rows for other programs.

use super::{Checked, Verdict, Verdicts, evidence::Evidenced, rule::Level};
use crate::{export::row::Row, findings::Evidence};

/// For each rule a row for each of its conditions and one for its verdict, then a row for all rules.
pub fn of(verdicts: &Verdicts) -> Vec<Row> {
    let rules = verdicts.checked.iter().flat_map(|checked| {
        let conditions = checked.evidence.iter().map(|evidence| condition(checked, evidence));
        conditions.chain([rule(checked)]).collect::<Vec<_>>()
    });
    let count = |verdict| Evidence::Number(verdicts.count(verdict));
    let all = Row {
        kind: "check",
        fields: vec![
            ("rules", Evidence::Number(verdicts.checked.len() as u64)),
            ("failed", count(Verdict::Fail)),
            ("indeterminate", count(Verdict::Indeterminate)),
            ("warned", count(Verdict::Warn)),
            ("passed", count(Verdict::Pass)),
            ("truncated", Evidence::Flag(verdicts.is_truncated)),
            ("exit_code", Evidence::Number(verdicts.exit_code().into())),
        ],
    };
    rules.chain([all]).collect()
}

fn condition(checked: &Checked, evidence: &Evidenced) -> Row {
    let text = |text: &str| if text.is_empty() { Evidence::Unknown } else { Evidence::Text(text.to_owned()) };
    Row {
        kind: "condition",
        fields: vec![
            ("rule", Evidence::Text(checked.rule.to_string())),
            ("condition", Evidence::Text(evidence.condition.clone())),
            ("holds", evidence.holds.map_or(Evidence::Unknown, Evidence::Flag)),
            ("measured", evidence.measured.clone()),
            ("unit", text(evidence.unit)),
            ("evidence", text(&evidence.words)),
            ("unknown", text(evidence.unknown.as_deref().unwrap_or_default())),
        ],
    }
}

fn rule(checked: &Checked) -> Row {
    let level = match checked.level {
        Level::Fail => "fail",
        Level::Warn => "warn",
    };
    Row {
        kind: "rule",
        fields: vec![
            ("rule", Evidence::Text(checked.rule.to_string())),
            ("level", Evidence::Text(level.into())),
            ("verdict", Evidence::Text(checked.verdict.name().into())),
        ],
    }
}
