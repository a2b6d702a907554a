// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parts of a whole as one bar.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Key, WIDTH};

/// A bar in parts.
#[derive(Clone, Debug, Serialize)]
pub struct Bar {
    /// Description in words.
    pub words: String,
    /// SVG, as in a plot.
    pub body: String,
    /// Legend of the parts above 0.
    pub legend: Vec<Key>,
}

/// Draws `parts` of `whole`, each in a class of its own; the rest is empty.
pub fn bar(words: String, parts: &[(&str, u64, String)], whole: u64) -> Bar {
    let (mut body, mut legend, mut x) = (String::new(), Vec::new(), 0.0);
    for (index, (_, amount, label)) in parts.iter().enumerate().filter(|(_, (_, amount, _))| *amount > 0) {
        let width = *amount as f64 / whole.max(1) as f64 * WIDTH;
        let _ = write!(body, r#"<path class="part b{}" d="M{x:.1} 0h{width:.1}v10h-{width:.1}z"/>"#, index + 1);
        legend.push(Key { class: format!("part b{}", index + 1), label: label.clone() });
        x += width;
    }
    Bar { words, body, legend }
}
