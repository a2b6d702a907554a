// SPDX-License-Identifier: MIT OR Apache-2.0
//! Durations as people type them: `30s`, `500ms`, `2m`, `1h 30m`; jiff reads them.

use std::time::Duration;

use jiff::SignedDuration;

/// Longest duration: a sum of a few longer ones would overflow the kernel's clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Parses a duration greater than zero.
///
/// # Errors
/// A message that names the rule and shows valid durations.
pub fn parse(text: &str) -> Result<Duration, String> {
    let span: SignedDuration = text.parse().map_err(|_| explain("must be numbers with units: ms, s, m or h"))?;
    if span <= SignedDuration::ZERO {
        return Err(explain("must be greater than zero"));
    }
    Duration::try_from(span).ok().filter(|span| *span <= LONGEST).ok_or_else(|| explain("must be at most a year"))
}

fn explain(rule: &str) -> String {
    format!("duration {rule}, for example 30s, 500ms, 2m, 1h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type() {
        assert_eq!(parse("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(parse("1h 30m"), Ok(Duration::from_secs(5400)));
    }

    #[test]
    fn what_is_refused() {
        for text in ["", "0", "0s", "-1s", "1x", "s", "1.2.3s", "inf", "nans", "1e9h", "99999999h", "0.0000000001s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
