// SPDX-License-Identifier: MIT OR Apache-2.0
//! A set of ports: one bit each, 8 KiB.

use std::fmt;

const WORDS: usize = (1 << 16) / 64;

/// A set of any of 65,536 ports.
#[derive(Clone, PartialEq, Eq)]
pub struct PortSet(Box<[u64; WORDS]>);

impl Default for PortSet {
    fn default() -> Self {
        Self(Box::new([0; WORDS]))
    }
}

impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl PortSet {
    /// Adds a port; returns whether it is new.
    pub fn insert(&mut self, port: u16) -> bool {
        let word = &mut self.0[usize::from(port / 64)];
        let before = *word;
        *word |= 1 << (port % 64);
        *word != before
    }

    /// Whether a port is in the set.
    pub fn contains(&self, port: u16) -> bool {
        self.0[usize::from(port / 64)] >> (port % 64) & 1 == 1
    }

    /// All ports, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0
            .iter()
            .zip(0_u16..)
            .flat_map(|(word, index)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 64 + bit))
    }

    /// Parses the format of `net.ipv4.ip_local_reserved_ports`: `8080,9148,40000-40100`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut ports = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            for port in low.parse().ok()?..=high.parse().ok()? {
                ports.insert(port);
            }
        }
        Some(ports)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_kernel_prints_them() {
        let ports = PortSet::parse("8080,40000-40002,65535").expect("ports");
        assert_eq!(ports.iter().collect::<Vec<_>>(), [8080, 40_000, 40_001, 40_002, 65_535]);
        assert!(ports.contains(40_001) && !ports.contains(40_003));
        assert_eq!(PortSet::parse("").map(|none| none.iter().count()), Some(0));
        assert_eq!(PortSet::parse("x"), None);
    }
}
