// SPDX-License-Identifier: MIT OR Apache-2.0
//! The page: fills the template with everything in a report. The template escapes all text.

use minijinja::{Environment, Value, value::Serde};
use serde::Serialize;

use super::{
    causes::Cause,
    policy::policy,
    section::{self, Material, Section},
    words::Answer,
};
use crate::exit::{Failure, Tried};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Values for the template.
#[derive(Serialize)]
struct Page<'a> {
    title: String,
    subtitle: String,
    answer: Answer,
    causes: Vec<Cause>,
    gone: Vec<Cause>,
    sections: Vec<Section>,
    notes: &'a [String],
    colophon: String,
    policy: String,
    style: &'static str,
    script: &'static str,
}

/// The page of a whole run.
///
/// # Errors
/// When the template does not match its values.
pub fn page(material: &Material<'_>) -> Result<String, Failure> {
    let Material { session, summary, timelines, .. } = material;
    let begin = session.begin.wall;
    let gone = timelines.gone(&summary.findings);
    let causes: Vec<_> = summary.findings.iter().map(|finding| Cause::of(finding, timelines)).collect();
    let stamp = |time: jiff::Timestamp| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let tier = summary.tier.map_or("none".into(), |tier| tier.to_string());
    let subtitle = format!(
        "{} to {}, {:.1} s; kernel {}; tier {tier}",
        stamp(begin),
        stamp(summary.time),
        summary.observed.seconds,
        summary.kernel
    );
    let page = Page {
        title: format!("tcp-trace report, {}", stamp(summary.time)),
        subtitle,
        answer: Answer::of(summary, &gone),
        causes,
        gone: gone.iter().map(|finding| Cause::of(finding, timelines)).collect::<Vec<_>>(),
        sections: section::all(material),
        notes: &summary.notes,
        colophon: format!(
            "Written by tcp-trace {}. Times are UTC. ? means unknown; a 0 was measured.",
            env!("CARGO_PKG_VERSION")
        ),
        policy: policy(STYLE, SCRIPT, material.flame.map(|flame| &flame.inline)),
        style: STYLE,
        script: SCRIPT,
    };
    let mut environment = Environment::new();
    let rendered = environment
        .add_template("page.html", PAGE)
        .and_then(|()| environment.get_template("page.html"))
        .and_then(|template| template.render(Value::from(Serde(&page))));
    rendered.map_err(|error| Failure::Failed {
        headline: "cannot write the report's page".into(),
        tried: vec![Tried::new("template", format!("{error:#}"))],
        try_next: vec!["this is a bug in tcp-trace: please report it".into()],
    })
}
