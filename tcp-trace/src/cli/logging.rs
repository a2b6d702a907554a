// SPDX-License-Identifier: MIT OR Apache-2.0
//! Diagnostics: one logging facade that writes to standard error, never into reports.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{
    EnvFilter,
    field::RecordFields,
    fmt::{
        self, FormatFields,
        format::{DefaultFields, Writer},
    },
};

use crate::outside;

/// Installs the subscriber: warnings; with -v reasons; with -vv everything, including the kernel side's own log
/// (aya-log).
pub fn init(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    // RUST_LOG overrides the level, as usual for Rust programs.
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{level},aya=warn,aya_obj=warn")));
    // Fails only if a subscriber is installed already, as in tests; that one stays in use.
    let _ = fmt::fmt()
        .with_env_filter(filter)
        .with_ansi(takes_colours())
        .fmt_fields(OneLine)
        // By default the subscriber panics when it cannot write to standard error.
        .log_internal_errors(false)
        .with_writer(io::stderr)
        .with_target(false)
        .without_time()
        .try_init();
}

/// Formats a record's fields as one harmless line, whatever names of files and programs they hold.
struct OneLine;

impl<'w> FormatFields<'w> for OneLine {
    fn format_fields<R: RecordFields>(&self, mut to: Writer<'w>, fields: R) -> std::fmt::Result {
        let mut message = String::new();
        DefaultFields::new().format_fields(Writer::new(&mut message), fields)?;
        to.write_str(&outside::one_line(&message))
    }
}

/// Whether standard error takes colours: only a terminal does, and only unless NO_COLOR is set.
fn takes_colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex, PoisonError},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_message_is_one_line_whatever_is_named_in_it() {
        let kept = Kept::default();
        let to = kept.clone();
        let subscriber = fmt::fmt().with_ansi(false).fmt_fields(OneLine).with_writer(move || to.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(name = "c\nd", "{} was not written", "a\nWARN b\x1b]0;x\x07\r\u{202e}\u{9b}1m");
        });
        let said = String::from_utf8(kept.0.lock().expect("no panic").clone()).expect("UTF-8");
        let (line, end) = said.split_at(said.len() - 1);
        assert!(line.contains("was not written") && outside::one_line(line) == line && end == "\n", "{said:?}");
    }
}
