// SPDX-License-Identifier: MIT OR Apache-2.0
//! Consumes live or recorded messages, and writes a flame graph at the end.

use std::io::{self, Write as _};

use super::{
    differential, folded,
    graph::{self, Graph, Split},
    pprof, speedscope, svg, text,
    weight::Weight,
};
use crate::{
    aggregate::stacks::StacksAggregate,
    exit::{Failure, Tried},
    export::{sink::Sink, whole_file::WholeFile},
    mode::Mode,
    probes::table::Signal,
    session_info::SessionInfo,
    stream::{Consumer, Message, Written},
    summarize::{Summarized, Summarizer, summary::Summary},
    view::format,
};

/// Format of a flame graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// The heaviest call paths as text
    Text,
    /// A graph for browsers, with search and zoom
    Svg,
    /// One line per call path: for other flame graph programs, and as a later --baseline
    Folded,
    /// JSON for speedscope.app
    Speedscope,
    /// For `go tool pprof` and Grafana, gzipped
    Pprof,
}

/// What to draw.
#[derive(Clone, Debug)]
pub struct PictureOptions {
    /// The weight that determines the width.
    pub weight: Weight,
    /// What the roots show, outermost first.
    pub split: Vec<Split>,
    /// Output format.
    pub format: Format,
    /// Folded stacks of another run to compare with.
    pub baseline: Option<Vec<u8>>,
    /// Number of paths in text.
    pub top: usize,
}

/// Where the flame graph is written.
#[derive(Debug)]
pub enum PictureTarget {
    /// To a stream.
    Stream(Sink),
    /// To a file, all at once.
    File(WholeFile),
}

/// Consumes messages, and draws at the end.
#[derive(Debug)]
pub struct Picture {
    summarizer: Summarizer,
    stacks: StacksAggregate,
    options: PictureOptions,
    /// The output; `None` once it is written.
    target: Option<PictureTarget>,
}

impl Picture {
    /// Starts without any message.
    pub fn new(session: &SessionInfo, options: PictureOptions, target: PictureTarget) -> Self {
        let summarizer = Summarizer::new(Mode::ConnectLatency, session);
        let stacks = StacksAggregate::new(session.begin.monotonic_ns);
        Self { summarizer, stacks, options, target: Some(target) }
    }

    fn draw(&mut self, summary: &Summary) -> Result<(), Failure> {
        let graph = Graph::new(&self.stacks.total(), self.options.weight, &self.options.split);
        let graph = Graph { notes: self.notes(&graph, summary), ..graph };
        let subtitle = subtitle(&graph, summary);
        let bytes = self.bytes(&graph, &subtitle).map_err(|error| cannot_draw(&graph, &error))?;
        match self.target.take() {
            Some(PictureTarget::File(mut file)) => {
                let written =
                    file.write_all(&bytes).map_err(|source| Failure::Output { to: "the flame graph".into(), source });
                written.and_then(|()| file.keep())
            }
            Some(PictureTarget::Stream(mut sink)) => sink.write(&bytes).and_then(|_| sink.flush()).map(|_| ()),
            None => Ok(()),
        }
    }

    fn bytes(&self, graph: &Graph, subtitle: &str) -> io::Result<Vec<u8>> {
        let with_notes = [vec![subtitle.to_owned()], graph.notes.clone()].concat().join(" · ");
        match (self.options.format, &self.options.baseline) {
            (Format::Svg, Some(baseline)) => differential::svg(graph, baseline, &with_notes),
            (Format::Svg, None) => svg::svg(graph, &with_notes),
            (Format::Folded, Some(baseline)) => differential::lines(graph, baseline).map(String::into_bytes),
            (Format::Folded, None) => Ok(folded::folded(graph).into_bytes()),
            (Format::Text, _) => Ok(text::text(graph, subtitle, self.options.top).into_bytes()),
            (Format::Speedscope, _) => Ok(speedscope::speedscope(graph, &with_notes)),
            (Format::Pprof, _) => pprof::pprof(graph, subtitle),
        }
    }

    /// Notes about paths, followed by notes about the whole run.
    fn notes(&self, graph: &Graph, summary: &Summary) -> Vec<String> {
        let mut notes = graph.notes.clone();
        let untold = summary.observed.connect.connects.saturating_sub(graph.total.connects);
        if untold > 0 {
            notes.push(format!("{untold} connects were shed or lost: the graph leaves them out"));
        }
        let signals = &self.summarizer.session_info().signals;
        notes.extend(signals.get(&Signal::Stack).into_iter().flat_map(|active| active.limitations.iter().cloned()));
        notes.extend(summary.notes.iter().cloned());
        notes
    }
}

impl Consumer for Picture {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        if let Message::Event(event) = message {
            self.stacks.observe(event);
        }
        match self.summarizer.take(message) {
            Summarized::Whole(summary) => self.draw(&summary),
            Summarized::Nothing | Summarized::Lost(_) | Summarized::Interval(_) => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        Ok(Written::Yes)
    }
}

fn subtitle(graph: &Graph, summary: &Summary) -> String {
    let tier = summary.tier.map_or("no".to_owned(), |tier| tier.to_string());
    format!(
        "{} connects in {:.1} s, kernel {}, {tier} tier",
        format::count(Some(graph.total.connects)),
        summary.observed.seconds,
        summary.kernel
    )
}

fn cannot_draw(graph: &Graph, error: &io::Error) -> Failure {
    let weightless = graph.lines().next().is_none();
    let why = match graph.total.connects {
        0 => "no connect() was traced".to_owned(),
        connects if weightless && graph.weight.unknown(&graph.total) == connects => {
            format!("{} is unknown for all {connects} connects", graph.weight.name())
        }
        connects if weightless => format!("{} is 0 for all {connects} connects", graph.weight.name()),
        _ => error.to_string(),
    };
    Failure::Failed {
        headline: "there is nothing to draw".into(),
        tried: vec![Tried::new(graph.weight.title(), why)],
        try_next: vec![
            "use a longer --duration, or fewer filters".into(),
            "use --weight count, which every connect has".into(),
        ],
    }
}

/// A flame graph that is embedded in another document.
///
/// # Errors
/// When there is nothing to draw.
pub fn embedded(stacks: &StacksAggregate, weight: Weight, subtitle: &str) -> io::Result<String> {
    let graph = graph::Graph::new(&stacks.total(), weight, &[Split::Process]);
    let bytes = svg::svg(&graph, subtitle)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}
