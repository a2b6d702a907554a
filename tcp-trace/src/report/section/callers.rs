// SPDX-License-Identifier: MIT OR Apache-2.0
//! Section: call paths that lead to connect(), if stacks were collected.

use super::{Block, Material};
use crate::probes::table::Signal;

pub(super) fn blocks(material: &Material<'_>) -> Vec<Block> {
    let active = material.session.signals.get(&Signal::Stack);
    match (material.flame, active) {
        (Some(flame), _) => vec![Block::Flame(Box::new(flame.clone()))],
        (None, Some(_)) => vec![Block::Words("No connect() has a stack that could be unwound.".into())],
        (None, None) => Vec::new(),
    }
}
