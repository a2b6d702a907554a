// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace check`: verdicts about a run, for pipelines and runbooks.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    duration,
    filters::Filters,
    live::{self, TierChoice},
    page::Page,
    progress::Watched,
    replay::Recording,
    share,
};
use crate::{
    check::{
        Checker, Preset, Verdicts,
        junit::junit,
        rows,
        rule::{MOST_RULES, Rule},
        text::text,
    },
    exit::Failure,
    export::json,
    mode::Mode,
    probes::table::Signal,
    recording::player::Player,
    session::request::{RING_KIB, RunOptions, TraceRequest},
    view::screen::Layout,
};

const EXAMPLES: &str = "\
Rules use the conditions of `record --trigger`; docs/check.md lists them:
  count(outcome = no_port) = 0         share(outcome != established) < 1 %      share(second_pass) < 1 %
  p99(port_search) < 1ms               max(total) < 3s                          headroom > 20 %
  finding != parity-cliff              outcome != refused or port != 3306       warn: headroom > 50 %

Exit codes: 0 every rule passes (or only warns) | 3 a rule fails | 4 of a rule it is unknown whether it holds

Examples:
  sudo tcp-trace check --duration 30s --preset egress-proxy
  sudo tcp-trace check --duration 1m --comm nginx --rule 'p99(port_search) < 1ms' --rule 'headroom > 20 %'
  tcp-trace check --preset client --rules site.rules incident.rec          a recording, without root, on any machine
  sudo tcp-trace check --duration 1m --preset client --format junit -o check.xml";

/// Upper limit of a file of rules, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Check rules about connects, head-room and findings: PASS, WARN, FAIL or INDETERMINATE, each with evidence
///
/// A rule passes only if nothing that was lost, shed or cannot be seen here could break it; otherwise its verdict is
/// INDETERMINATE.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A recording to check instead of tracing
    #[arg(value_name = "RECORDING", conflicts_with_all = ["duration", "interval", "record", "ready_file"])]
    recording: Option<PathBuf>,
    /// A condition that must hold; `warn: CONDITION` only warns
    #[arg(long, value_name = "CONDITION", value_parser = rule, help_heading = "Rules")]
    rule: Vec<Rule>,
    /// Rules in a file, one a line; # begins a comment
    #[arg(long, value_name = "FILE", help_heading = "Rules")]
    rules: Vec<PathBuf>,
    /// Rules that come with tcp-trace
    #[arg(long, value_enum, value_name = "NAME", help_heading = "Rules")]
    preset: Vec<Preset>,
    /// Stop after this long [default: until Ctrl-C or SIGTERM]
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, allow_hyphen_values = true)]
    duration: Option<Duration>,
    /// How often sockets and totals are read: head-room is known at these times
    #[arg(long, value_name = "SPAN", value_parser = duration::parse, default_value = "1s", allow_hyphen_values = true)]
    interval: Duration,
    #[command(flatten)]
    filters: Filters,
    /// Output format
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,
    /// How programs attach: the best tier that works, or only this one
    #[arg(long, value_enum, default_value_t, help_heading = "Tracing")]
    tier: TierChoice,
    /// Budget for tracing, programs and agent together, as a share of the machine (all CPUs); 100% means no limit
    #[arg(long, value_name = "PERCENT", value_parser = share::parse, default_value = "5%", help_heading = "Tracing")]
    max_overhead: f64,
    /// Also record everything that the verdicts are based on in this file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    record: Option<PathBuf>,
    /// Create this file once everything is attached
    #[arg(long, value_name = "PATH", hide = true)]
    ready_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Verdicts, worst first, with their evidence
    #[default]
    Text,
    /// One object a line: the summary, conditions and rules, a total
    Json,
    /// XML for CI servers; INDETERMINATE is an error there
    Junit,
}

