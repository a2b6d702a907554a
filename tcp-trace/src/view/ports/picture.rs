// SPDX-License-Identifier: MIT OR Apache-2.0
//! A picture of the range: a cell for a few ports of one half, which shows a full half as full.

use std::{fmt::Write, net::SocketAddr};

use super::super::{screen::Layout, theme::Theme};
use crate::aggregate::ports::Group;

/// Number of lines per half.
const LINES: u32 = 4;
/// Number of columns in front of the cells.
const MARGIN: usize = 12;

/// Cells from none taken to all taken. A cell is drawn empty only if it is empty, and full only if it is full.
const BLOCKS: [char; 5] = [' ', '░', '▒', '▓', '█'];
const LETTERS: [char; 5] = [' ', '.', '-', '+', '#'];

pub(super) fn draw(out: &mut String, theme: Theme, layout: Layout, group: &Group) {
    let range = group.range;
    let cells = u32::try_from(layout.width - MARGIN - 1).unwrap_or(u32::MAX);
    // An even number, so that each cell has as many ports of one half as of the other.
    let per_cell = range.ports().div_ceil(cells * LINES).next_multiple_of(2).max(2);
    let to = SocketAddr::new(group.route.daddr, group.route.dport);
    let each = if range.one_pass { per_cell } else { per_cell / 2 };
    let marks = marks(layout.unicode);
    let head = format!(
        "\n{}-{} towards {to}: a cell is {each} port{}, {} none taken to {} all",
        range.low,
        range.high,
        if each == 1 { "" } else { "s" },
        if layout.unicode { "from" } else { "' '" },
        marks[4],
    );
    let _ = writeln!(out, "{}", theme.title(&head));
    let halves = if range.one_pass { &[true][..] } else { &[true, false] };
    let mut begin = u32::from(range.low);
    while begin <= u32::from(range.high) {
        let end = (begin + per_cell * cells).min(u32::from(range.high) + 1);
        for (index, first) in halves.iter().enumerate() {
            let name = if *first { range.first_parity() } else { range.second_parity() };
            let name = name.split(' ').next().unwrap_or_default();
            let line: String = (begin..end)
                .step_by(per_cell as usize)
                .map(|cell| marks[level(group, cell..(cell + per_cell).min(end), *first)])
                .collect();
            let label = if index == 0 { begin.to_string() } else { String::new() };
            let _ = writeln!(out, "{label:>5} {name:>5} {line}");
        }
        begin = end;
    }
}

fn marks(unicode: bool) -> [char; 5] {
    if unicode { BLOCKS } else { LETTERS }
}

/// Fill level of a cell, 0 to 4.
fn level(group: &Group, ports: std::ops::Range<u32>, first: bool) -> usize {
    let of_half = ports.filter_map(|port| u16::try_from(port).ok()).filter(|port| group.range.is_first(*port) == first);
    let (mut taken, mut all) = (0_usize, 0_usize);
    for port in of_half {
        all += 1;
        taken += usize::from(group.taken.contains(port));
    }
    match taken {
        0 => 0,
        _ if taken == all => 4,
        _ => (1 + taken * 3 / all).min(3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aggregate::ports::PortsAggregate,
        inventory::{
            sample::{inventory, socket},
            socket::State,
        },
        kernel::rules::Sysctls,
    };

    fn drawn(unicode: bool) -> Vec<String> {
        let sysctls = Sysctls { ip_local_port_range: Some((32_768, 60_999)), ..Sysctls::default() };
        let even = (32_768..=60_998).step_by(2).chain([32_769]);
        let mut ports = PortsAggregate::default();
        ports.survey(&inventory(sysctls, even.map(|port| socket(State::Established, port)).collect()));
        let mut out = String::new();
        let layout = Layout { width: 80, top: 5, colours: false, unicode, verbose: true };
        draw(&mut out, Theme { colours: false }, layout, &ports.latest().groups[0]);
        out.lines().skip(2).map(str::to_owned).collect()
    }

    #[test]
    fn a_full_half_is_seen_to_be_full() {
        let lines = drawn(true);
        assert_eq!(lines.len(), 2 * LINES as usize);
        assert_eq!(lines[0], format!("32768  even {}", "█".repeat(67)));
        assert_eq!(lines[1].trim_end(), "        odd ░");
        assert!(lines.iter().skip(2).step_by(2).all(|line| line.ends_with('█')));
        assert!(lines.iter().skip(3).step_by(2).all(|line| line.trim() == "odd"));
    }

    #[test]
    fn in_ascii() {
        let lines = drawn(false);
        assert!(lines[0].ends_with("####") && lines[1].trim_end().ends_with("odd ."));
        assert!(lines.iter().all(|line| line.is_ascii()));
    }
}
