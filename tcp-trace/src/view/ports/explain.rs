// SPDX-License-Identifier: MIT OR Apache-2.0
//! Explains the choice of ports: sequential, drifting, all of one parity.

use std::fmt::Write;

use super::super::{format::wrapped, screen::Layout, theme::Theme};
use crate::{
    aggregate::{observed::Observed, ports::range::Range},
    kernel::rules::Sysctls,
};

pub(super) fn how_ports_are_chosen(out: &mut String, theme: Theme, layout: Layout, observed: &Observed) {
    let Some(space) = observed.ports.groups.first().map(|group| group.route.netns).or_else(|| first(observed)) else {
        return;
    };
    let Some(range) = observed.ports.space(space).and_then(|space| space.range) else { return };
    let sysctls = observed.spaces.get(&space).map(|facts| &facts.sysctls);
    let _ = writeln!(out, "\n{}", theme.title("how ports are chosen here"));
    for sentence in sentences(range, sysctls) {
        for line in wrapped(&sentence, layout.width - 2) {
            let _ = writeln!(out, "  {line}");
        }
    }
}

fn first(observed: &Observed) -> Option<u32> {
    observed.ports.spaces.first().map(|space| space.netns)
}

fn sentences(range: Range, sysctls: Option<&Sysctls>) -> Vec<String> {
    let (first, second) = (range.first_parity(), range.second_parity());
    let (parity, low) = (if range.low.is_multiple_of(2) { "even" } else { "odd" }, range.low);
    let mut all = vec![
        format!(
            "The low end, {low}, is {parity}: connect() tries the {first} first, and the {second} only when the {first} has no \
             port left towards this destination. bind() to port 0 starts with the {second}, so that the two do not \
             compete."
        ),
        "The start depends on a secret, both addresses and the remote port; it changes every 10 s and advances with \
         each connect. So ports towards one destination look sequential, have one parity, and drift."
            .into(),
        "The limit is per source and destination: connections to different destinations can share a port. A port that is \
         reserved, listened on or bound by bind() is never shared."
            .into(),
    ];
    if range.never_tried() > 0 {
        all.push(format!(
            "The range has an odd number of ports, {}: connect() never tries one port of the {first}; which one depends on the start.",
            range.ports()
        ));
    }
    if let Some(width) = sysctls.and_then(|sysctls| sysctls.ip_local_port_step_width).filter(|width| *width > 0) {
        all.push(format!(
            "ip_local_port_step_width is {width}: each search advances in random steps of up to that many ports of a half."
        ));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_low_end_and_an_odd_number_of_ports() {
        let all = sentences(Range::of_namespace((1025, 1031)), None);
        assert!(all[0].contains("The low end, 1025, is odd: connect() tries the odd half first"), "{}", all[0]);
        assert!(all.iter().any(|sentence| sentence.contains("odd number of ports, 7")));
        assert_eq!(sentences(Range::of_namespace((1024, 65_535)), None).len(), 3);
    }
}