/// Checks the rules at the end of the run, and returns the exit code.
///
/// # Errors
/// When there is no rule, when the run cannot be traced or read, or when the verdicts cannot be written.
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    let rules = args.all_rules()?;
    let page = Page::open(args.output.as_deref())?;
    let recording = args.recording()?;
    let mode = match &recording {
        Some(recording) => recorded_mode(Rule::mode(&rules), &recording.file)?,
        None => Rule::mode(&rules),
    };
    let request = TraceRequest {
        each_connect: Rule::need_events(&rules),
        outputs: args.output.clone().into_iter().collect(),
        ..TraceRequest::for_mode(mode, false, verbose)
    };
    let options = args.options()?;
    let is_narrowed = recording.is_none() && args.filters.netns.is_some();
    let ran = live::follow(&options, recording.as_ref(), &request, |known| {
        let checker = Checker::new(&rules, mode, known, is_narrowed);
        Ok(Watched::new(checker, "tracing", known.begin.monotonic_ns, options.duration))
    })?;
    let verdicts = ran.consumer.consumer.verdicts().ok_or_else(|| Failure::Failed {
        headline: "the run has no end".into(),
        tried: Vec::new(),
        try_next: vec!["check again".into()],
    })?;
    let layout = page.layout(0, verbose);
    page.write(&written(&verdicts, args.format, layout)?)?;
    ran.recorded.map(|()| verdicts.exit_code())
}

fn written(verdicts: &Verdicts, format: Format, layout: Layout) -> Result<Vec<u8>, Failure> {
    Ok(match format {
        Format::Text => text(verdicts, layout).into_bytes(),
        Format::Junit => junit(verdicts)?.into_bytes(),
        Format::Json => {
            let mut lines = Vec::new();
            json::summary(&mut lines, &verdicts.summary, layout.top);
            rows::of(verdicts).iter().for_each(|row| json::row(&mut lines, verdicts.summary.time, row));
            lines
        }
    })
}

/// A recording that lacks what some findings need still shows the others.
fn recorded_mode(mode: Mode, file: &Path) -> Result<Mode, Failure> {
    let lists_drops = Player::open(file)?.known().streamed.contains(&Signal::Listen);
    Ok(if mode == Mode::Doctor && !lists_drops { Mode::Ports } else { mode })
}

fn rule(text: &str) -> Result<Rule, String> {
    Rule::parse(text).map_err(|wrong| wrong.point(text))
}

impl Args {
    fn all_rules(&self) -> Result<Vec<Rule>, Failure> {
        let wrong = |headline: String| Failure::Usage { headline, try_next: vec!["docs/check.md lists rules".into()] };
        let mut rules = Vec::new();
        for preset in &self.preset {
            rules.extend(preset.rules().map_err(wrong)?);
        }
        for file in &self.rules {
            let name = file.display().to_string();
            let text = read(file).map_err(|error| wrong(format!("cannot read rules from {name}: {error}")))?;
            rules.extend(Rule::parse_lines(&text, &name).map_err(wrong)?);
        }
        rules.extend(self.rule.iter().cloned());
        let mut once: Vec<Rule> = Vec::new();
        for rule in rules {
            // Presets have rules in common.
            if !once.contains(&rule) {
                once.push(rule);
            }
        }
        match once.len() {
            0 => Err(Failure::Usage {
                headline: "there is no rule to check".into(),
                try_next: vec!["--preset client, or --rule 'count(outcome = no_port) = 0'".into()],
            }),
            1..=MOST_RULES => Ok(once),
            many => Err(wrong(format!("{many} rules are more than {MOST_RULES}"))),
        }
    }

    fn recording(&self) -> Result<Option<Recording>, Failure> {
        let Some(file) = self.recording.clone() else { return Ok(None) };
        // A recording's attempts without a row have no process and no destination, so a filter would drop them silently.
        if self.filters.config(true)?.filters != 0 {
            return Err(Failure::Usage {
                headline: "a recording is checked as a whole: filters are for live runs".into(),
                try_next: vec!["name the process or the port in a rule: outcome != refused or port != 3306".into()],
            });
        }
        Ok(Some(Recording { file, speed: None, unlimited: false }))
    }

    fn options(&self) -> Result<RunOptions, Failure> {
        Ok(RunOptions {
            duration: self.duration,
            // Of a recording each interval counts.
            interval: if self.recording.is_some() { Duration::ZERO } else { self.interval },
            tier: self.tier.tier(),
            max_overhead: self.max_overhead,
            ring_kib: RING_KIB,
            filters: self.filters.config(self.recording.is_some())?,
            record: self.record.clone(),
            ready_file: self.ready_file.clone(),
        })
    }
}

fn read(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = File::open(file)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > MOST_BYTES {
        return Err(std::io::Error::other(format!("it is larger than {MOST_BYTES} bytes")));
    }
    Ok(text)
}
