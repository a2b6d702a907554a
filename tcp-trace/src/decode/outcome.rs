// SPDX-License-Identifier: MIT OR Apache-2.0
//! Outcome of an attempt, by the rule that both sides share.

use tcp_trace_common::{connect::RawConnect, outcome};

use crate::event::{OUTCOMES, Outcome};

const _: () = assert!(OUTCOMES.len() == outcome::COUNT);

/// The outcome, and its errno as a positive number.
pub fn outcome(raw: &RawConnect) -> (Outcome, Option<i32>) {
    let (outcome, errno) = outcome::of(raw);
    (OUTCOMES[outcome as usize], i32::try_from(errno).ok().filter(|errno| *errno != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_count_in_the_same_order() {
        let numbers = [
            (Outcome::Established, outcome::ESTABLISHED),
            (Outcome::Refused, outcome::REFUSED),
            (Outcome::TimedOut, outcome::TIMED_OUT),
            (Outcome::Reset, outcome::RESET),
            (Outcome::Unreachable, outcome::UNREACHABLE),
            (Outcome::NoPort, outcome::NO_PORT),
            (Outcome::PortInUse, outcome::PORT_IN_USE),
            (Outcome::Denied, outcome::DENIED),
            (Outcome::Interrupted, outcome::INTERRUPTED),
            (Outcome::Abandoned, outcome::ABANDONED),
            (Outcome::Pending, outcome::PENDING),
        ];
        for (outcome, number) in numbers {
            assert_eq!(OUTCOMES[number as usize], outcome);
        }
    }
}
