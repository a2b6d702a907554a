// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests that compare the table with the committed object: both must list the same programs.

use std::collections::BTreeSet;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionKind};

use super::{MARKS, SIGNALS};

static OBJECT: &[u8] = include_bytes!("../../../object/tcp-trace.bpf.o");

/// Functions with a section of their own that names a hook, each with that section: programs. `.text` holds what they call.
fn programs_of_the_object() -> BTreeSet<String> {
    let object = object::File::parse(OBJECT).expect("ELF");
    let programs = object.symbols().filter(|symbol| {
        let section = symbol.section_index().and_then(|index| object.section_by_index(index).ok());
        let section = section.filter(|section| section.kind() == SectionKind::Text);
        symbol.is_global() && section.is_some_and(|section| section.name().is_ok_and(|name| name != ".text"))
    });
    programs.map(|symbol| symbol.name().expect("UTF-8").to_owned()).collect()
}

#[test]
fn table_and_object_have_the_same_programs() {
    let rows = SIGNALS.iter().flat_map(|row| row.alternatives);
    let table = rows.flat_map(|alternative| alternative.programs).map(|program| program.name);
    let table: BTreeSet<_> = table.chain([MARKS]).map(str::to_owned).collect();
    assert!(table.len() > 50, "{table:?}");
    assert_eq!(table, programs_of_the_object());
}
