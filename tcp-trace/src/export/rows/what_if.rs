// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows of `what-if`: one for each source, destination and set of changes; `change` is empty where nothing is changed.

use crate::{
    export::row::Row,
    findings::Evidence,
    what_if::{
        current::Visits,
        forecast::{Case, Forecast, Scenario},
        tier::{Size, Tier},
    },
};

/// All of them.
pub fn of(forecast: &Forecast) -> Vec<Row> {
    let cases = forecast.cases.iter();
    cases.flat_map(|case| case.scenarios.iter().map(move |scenario| row(case, scenario))).collect()
}

fn row(case: &Case, scenario: &Scenario) -> Row {
    let (route, searched, known) = (case.route, case.searched, &case.known);
    let prediction = &scenario.prediction;
    let setup = &prediction.setup;
    let taken = case.held.taken().both();
    let mean = |visits: Option<Visits>| float(visits.map(|visits| visits.mean));
    let second_pass = |visits: Option<Visits>| float(visits.map(|visits| visits.second_pass));
    let no_port = |visits: Option<Visits>| float(visits.map(|visits| visits.no_port));
    let commands: Vec<_> = scenario.changes.iter().filter_map(|change| case.command(change)).collect();
    let advised = case.advised().is_some_and(|(change, _)| scenario.changes == [*change]);
    let fields = vec![
        ("netns", number(route.netns)),
        ("netns_name", case.netns_name.as_ref().map_or(Evidence::Unknown, |name| Evidence::Text(name.to_string()))),
        ("saddr", Evidence::Text(route.saddr.to_string())),
        ("daddr", Evidence::Text(route.daddr.to_string())),
        ("dport", number(route.dport)),
        ("change", Evidence::Text(scenario.words())),
        ("advised", Evidence::Flag(advised)),
        (
            "command",
            Some(commands.join("; ")).filter(|line| !line.is_empty()).map_or(Evidence::Unknown, Evidence::Text),
        ),
        ("range_low", number(setup.range.low)),
        ("range_high", number(setup.range.high)),
        ("one_pass", Evidence::Flag(setup.range.one_pass)),
        ("step_width", number(setup.step_width)),
        ("source_addresses", number(setup.addresses)),
        ("requests_per_connection", number(setup.requests)),
        ("reuse", Evidence::Text(setup.reuse.words())),
        ("ports_taken", number(taken)),
        ("searches_per_second", float(known.searches_per_second)),
        ("searches_measured", Evidence::Number(searched.known)),
        ("ports_visited_measured", float(searched.mean())),
        ("port_search_measured_ns", rounded(searched.mean_ns())),
        ("candidate_ns", float(known.search_cost.candidate_ns())),
        ("ports_visited_current", mean(prediction.current)),
        ("second_pass_current", second_pass(prediction.current)),
        ("no_port_current", no_port(prediction.current)),
        ("port_search_current_ns", rounded(prediction.at_once_ns)),
        ("ports_visited_steady_state", mean(prediction.steady_state)),
        ("second_pass_steady_state", second_pass(prediction.steady_state)),
        ("no_port_steady_state", no_port(prediction.steady_state)),
        ("port_search_steady_state_ns", rounded(prediction.settled_ns)),
        ("cliff_at_ports", Evidence::number(prediction.cliff_at.map(Into::into))),
        ("ports_to_cliff", Evidence::number(prediction.to_cliff.map(Into::into))),
        ("ports_to_exhaustion", number(prediction.to_exhaustion)),
        ("ports_per_second", float(prediction.ports_per_second)),
        ("seconds_to_cliff", float(prediction.seconds_to_cliff())),
        ("seconds_to_exhaustion", float(prediction.seconds_to_exhaustion())),
    ];
    Row { kind: "what_if", fields }
}

/// One row for each kind of host.
pub fn of_tier(tier: &Tier) -> Vec<Row> {
    [("proxy", tier.proxy()), ("nat", tier.nat())].into_iter().map(|(host, size)| of_size(tier, host, size)).collect()
}

fn of_size(tier: &Tier, host: &str, size: Size) -> Row {
    let visits = |of: fn(&Visits) -> f64| float(size.visits.as_ref().map(of));
    let fields = vec![
        ("host", Evidence::Text(host.into())),
        ("hosts", number(tier.hosts)),
        ("source_addresses", number(tier.addresses)),
        ("connects_per_second", Evidence::Share(tier.connects_per_second)),
        ("lasts_seconds", Evidence::Share(tier.lasts_s)),
        ("ports", number(size.ports)),
        ("ports_taken", Evidence::Share(size.taken)),
        ("edge_at_ports", number(size.edge)),
        ("edge_at_connects_per_second", Evidence::Share(size.edge_per_second)),
        ("hosts_needed", number(size.hosts)),
        ("ports_visited", visits(|visits| visits.mean)),
        ("second_pass", visits(|visits| visits.second_pass)),
        ("no_port", visits(|visits| visits.no_port)),
    ];
    Row { kind: "what_if_tier", fields }
}

fn number(value: impl Into<u64>) -> Evidence {
    Evidence::Number(value.into())
}

fn float(value: Option<f64>) -> Evidence {
    value.map_or(Evidence::Unknown, Evidence::Share)
}

fn rounded(value: Option<f64>) -> Evidence {
    Evidence::number(value.map(|value| value.round() as u64))
}
