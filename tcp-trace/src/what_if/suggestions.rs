// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes that are sensible on this kernel, for these ports, and the advised one.

use super::{
    change::Change,
    predict::{PredictInput, Prediction},
};
use crate::{aggregate::ports::range::Range, kernel::rules::SearchRules};

/// The widest range without privileged ports.
const WIDEST: (u16, u16) = (1024, 65_535);
/// A small step width, which still separates sockets that connect one after another.
const STEP_WIDTH: u32 = 64;
/// Requests per connection, as is common for HTTP keep-alive.
const REQUESTS: u32 = 10;
/// Searches of this few ports leave nothing to gain.
const FEW: f64 = 2.0;

/// All sensible changes, the simplest first.
pub fn changes(known: &PredictInput, rules: &SearchRules) -> Vec<Change> {
    let setup = &known.setup;
    let wider = |(low, high): (u16, u16)| {
        let is_wider = Range::of_namespace((low, high)).ports() > setup.range.ports();
        // A program that has set IP_LOCAL_PORT_RANGE is not affected by the setting.
        (is_wider && !setup.range.one_pass).then_some(Change::Range(low, high))
    };
    let own_range = rules.socket_range_steps_by_one && !setup.range.one_pass;
    let rests = known.occupancy.time_wait(setup.range) > 0 && setup.reuse != setup.reuse_allowed;
    let all = [
        wider(Range::PROPOSED),
        wider(WIDEST),
        Some(Change::SourceAddresses(2)),
        own_range.then_some(Change::LocalPortRange(setup.range.low, setup.range.high)),
        (rules.step_width && setup.step_width <= 1).then_some(Change::StepWidth(STEP_WIDTH)),
        rests.then_some(Change::TwReuse),
        Some(Change::RequestsPerConnection(REQUESTS)),
    ];
    all.into_iter().flatten().collect()
}

/// The first change that a shell can make and that does about as much as the best one; `None`: none does much.
pub fn advised<'a>(
    today: &Prediction,
    others: impl Iterator<Item = (&'a Change, &'a Prediction)> + Clone,
) -> Option<(&'a Change, &'a Prediction)> {
    let visited = |prediction: &Prediction| prediction.current.map(|visits| visits.mean);
    let now = visited(today)?;
    let in_a_shell = others.filter(|(change, _)| change.command().is_some());
    let best = in_a_shell.clone().filter_map(|(_, prediction)| visited(prediction)).fold(now, f64::min);
    if now <= FEW || best > now / 2.0 {
        return None;
    }
    in_a_shell.clone().find(|(_, prediction)| visited(prediction).is_some_and(|visited| visited <= best.max(FEW) * 1.5))
}
