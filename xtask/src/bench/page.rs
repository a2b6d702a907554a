// SPDX-License-Identifier: MIT OR Apache-2.0
//! docs/benchmarks.md, docs/benchmarks.json, and the figures that the README quotes.

use std::{fmt::Write as _, fs};

use anyhow::{Context as _, Result};

use super::{
    figures::Figures,
    modes::{DEFAULTS, UNTRACED},
    tables,
};
use crate::workspace::root;

/// From this heading on the page is written by hand, and kept.
const BY_HAND: &str = "## What we learned";

/// Comments around the quote in the README.
const QUOTE: [&str; 2] =
    ["<!-- quoted from docs/benchmarks.json by cargo xtask bench -->\n", "<!-- end of the quote -->\n"];

/// Rows of the quote: a name, and its mode.
const QUOTED: [(&str, &str); 11] = [
    ("nobody traces", UNTRACED),
    ("**tcp-trace, as users start it**", DEFAULTS),
    ("tcp-trace doctor --watch", "doctor"),
    ("tcp-trace, fentry, a line by the connect", "fentry"),
    ("tcp-trace, kprobe", "kprobe"),
    ("tcp-trace, tracepoint", "tracepoint"),
    ("tcpconnlat (libbpf-tools)", "tcpconnlat (libbpf-tools)"),
    ("tcpstates (libbpf-tools)", "tcpstates (libbpf-tools)"),
    ("bpftrace, a histogram of connect()", "bpftrace, histogram of connect()"),
    ("tcp-trace, `--port-probes always`", "fentry, port probes always"),
    ("bpftrace, kprobe per candidate", "bpftrace, kprobe per candidate"),
];

/// Figures of the last measurement.
pub fn before() -> Result<Figures> {
    let path = root().join("docs/benchmarks.json");
    let text = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} holds other figures than these", path.display()))
}

pub fn write(figures: &Figures) -> Result<()> {
    let folder = root().join("docs");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("benchmarks.json"), serde_json::to_string_pretty(figures)? + "\n")?;
    let path = folder.join("benchmarks.md");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let by_hand = before.find(BY_HAND).map_or(BY_HAND, |at| &before[at..]);
    fs::write(&path, format!("{}{}\n{}\n", head(figures), tables::all(figures), by_hand.trim_end()))?;
    let readme = root().join("README.md");
    let text = fs::read_to_string(&readme)?;
    let (before, _, after) = quoted(&text)?;
    fs::write(readme, format!("{before}{}{after}", quote(figures)))?;
    println!("docs/benchmarks.md, docs/benchmarks.json and README.md are written");
    Ok(())
}

/// Head of the page: what is measured, on what, and how.
fn head(figures: &Figures) -> String {
    let mut text = include_str!("head.md").to_owned();
    let _ = writeln!(text, "\nMeasured with {}.", figures.machine.qemu);
    for guest in &figures.guests {
        let _ = writeln!(text, "Kernel {}, peers of the same Debian: {}.", guest.release, guest.peers.join(", "));
    }
    let _ = writeln!(text, "The native part ran on {}, kernel {}.", figures.machine.processor, figures.machine.kernel);
    text
}

fn quote(figures: &Figures) -> String {
    let mut text = "| kernel 6.12, IPv4; nobody traces = 1 | connect(), ports free | whole machine, 20,000 connects | connect(), 51 % taken |\n|---|---:|---:|---:|\n".to_owned();
    for (name, mode) in QUOTED {
        let at = |fill| figures.row("6.12", 4, fill, mode).and_then(|row| row.cost.as_ref());
        let figure = |ratio: Option<f64>| ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}"));
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} |",
            figure(at(0).map(|cost| cost.median_ratio)),
            figure(at(0).map(|cost| cost.whole_ratio)),
            figure(at(51).map(|cost| cost.median_ratio))
        );
    }
    text
}

/// The README before, within and after the quote.
fn quoted(readme: &str) -> Result<(&str, &str, &str)> {
    let find = |mark: &str| readme.find(mark).with_context(|| format!("README.md lacks the line {}", mark.trim()));
    let (begin, end) = (find(QUOTE[0])? + QUOTE[0].len(), find(QUOTE[1])?);
    Ok((&readme[..begin], &readme[begin..end], &readme[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_quotes_what_was_measured() {
        let figures: Figures = serde_json::from_str(include_str!("../../../docs/benchmarks.json")).unwrap();
        assert_eq!(quoted(include_str!("../../../README.md")).unwrap().1, quote(&figures));
    }

    #[test]
    fn page_has_the_figures_of_the_other_file() {
        let figures: Figures = serde_json::from_str(include_str!("../../../docs/benchmarks.json")).unwrap();
        let page = include_str!("../../../docs/benchmarks.md");
        assert!(page.starts_with(&(head(&figures) + &tables::all(&figures))));
    }
}
