// SPDX-License-Identifier: MIT OR Apache-2.0
//! Times in RFC 3339. The calendar is asked once a second: events of one second share all but the fraction.

use std::io::Write as _;

use jiff::{SignedDuration, Timestamp};

/// `00` to `99`.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// The second last written.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    second: i64,
    /// Of `second`, up to the fraction; empty before the first time.
    text: Vec<u8>,
}

impl Calendar {
    /// Appends a time.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, time: Timestamp) {
        let (second, nanos) = (time.as_second(), time.subsec_nanosecond());
        let Ok(mut fraction) = u32::try_from(nanos) else {
            // Before 1970 the fraction counts backwards.
            return write!(out, "{time}").expect("a buffer takes everything");
        };
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text.clear();
            write!(self.text, "{}", time - SignedDuration::from_nanos(nanos.into()))
                .expect("a buffer takes everything");
            self.text.pop();
        }
        out.extend_from_slice(&self.text);
        if fraction != 0 {
            let mut digits = *b".000000000";
            for at in [8, 6, 4, 2] {
                digits[at..at + 2].copy_from_slice(&PAIRS[(fraction % 100) as usize]);
                fraction /= 100;
            }
            digits[1] += fraction as u8;
            let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
            out.extend_from_slice(&digits[..digits.len() - zeros]);
        }
        out.push(b'Z');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn times_are_as_ever(seconds in prop::collection::vec(-3..3_i64, 1..8), nanos in 0..1_000_000_000_i32,
                             scale in 0..9_u32, base in prop_oneof![Just(0_i64), Just(1_767_323_045), Just(-62_135_596_800)]) {
            let mut calendar = Calendar::default();
            for second in seconds {
                let nanos = nanos / 10_i32.pow(scale) * 10_i32.pow(scale);
                let time = Timestamp::new(base + second, 0).unwrap() + SignedDuration::from_nanos(nanos.into());
                let mut out = Vec::new();
                calendar.put(&mut out, time);
                prop_assert_eq!(String::from_utf8(out).unwrap(), time.to_string());
            }
        }
    }
}
