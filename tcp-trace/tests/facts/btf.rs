// SPDX-License-Identifier: MIT OR Apache-2.0
//! BTF of any kind is read or refused, never more.

use proptest::prelude::*;
use tcp_trace::kernel::{
    btf::{Btf, Error, Missing, Returns},
    offsets,
    rules::SearchRules,
};

use crate::machine::btf;

/// Everything that the agent asks.
fn ask(bytes: &[u8]) {
    if let Ok(btf) = Btf::parse(bytes) {
        let _ = offsets::resolve(&btf);
        let _ = SearchRules::from_btf(&btf);
        let _ = btf.has_tracepoint("inet_sock_set_state");
        let _ = btf.has_struct("bpf_map_memory");
    }
}

#[test]
fn answers_of_a_real_kernel() {
    let bytes = btf("6.12");
    let btf = Btf::parse(&bytes).expect("BTF");
    assert_eq!(btf.field("sock", "sk_nothing"), Err(Missing::Member));
    assert_eq!(btf.field("nothing", "sk_err"), Err(Missing::Type));
    // Through two typedefs and an anonymous union.
    assert_eq!(btf.field("sock_common", "skc_net.net").map(|field| (field.bit_offset, field.size)), Ok((384, 8)));
    let search = btf.function("__inet_hash_connect").expect("a function");
    assert_eq!((search.param_count(), btf.param_size(&search, 2)), (4, Some(8)));
    let returns = |name| btf.function(name).map(|function| function.returns);
    assert_eq!(returns("inet_sk_get_local_port_range"), Some(Returns::Bool));
    assert_eq!(returns("tcp_set_state"), Some(Returns::Void));
    assert_eq!(returns("tcp_v4_connect"), Some(Returns::Other));
    assert_eq!(btf.enumerator(Some("bpf_map_type"), "BPF_MAP_TYPE_RINGBUF"), Some(27));
    assert!(btf.has_tracepoint("tcp_destroy_sock"));
}

#[test]
fn a_longer_header_is_no_obstacle() {
    let short = btf("6.12");
    let mut long = short.clone();
    long[4..8].copy_from_slice(&32_u32.to_ne_bytes());
    long.splice(24..24, [0; 8]);
    let resolved = |bytes| offsets::resolve(&Btf::parse(bytes).expect("BTF"));
    assert_eq!(resolved(&short), resolved(&long));
}

#[test]
fn what_is_not_btf_is_refused() {
    assert_eq!(Btf::parse(b"").err(), Some(Error::Header));
    assert_eq!(Btf::parse(b"\x7fELF and so on").err(), Some(Error::Header));
    let mut unknown = btf("6.12");
    // The first type becomes one of a kind that does not exist yet.
    unknown[31] = 31;
    assert_eq!(Btf::parse(&unknown).err(), Some(Error::UnknownKind { id: 1, kind: 31 }));
}

proptest! {
    #[test]
    fn truncated(version in prop::sample::select(&crate::machine::KERNELS[..]), keep in 0.0..1.0_f64) {
        let bytes = btf(version);
        let keep = (bytes.len() as f64 * keep) as usize;
        ask(&bytes[..keep]);
    }

    #[test]
    fn corrupted(version in prop::sample::select(&crate::machine::KERNELS[..]),
                 damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..64)) {
        let mut bytes = btf(version);
        for (at, with) in damage {
            let length = bytes.len();
            bytes[at.index(length)] = with;
        }
        ask(&bytes);
    }

    #[test]
    fn garbage_behind_a_header(words in prop::collection::vec(any::<u32>(), 0..256), types in 0..1024_u32) {
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, types, types, 64].iter().chain(&words) {
            bytes.extend(word.to_ne_bytes());
        }
        ask(&bytes);
    }
}
