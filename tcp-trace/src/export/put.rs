// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values as the bytes that JSON and CSV have in common. Every event has some thirty of them, so they are put where
//! they end up at once: no memory of their own, no formatter in between.

use std::{io::Write as _, net::IpAddr};

/// Appends a number.
#[inline]
pub(super) fn number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
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
        fn addresses_are_as_ever(any: IpAddr) {
            prop_assert_eq!(text(|out| address(out, any)), any.to_string());
        }
    }
}
