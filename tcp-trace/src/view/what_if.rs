// SPDX-License-Identifier: MIT OR Apache-2.0
//! The forecast as text: one table per source and destination, one line per change.

use std::{fmt::Write, net::SocketAddr};

use super::{
    format::{duration, fitted, share, span, wrapped},
    screen::Layout,
    theme::Theme,
};
use crate::{
    aggregate::words::grouped,
    what_if::{
        current::Visits,
        forecast::{Case, Forecast, Scenario},
    },
};

/// Columns of figures; the name of a change takes the rest.
const COLUMNS: usize = 50;

const EXPLAINED: &str = "visited: ports that a connect() visits, on average; at first: with the sockets as they are; \
    settled, search: after every connection has been replaced, in random order; cliff at: ports taken at the same time \
    when the half that is searched first is full; left: connections until then";

/// The whole report.
pub fn text(forecast: &Forecast, layout: Layout) -> String {
    let layout = Layout { width: layout.width.max(80), ..layout };
    let theme = Theme { colours: layout.colours };
    let mut out = String::new();
    let how = forecast.tier.map_or_else(|| "not tracing".into(), |tier| format!("tier {tier}"));
    let title = format!("tcp-trace what-if  kernel {}  {how}  run {:.1} s", forecast.kernel, forecast.seconds);
    paragraph(&mut out, layout, &title, |line| theme.title(line));
    if forecast.cases.is_empty() {
        let _ = writeln!(out, "\nno connection uses a port of the range: there is nothing to predict");
    }
    for case in &forecast.cases {
        of_case(&mut out, theme, layout, case);
    }
    if !forecast.cases.is_empty() {
        out.push('\n');
        paragraph(&mut out, layout, EXPLAINED, |line| theme.faint(line));
    }
    for note in &forecast.notes {
        paragraph(&mut out, layout, &format!("note: {note}"), |line| theme.faint(line));
    }
    out
}

fn paragraph(out: &mut String, layout: Layout, text: &str, paint: impl Fn(&str) -> String) {
    for line in wrapped(text, layout.width) {
        let _ = writeln!(out, "{}", paint(&line));
    }
}

fn of_case(out: &mut String, theme: Theme, layout: Layout, case: &Case) {
    let route = case.route;
    let to = SocketAddr::new(route.daddr, route.dport);
    let name = case.netns_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    out.push('\n');
    paragraph(out, layout, &format!("{} -> {to}  netns {}{name}", route.saddr, route.netns), |line| theme.title(line));
    paragraph(out, layout, &measured(case), str::to_owned);
    let width = layout.width - COLUMNS;
    let head = format!(
        "\n{:width$}{:>17}{:>18}\n{:<width$}{:>9}{:>9}{:>9}{:>9}{:>8}{:>6}",
        "", "visited", "search", "what if", "at first", "settled", "settled", "cliff at", "left", "in"
    );
    let _ = writeln!(out, "{}", theme.title(&head));
    for scenario in &case.scenarios {
        of_scenario(out, theme, width, scenario);
    }
    if let Some((change, prediction)) = case.advised() {
        let now = visited(case.today().and_then(|today| today.current));
        let command = case.command(change).unwrap_or_default();
        let words = format!(
            "begin with: {command}\n(ports visited {now} -> {} at first, {} settled; put the ports of your listeners \
             into net.ipv4.ip_local_reserved_ports first)",
            visited(prediction.current),
            visited(prediction.steady_state)
        );
        for words in words.split('\n') {
            paragraph(out, layout, words, str::to_owned);
        }
    }
}

fn measured(case: &Case) -> String {
    let taken = case.held.taken().both();
    let mut words = format!("{} ports taken", grouped(taken.into()));
    match case.known.searches_per_second {
        Some(rate) => {
            let _ = write!(words, ", {} searches/s", decimal(rate));
        }
        None => words.push_str(", searches/s unknown (set it with --rate N)"),
    }
    if let Some(mean) = case.searched.mean() {
        let search = duration(case.searched.mean_ns().map(|ns| ns.round() as u64));
        let _ = write!(
            words,
            "; measured: {} ports visited, {search}, on average of {}",
            decimal(mean),
            grouped(case.searched.known)
        );
    }
    words
}

fn of_scenario(out: &mut String, theme: Theme, width: usize, scenario: &Scenario) {
    let prediction = &scenario.prediction;
    let words = scenario.words();
    let name = if words.is_empty() { "nothing changes" } else { &words };
    let count = |ports: Option<u32>| ports.map_or("none".into(), |ports| grouped(ports.into()));
    let figures = format!(
        "{:>9}{:>9}{:>9}{:>9}{:>8}{:>6}",
        visited(prediction.current),
        visited(prediction.steady_state),
        duration(prediction.settled_ns.map(|ns| ns.round() as u64)),
        count(prediction.cliff_at),
        count(prediction.to_cliff),
        span(prediction.seconds_to_cliff()),
    );
    let line = match name.chars().count() <= width {
        true => format!("{name:<width$}{figures}"),
        // Combined changes have long names.
        false => format!("{}\n{:width$}{figures}", fitted(name, width + COLUMNS), ""),
    };
    let _ = writeln!(out, "{}", if prediction.to_cliff == Some(0) { theme.alarm(&line) } else { line });
    for (when, visits) in [("at first", prediction.current), ("settled", prediction.steady_state)] {
        if let Some(visits) = visits.filter(|visits| visits.no_port > 0.0) {
            let words = format!("  {when}, {} of connects find no port", share(Some(visits.no_port)));
            let _ = writeln!(out, "{}", theme.alarm(&words));
        }
    }
}

fn visited(visits: Option<Visits>) -> String {
    visits.map_or("?".into(), |visits| decimal(visits.mean))
}

/// Formats a number as `1.3` or `14,190`.
pub(super) fn decimal(value: f64) -> String {
    if value < 99.95 { format!("{value:.1}") } else { grouped(value.round() as u64) }
}
