// SPDX-License-Identifier: MIT OR Apache-2.0
//! Units, widths, and untrusted names. Unknown values are `?`.

use crate::aggregate::words::grouped;

/// Formats a duration with three digits and a unit: `15.2 us`.
pub fn duration(ns: Option<u64>) -> String {
    let Some(ns) = ns else { return "?".to_owned() };
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    format!("{} {unit}", three_digits(value))
}

fn three_digits(value: f64) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

/// Formats a count as `14,116`, or `?`.
pub fn count(number: Option<u64>) -> String {
    number.map_or("?".to_owned(), grouped)
}

/// Formats a part of a whole as `12.3 %`, or `?` if the whole is 0.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "?".to_owned();
    }
    share(Some(part as f64 / whole as f64))
}

/// Formats a fraction as `12.3 %`, or `?`.
pub fn share(share: Option<f64>) -> String {
    share.map_or("?".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// Formats bytes as `9.12 MiB`, or `?`.
pub fn bytes(bytes: Option<u64>) -> String {
    bytes.map_or("?".to_owned(), |bytes| format!("{} MiB", three_digits(bytes as f64 / f64::from(1 << 20))))
}

/// Formats a signed number as `1,234` or `-56`.
pub fn signed(number: i64) -> String {
    format!("{}{}", if number < 0 { "-" } else { "" }, grouped(number.unsigned_abs()))
}

/// Formats events per second, or `?`.
pub fn rate(number: Option<u64>, seconds: f64) -> String {
    match number {
        Some(0) => "0".to_owned(),
        Some(number) if seconds > 0.0 => {
            let rate = number as f64 / seconds;
            if rate < 100.0 { three_digits(rate) } else { grouped(rate.round() as u64) }
        }
        _ => "?".to_owned(),
    }
}

/// Formats a time as `40 s` or `12 min`; `-` if it is `None`.
pub fn span(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".into(),
        Some(seconds) if seconds < 120.0 => format!("{seconds:.0} s"),
        Some(seconds) if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        Some(seconds) if seconds < 360_000.0 => format!("{:.0} h", seconds / 3600.0),
        Some(_) => "> 100 h".into(),
    }
}

/// Truncates text to `width` letters; `~` marks what is cut off.
pub fn fitted(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['~']).collect()
}

/// Breaks text at blanks into lines of at most `width` letters; a longer word stays whole.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            let full = lines.last_mut().expect("never empty");
            full.truncate(full.trim_end().len());
            lines.push(String::new());
            used = 0;
        }
        let line = lines.last_mut().expect("never empty");
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        let cases =
            [(0, "0 ns"), (999, "999 ns"), (15_240, "15.2 us"), (2_673_000, "2.67 ms"), (127_000_000_000, "127 s")];
        for (ns, text) in cases {
            assert_eq!(duration(Some(ns)), text);
        }
        assert_eq!(duration(None), "?");
    }

    #[test]
    fn rates_and_shares() {
        assert_eq!((rate(Some(0), 1.0), rate(Some(5), 2.0), rate(None, 1.0)), ("0".into(), "2.50".into(), "?".into()));
        assert_eq!((percent(1, 8), percent(0, 0)), ("12.5 %".into(), "?".into()));
    }

    #[test]
    fn what_is_too_long_is_cut() {
        assert_eq!(fitted("php-fpm8.2", 8), "php-fpm~");
    }

    #[test]
    fn wraps_at_blanks() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensibilities a", 5), ["incomprehensibilities", "a"]);
    }
}
