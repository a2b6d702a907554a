// SPDX-License-Identifier: MIT OR Apache-2.0
//! One nftables rule that checks the state of every sent packet: it enables conntrack in the calling thread's network
//! namespace.

use anyhow::{Result, ensure};

use crate::socket::Socket;

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = 10 << 8;
const NEW_CHAIN: u16 = (10 << 8) | 3;
const NEW_RULE: u16 = (10 << 8) | 6;
const NFPROTO_INET: u8 = 1;
const SUBSYS_NFTABLES: [u8; 2] = [0, 10];
const NESTED: u16 = libc::NLA_F_NESTED as u16;
const LOCAL_OUT: u32 = 3;

pub fn track_connections() -> Result<()> {
    let create = libc::NLM_F_CREATE | libc::NLM_F_APPEND;
    let ct_state = [number(1, 1), number(2, 0)].concat();
    let expression = attribute(1 | NESTED, &[text(1, "ct"), attribute(2 | NESTED, &ct_state)].concat());
    let hook = [number(1, LOCAL_OUT), number(2, 0)].concat();
    let chain = [text(1, "t"), text(3, "c"), attribute(4 | NESTED, &hook), text(7, "filter")].concat();
    let rule = [text(1, "t"), text(2, "c"), attribute(4 | NESTED, &expression)].concat();
    let batch = [
        message(BATCH_BEGIN, 0, SUBSYS_NFTABLES, &[]),
        message(NEW_TABLE, create, [0; 2], &text(1, "t")),
        message(NEW_CHAIN, create, [0; 2], &chain),
        message(NEW_RULE, create | libc::NLM_F_ACK, [0; 2], &rule),
        message(BATCH_END, 0, SUBSYS_NFTABLES, &[]),
    ];
    let reply = Socket::netfilter()?.exchange(&batch.concat())?;
    let errno = reply.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    ensure!(errno == Some(0), "could not add a rule that asks conntrack: errno {errno:?}");
    Ok(())
}

fn message(kind: u16, flags: libc::c_int, resource: [u8; 2], attributes: &[u8]) -> Vec<u8> {
    let family = if kind < NEW_TABLE { 0 } else { NFPROTO_INET };
    let flags = (flags | libc::NLM_F_REQUEST) as u16;
    let mut message = Vec::new();
    message.extend_from_slice(&(20 + attributes.len() as u32).to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&flags.to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    // struct nfgenmsg: family, version, res_id in network order.
    message.extend_from_slice(&[family, 0, resource[0], resource[1]]);
    message.extend_from_slice(attributes);
    message
}

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut attribute = Vec::new();
    attribute.extend_from_slice(&(4 + payload.len() as u16).to_ne_bytes());
    attribute.extend_from_slice(&kind.to_ne_bytes());
    attribute.extend_from_slice(payload);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

fn text(kind: u16, text: &str) -> Vec<u8> {
    attribute(kind, &[text.as_bytes(), &[0]].concat())
}

fn number(kind: u16, number: u32) -> Vec<u8> {
    attribute(kind, &number.to_be_bytes())
}
