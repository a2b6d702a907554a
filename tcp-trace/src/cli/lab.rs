// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace lab`: stages an incident.

use std::{io::Write as _, path::PathBuf, time::Duration};

use clap::{
    ValueEnum as _,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _},
};

use crate::{
    exit::{Failure, Tried},
    lab::{self, PortRange, Scenario, Settings},
};

/// Stage one incident in a network namespace of its own, and clean up afterwards
#[derive(Debug, clap::Args)]
pub struct LabArgs {
    /// Incident to stage
    #[arg(value_parser = lab_choice())]
    name: LabChoice,
    /// How long to hold it, for example 30s, 500ms or 5m
    #[arg(long, default_value = "30s", value_parser = super::duration::parse, allow_hyphen_values = true)]
    duration: Duration,
    /// Connects per second [default: depends on the incident]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Use ::1 instead of 127.0.0.1
    #[arg(long)]
    ipv6: bool,
    /// Ports of the incident's namespace, for example 40000-43999: fewer fill up sooner [default: the kernel's]
    #[arg(long, value_name = "LOW-HIGH")]
    port_range: Option<PortRange>,
    /// Create this file once the incident is in place
    #[arg(long, hide = true)]
    ready_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
enum LabChoice {
    List,
    Incident(Scenario),
}

const LIST: &str = "list";

fn lab_choice() -> impl clap::builder::TypedValueParser<Value = LabChoice> {
    let list = PossibleValue::new(LIST).help("List the available incidents");
    let incidents = Scenario::value_variants().iter().filter_map(Scenario::to_possible_value);
    PossibleValuesParser::new(std::iter::once(list).chain(incidents))
        .map(|name| Scenario::from_str(&name, false).map_or(LabChoice::List, LabChoice::Incident))
}

/// Runs the command: stages the incident, or lists the incidents.
pub fn run(args: LabArgs) -> Result<(), Failure> {
    match args.name {
        LabChoice::List => list(),
        LabChoice::Incident(scenario) => {
            let LabArgs { name: _, duration, rate, ipv6, port_range, ready_file } = args;
            lab::run(scenario, Settings { duration, rate, ipv6, port_range, ready_file })
                .map_err(|error| failure(&error))
        }
    }
}

fn list() -> Result<(), Failure> {
    let mut text = String::new();
    for scenario in Scenario::value_variants() {
        let Some(incident) = scenario.to_possible_value() else { continue };
        let help = incident.get_help().map(ToString::to_string).unwrap_or_default();
        text += &format!("{:<20} {help}\n{:<20} watch: sudo tcp-trace {}\n", incident.get_name(), "", scenario.watch());
    }
    text += &format!("\n{:<20} names the cause of each: sudo tcp-trace doctor --watch 10s\n", "doctor");
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Output { to: "standard output".to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn failure(error: &anyhow::Error) -> Failure {
    if error.is::<lab::NotPermitted>() {
        return Failure::NotPermitted {
            headline: "cannot stage an incident without a network namespace of its own".to_owned(),
            tried: vec![Tried::new("unshare(CLONE_NEWNET)", format!("{error:#}"))],
            try_next: vec!["sudo tcp-trace lab ...".to_owned()],
        };
    }
    Failure::Failed { headline: format!("{error:#}"), tried: Vec::new(), try_next: Vec::new() }
}
