// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verdicts as JUnit XML, which CI servers show. A rule that fails is a failure, and one of which it is unknown whether it
//! holds is an error, so that no server takes it as passed. The template escapes all text.

use minijinja::{Environment, Value, value::Serde};
use serde::Serialize;

use super::{Checked, Verdict, Verdicts};
use crate::{
    exit::{Failure, Tried},
    outside::one_line,
    view::screen::{self, Layout},
};

const REPORT: &str = include_str!("junit.xml");

/// Values for the template.
#[derive(Serialize)]
struct Report<'a> {
    rules: usize,
    failures: u64,
    errors: u64,
    seconds: String,
    timestamp: String,
    kernel: String,
    tier: String,
    cases: Vec<Case<'a>>,
    accounts: String,
}

/// One rule.
#[derive(Serialize)]
struct Case<'a> {
    name: &'a str,
    verdict: &'static str,
    evidence: String,
}

/// The verdicts as a document.
///
/// # Errors
/// When the template does not match its values.
pub fn junit(verdicts: &Verdicts) -> Result<String, Failure> {
    let summary = &verdicts.summary;
    let layout = Layout { width: 120, top: 0, colours: false, unicode: false, verbose: true };
    let report = Report {
        rules: verdicts.checked.len(),
        failures: verdicts.count(Verdict::Fail),
        errors: verdicts.count(Verdict::Indeterminate),
        seconds: format!("{:.3}", summary.observed.seconds),
        timestamp: summary.time.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        kernel: one_line(&summary.kernel).into_owned(),
        tier: summary.tier.map_or_else(|| "none".into(), |tier| tier.to_string()),
        cases: verdicts.checked.iter().map(Case::of).collect(),
        accounts: screen::accounts(summary, layout),
    };
    let mut templates = Environment::new();
    let rendered = templates
        .add_template("junit.xml", REPORT)
        .and_then(|()| templates.get_template("junit.xml")?.render(Value::from(Serde(&report))));
    rendered.map_err(|error| Failure::Failed {
        headline: "cannot write JUnit XML".into(),
        tried: vec![Tried::new("template", error.to_string())],
        try_next: Vec::new(),
    })
}

impl<'a> Case<'a> {
    fn of(checked: &'a Checked) -> Self {
        let lines = checked
            .evidence
            .iter()
            .map(|evidence| one_line(&format!("{}: {}", evidence.condition, evidence.in_words())).into_owned());
        Self { name: &checked.rule, verdict: checked.verdict.name(), evidence: lines.collect::<Vec<_>>().join("\n") }
    }
}
