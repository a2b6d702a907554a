// SPDX-License-Identifier: MIT OR Apache-2.0
//! Evidence for a condition, and its decision where only bounds of a value are known.

use std::ops::RangeInclusive;

use crate::{findings::Evidence, recording::trigger::Order};

/// What was measured for a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidenced {
    /// The condition.
    pub condition: String,
    /// Whether it holds; `None`: unknown.
    pub holds: Option<bool>,
    /// The measured value, as far as anything was measured.
    pub measured: Evidence,
    /// Unit of the value: `ns`, `ports`, `connects`, `share`; empty if there is none.
    pub unit: &'static str,
    /// The measurement in words; empty if nothing was measured.
    pub words: String,
    /// Why it is unknown whether the condition holds.
    pub unknown: Option<String>,
}

impl Evidenced {
    /// A condition without any evidence.
    pub(super) fn new(condition: String) -> Self {
        Self { condition, holds: None, measured: Evidence::Unknown, unit: "", words: String::new(), unknown: None }
    }

    /// A condition about which nothing is known.
    pub(super) fn nothing(condition: String, why: String) -> Self {
        Self { unknown: Some(why), ..Self::new(condition) }
    }

    /// The measurement, and why it does not decide, in words.
    pub(super) fn in_words(&self) -> String {
        let unknown = self.unknown.as_ref().map(|why| format!("unknown: {why}"));
        let words = Some(self.words.clone()).filter(|words| !words.is_empty());
        words.into_iter().chain(unknown).collect::<Vec<_>>().join("; ")
    }

    /// Decides by the ends between which a value lies. The condition is broken if every value between them breaks it,
    /// whatever else is `unknown`; it holds if every value meets it and nothing is unknown.
    pub(super) fn decide<T: PartialOrd + Copy>(
        self,
        order: Order,
        between: &RangeInclusive<T>,
        bound: T,
        unknown: Option<String>,
    ) -> Self {
        let holds = match &unknown {
            _ if always(order.negated(), between, bound) => Some(false),
            None if always(order, between, bound) => Some(true),
            _ => None,
        };
        Self { holds, unknown: unknown.filter(|_| holds.is_none()), ..self }
    }
}

/// Whether each value between these ends compares with `bound` like this.
fn always<T: PartialOrd + Copy>(order: Order, between: &RangeInclusive<T>, bound: T) -> bool {
    let (least, most) = (*between.start(), *between.end());
    match order {
        Order::Less | Order::AtMost => order.holds(most, bound),
        Order::More | Order::AtLeast => order.holds(least, bound),
        Order::Equal => least == bound && most == bound,
        Order::Other => bound < least || most < bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_decide_only_where_every_value_agrees() {
        let decide = |order, between: RangeInclusive<u64>, unknown: Option<&str>| {
            Evidenced::new(String::new()).decide(order, &between, 10, unknown.map(str::to_owned)).holds
        };
        for (order, below, around, above) in [
            (Order::Less, Some(true), None, Some(false)),
            (Order::AtMost, Some(true), None, Some(false)),
            (Order::More, Some(false), None, Some(true)),
            (Order::AtLeast, Some(false), None, Some(true)),
            (Order::Equal, Some(false), None, Some(false)),
            (Order::Other, Some(true), None, Some(true)),
        ] {
            let of = |unknown| [0..=9, 5..=15, 11..=20].map(|between| decide(order, between, unknown));
            assert_eq!(of(None), [below, around, above], "{order}");
            // With something unknown, nothing holds, and what is broken stays broken.
            let broken = |holds: Option<bool>| holds.filter(|holds| !holds);
            assert_eq!(of(Some("lost")), [below, around, above].map(broken), "{order}");
        }
        assert_eq!([Order::Equal, Order::Other].map(|order| decide(order, 10..=10, None)), [Some(true), Some(false)]);
        assert_eq!(decide(Order::Less, 10..=10, Some("lost")), Some(false));
    }
}
