// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests that compute the contrast of the style's colours: WCAG 2.2 requires 4.5 to 1 for text (1.4.3) and 3 to 1 for
//! charts (1.4.11).

use std::collections::HashMap;

const STYLE: &str = include_str!("page/style.css");

type Colours = HashMap<&'static str, [f64; 3]>;

/// Colours of each rule with colours, in order: light, dark by system preference, dark by choice.
fn themes() -> Vec<Colours> {
    let rules = STYLE.split('{').filter(|rule| rule.contains("--paper:"));
    let of = |rule: &'static str| {
        let body = rule.split('}').next().unwrap_or_default();
        let set = body.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
        set.map(|(name, hex)| (name, rgb(hex))).collect()
    };
    rules.map(of).collect()
}

fn rgb(hex: &str) -> [f64; 3] {
    let channel = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("a colour");
    [0, 1, 2].map(|at| f64::from(channel(at)) / 255.0)
}

fn luminance(colour: [f64; 3]) -> f64 {
    let linear = |part: f64| if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) };
    let [red, green, blue] = colour.map(linear);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn black_on_white_is_21_to_1() {
    assert!((contrast(rgb("000000"), rgb("ffffff")) - 21.0).abs() < 1e-9);
}

#[test]
fn text_can_be_read() {
    let themes = themes();
    assert_eq!(themes.len(), 3);
    for (index, colours) in themes.iter().enumerate() {
        for paper in ["paper", "card"] {
            for ink in ["ink", "faint", "link", "critical", "warning", "info", "none"] {
                let ratio = contrast(colours[ink], colours[paper]);
                assert!(ratio >= 4.5, "{ink} on {paper}, theme {index}: {ratio:.2}");
            }
        }
        for level in ["critical", "warning", "info", "none"] {
            let ratio = contrast(colours["badge"], colours[level]);
            assert!(ratio >= 4.5, "badge on {level}, theme {index}: {ratio:.2}");
        }
    }
}

#[test]
fn charts_can_be_read() {
    for (index, colours) in themes().iter().enumerate() {
        for drawn in ["s1", "s2", "s3", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8", "b9", "b10", "h4", "h5", "h6"] {
            let ratio = contrast(colours[drawn], colours["card"]);
            assert!(ratio >= 3.0, "{drawn}, theme {index}: {ratio:.2}");
        }
        // Each shade has more contrast than the one before it.
        let shades = ["h1", "h2", "h3", "h4", "h5", "h6"].map(|shade| contrast(colours[shade], colours["card"]));
        assert!(shades.is_sorted() && shades[0] >= 1.3, "theme {index}: {shades:?}");
    }
}

#[test]
fn both_ways_to_the_dark_lead_to_the_same() {
    let themes = themes();
    assert_eq!(themes[1], themes[2]);
}
