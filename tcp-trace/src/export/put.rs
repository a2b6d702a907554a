// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values as the bytes that JSON and CSV have in common. Every event has some thirty of them, so they are put where
//! they end up at once: no memory of their own, no formatter in between.

use std::{io::Write as _, net::IpAddr};

/// `00` to `99`.
pub(super) const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// Digits of the longest number.
const LONGEST: usize = 20;

/// Appends a number.
#[inline]
pub(super) fn number(out: &mut Vec<u8>, mut number: u64) {
    if number < 10 {
        return out.push(b'0' + number as u8);
    }
    // As much again behind it: what is copied is of one length, a few moves, and what is too much is cut off.
    let mut digits = [0; 2 * LONGEST];
    let mut begin = LONGEST;
    while number >= 100 {
        begin -= 2;
        digits[begin..begin + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
        number /= 100;
    }
    begin -= 2;
    digits[begin..begin + 2].copy_from_slice(&PAIRS[number as usize]);
    begin += usize::from(number < 10);
    let end = out.len() + LONGEST - begin;
    out.extend_from_slice(&digits[begin..begin + LONGEST]);
    out.truncate(end);
}

/// Appends an address.
pub(super) fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            number(out, a.into());
            for octet in [b, c, d] {
                out.push(b'.');
                number(out, octet.into());
            }
        }
        IpAddr::V6(address) => write!(out, "{address}").expect("a buffer takes everything"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    proptest! {
        #[test]
        fn numbers_are_as_ever(digits in 0..20_u32, any: u64) {
            let value = any % 10_u64.pow(digits);
            for value in [value, any, u64::MAX, 10_u64.pow(digits), 10_u64.pow(digits) - 1] {
                prop_assert_eq!(text(|out| number(out, value)), value.to_string());
            }
        }

        #[test]
        fn addresses_are_as_ever(any: IpAddr) {
            prop_assert_eq!(text(|out| address(out, any)), any.to_string());
        }
    }
}
