// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sets of rules that come with tcp-trace, in the form of `--rules FILE`.

use super::rule::Rule;

/// A set of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// A proxy or NAT host: its ports towards each destination last
    EgressProxy,
    /// A program that connects: its connects succeed, and soon
    Client,
    /// A service that accepts connections: none is dropped or leaked
    Listener,
}

impl Preset {
    /// The set as a file of rules.
    pub fn text(self) -> &'static str {
        match self {
            Self::EgressProxy => include_str!("presets/egress-proxy.rules"),
            Self::Client => include_str!("presets/client.rules"),
            Self::Listener => include_str!("presets/listener.rules"),
        }
    }

    /// The rules of the set.
    ///
    /// # Errors
    /// Never: a test parses each set.
    pub fn rules(self) -> Result<Vec<Rule>, String> {
        Rule::parse_lines(self.text(), "preset")
    }
}
