// SPDX-License-Identifier: MIT OR Apache-2.0
//! Shares of the machine as people type them: `1%`.

/// Parses a percentage into a fraction of 1.
///
/// # Errors
/// A message that describes the valid values.
pub fn parse(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>();
    match number {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err("expected a share of the machine: above 0%, at most 100%".into()),
    }
}
