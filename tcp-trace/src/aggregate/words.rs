// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers for people.

/// Formats `14116` as `14,116`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn groups_by_three() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (14_116, "14,116"), (1_234_567, "1,234,567")];
        for (number, words) in cases {
            assert_eq!(super::grouped(number), words);
        }
    }
}
