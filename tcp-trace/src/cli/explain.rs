// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace explain`: the runbook page of a finding. It traces nothing, reads nothing from this machine and needs no
//! privileges.

use anstyle::Style;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::{exit::Failure, export::sink::Sink, findings::Code};

const EXAMPLES: &str = "\
Examples:
  tcp-trace explain                           all codes, each with one sentence
  tcp-trace explain parity-cliff              the page of one finding
  tcp-trace explain range-full | less";

/// Bytes of the longest code.
const WIDTH: usize = 21;

/// Explain a finding: how to be sure, what to change, what not to do
///
/// Prints the page of docs/findings as Markdown: what the finding is, commands that confirm it, fixes with gain and risk by
/// kernel version, measures to avoid, and the kernel functions behind it. It needs no root, no network and no machine in
/// trouble.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Code of the finding, as reports print it [default: list all codes]
    #[arg(value_name = "CODE", value_parser = code(), hide_possible_values = true)]
    code: Option<Code>,
}

fn code() -> impl TypedValueParser<Value = Code> {
    let codes = Code::ALL.map(|code| PossibleValue::new(code.name()).help(code.summary()));
    PossibleValuesParser::new(codes)
        .map(|name| Code::ALL.into_iter().find(|code| code.name() == name).expect("a possible value is a code"))
}

/// Prints the page of one finding, or the list of all.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut sink = Sink::open(None)?;
    let heading = if sink.colours() { Style::new().bold() } else { Style::new() };
    let text = args.code.map_or_else(|| list(heading), |code| page(code.page(), heading));
    sink.write(text.as_bytes())?;
    sink.flush().map(|_| ())
}

fn list(heading: Style) -> String {
    let line = |code: Code| format!("{heading}{code:<WIDTH$}{heading:#}  {}\n", code.summary());
    let mut text: String = Code::ALL.into_iter().map(line).collect();
    text += "\nThe page of one: tcp-trace explain CODE\n";
    text
}

/// The page with its headings in a style. A comment in a block of code is no heading.
fn page(markdown: &str, heading: Style) -> String {
    let mut code = false;
    let lines = markdown.lines().map(|line| {
        code ^= line.trim_start().starts_with("```");
        if line.starts_with('#') && !code { format!("{heading}{line}{heading:#}\n") } else { format!("{line}\n") }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_alone_have_a_style() {
        let markdown = "# a\n\nb\n\n```sh\n# c\n```\n\n## d\n";
        assert_eq!(page(markdown, Style::new()), markdown);
        let bold = page(markdown, Style::new().bold());
        assert_eq!(bold, "\x1b[1m# a\x1b[0m\n\nb\n\n```sh\n# c\n```\n\n\x1b[1m## d\x1b[0m\n");
    }

    #[test]
    fn the_list_fits_a_terminal() {
        let list = list(Style::new());
        assert_eq!(list.lines().count(), Code::ALL.len() + 2);
        for line in list.lines() {
            assert!(line.len() <= 80, "{line}");
        }
        assert!(Code::ALL.iter().all(|code| code.name().len() <= WIDTH));
    }
}
