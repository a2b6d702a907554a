// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sizes as people type them: `64M`, `2G`.

/// Parses a size in bytes; the suffixes K, M and G are powers of 1024.
///
/// # Errors
/// A message with valid sizes, when `text` is not a size.
pub fn parse(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let factor = match text[digits.len()..].trim_end_matches(['B', 'b']).trim_end_matches('i') {
        "" => Some(1_u64),
        "K" | "k" => Some(1 << 10),
        "M" => Some(1 << 20),
        "G" => Some(1 << 30),
        _ => None,
    };
    let bytes = digits.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "expected a size, for example 65536, 64M or 2G".into())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn sizes() {
        assert_eq!((parse("4096"), parse("64M"), parse("2GiB")), (Ok(4096), Ok(64 << 20), Ok(2 << 30)));
        for text in ["", "M", "0", "1T", "-1", "1.5G", "99999999999G"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
