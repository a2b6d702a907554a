// SPDX-License-Identifier: MIT OR Apache-2.0
//! table_perturb: found, or a reason.

use tcp_trace::kernel::{
    privileges::Privileges,
    symbols::{Resolved, table_order, table_perturb},
};

use crate::machine::Machine;

fn kallsyms(text: &str, privileges: &Privileges) -> Resolved<u64> {
    let machine = Machine::bare();
    machine.write("proc/kallsyms", text);
    table_perturb(&machine.roots(), privileges)
}

#[test]
fn the_address_is_found_by_its_exact_name() {
    let text = "ffffffff81000000 T _stext\n\
                ffffffff82aa0000 b not_table_perturb\n\
                ffffffff82aa0008 b table_perturb.1\n\
                ffffffff82aa0010 b table_perturb\n\
                ffffffff82aa0018 b table_perturb\t[dccp]\n";
    assert_eq!(kallsyms(text, &Privileges::default()), Ok(0xffff_ffff_82aa_0010));
}

#[test]
fn each_way_of_not_knowing_has_its_reason() {
    let nobody = Privileges::default();
    let all = Privileges { effective: Some(u64::MAX), ..nobody.clone() };
    let restricted = Privileges { kptr_restrict: Some(2), ..all.clone() };
    let zero = "0000000000000000 b table_perturb\n";
    for (text, privileges, reason) in [
        ("ffffffff81000000 T _stext\nffffffff82400000 D __start_rodata\n", &all, "CONFIG_KALLSYMS_ALL"),
        ("ffffffff81000000 T _stext\nffffffff82aa0000 b other\n", &all, "no symbol"),
        (zero, &nobody, "CAP_SYSLOG"),
        (zero, &restricted, "kptr_restrict = 2"),
        ("ffffffff82aa0010 b table_perturb\nffffffff82aa0020 b table_perturb\n", &all, "more than one"),
        ("\n \nnonsense\n b table_perturb\n", &all, "no symbol"),
    ] {
        let why = kallsyms(text, privileges).expect_err(text);
        assert!(why.contains(reason), "{text:?}: {why}");
    }
    assert!(table_perturb(&Machine::bare().roots(), &all).is_err_and(|why| why.starts_with("cannot read")));
}

#[test]
fn the_order_is_read_or_assumed_aloud() {
    let machine = Machine::bare();
    assert!(table_order(&machine.roots(), "6.1").source.starts_with("assumed"));
    machine.write("proc/config.gz", [0x1f, 0x8b]);
    assert!(table_order(&machine.roots(), "6.1").source.contains("compressed"));
    machine.write("boot/config-6.1", "CONFIG_X=y\nCONFIG_INET_TABLE_PERTURB_ORDER=12\n");
    assert_eq!(table_order(&machine.roots(), "6.1").order, 12);
    machine.write("boot/config-6.1", "CONFIG_INET_TABLE_PERTURB_ORDER=99\n");
    assert_eq!(table_order(&machine.roots(), "6.1").order, 16, "out of Kconfig's range");
}
