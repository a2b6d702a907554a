// SPDX-License-Identifier: MIT OR Apache-2.0
//! speedscope's own format: <https://www.speedscope.app/file-format-schema.json>

use std::collections::HashMap;

use serde::Serialize;

use super::{
    graph::{Drawn, Graph},
    weight::Weight,
};

#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    name: &'a str,
    exporter: &'static str,
    shared: Shared<'a>,
    profiles: [Profile<'a>; 1],
}

#[derive(Serialize)]
struct Shared<'a> {
    frames: Vec<Frame<'a>>,
}

#[derive(Serialize)]
struct Frame<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile<'a> {
    r#type: &'static str,
    name: &'a str,
    unit: &'static str,
    start_value: u64,
    end_value: u64,
    samples: Vec<Vec<usize>>,
    weights: Vec<u64>,
}

/// All paths as one profile.
pub fn speedscope(graph: &Graph, subtitle: &str) -> Vec<u8> {
    let mut numbers: HashMap<&Drawn, usize> = HashMap::new();
    let mut frames = Vec::new();
    let (mut samples, mut weights) = (Vec::new(), Vec::new());
    for (stack, weight) in graph.lines() {
        let number = |frame| {
            *numbers.entry(frame).or_insert_with(|| {
                frames.push(Frame { name: &frame.name, file: frame.module.as_deref() });
                frames.len() - 1
            })
        };
        samples.push(stack.iter().map(number).collect());
        weights.push(weight);
    }
    let file = File {
        schema: "https://www.speedscope.app/file-format-schema.json",
        name: subtitle,
        exporter: concat!("tcp-trace@", env!("CARGO_PKG_VERSION")),
        shared: Shared { frames },
        profiles: [Profile {
            r#type: "sampled",
            name: graph.weight.title(),
            unit: match graph.weight {
                Weight::Search | Weight::Handshake | Weight::OnCpu => "nanoseconds",
                Weight::PortsVisited | Weight::Count => "none",
            },
            start_value: 0,
            end_value: weights.iter().sum(),
            samples,
            weights,
        }],
    };
    // JSON can represent all of these strings and numbers.
    serde_json::to_vec(&file).unwrap_or_default()
}
