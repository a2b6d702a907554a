// SPDX-License-Identifier: MIT OR Apache-2.0
//! Address and size of `table_perturb`: the port search starts from it, and tcp-trace derives the number of ports
//! visited from it.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
};

use super::{Roots, privileges::Privileges};

/// A fact, or why it is unknown.
pub type Resolved<T> = Result<T, String>;

/// Size of `table_perturb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOrder {
    /// CONFIG_INET_TABLE_PERTURB_ORDER: the table has 1 << order entries.
    pub order: u32,
    /// Source of that value, or why the default is assumed.
    pub source: String,
}

/// Default of CONFIG_INET_TABLE_PERTURB_ORDER, which only CONFIG_EXPERT allows to change.
const DEFAULT_ORDER: u32 = 16;
const OPTION: &str = "CONFIG_INET_TABLE_PERTURB_ORDER=";
const NAME: &[u8] = b" table_perturb";

/// Address of the pointer `table_perturb`, from /proc/kallsyms.
pub fn table_perturb(roots: &Roots, privileges: &Privileges) -> Resolved<u64> {
    let path = roots.proc.join("kallsyms");
    let file = File::open(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut lines = BufReader::with_capacity(1 << 16, file);
    let (mut line, mut data_symbols, mut addresses) = (Vec::new(), false, Vec::new());
    loop {
        line.clear();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        }
        // Format: `ffffffff82a0b1c0 b table_perturb`; a module has its name in brackets behind a tab.
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let Some(space) = text.iter().position(|byte| *byte == b' ') else { continue };
        // Linker-made section bounds (B, D) are listed in any case, static variables only with KALLSYMS_ALL.
        data_symbols |= matches!(text.get(space + 1), Some(b'b' | b'd'));
        if text.ends_with(NAME) && text.len() == space + 2 + NAME.len() {
            let digits = std::str::from_utf8(&text[..space]).unwrap_or_default();
            addresses.extend(u64::from_str_radix(digits, 16));
        }
    }
    match addresses[..] {
        [] if data_symbols => Err("/proc/kallsyms has no symbol table_perturb".into()),
        [] => Err("/proc/kallsyms lists functions only (CONFIG_KALLSYMS_ALL is not set)".into()),
        [0] => Err(hidden(privileges)),
        [address] => Ok(address),
        _ => Err("/proc/kallsyms has more than one symbol table_perturb".into()),
    }
}

fn hidden(privileges: &Privileges) -> String {
    match privileges.kptr_restrict {
        Some(2) => "addresses are hidden from all users (kernel.kptr_restrict = 2)".into(),
        _ if !privileges.may_see_addresses() => "addresses are hidden without CAP_SYSLOG".into(),
        _ => "addresses in /proc/kallsyms are zero".into(),
    }
}

/// Order of the table, from the running kernel's configuration if that is a plain file.
pub fn table_order(roots: &Roots, release: &str) -> TableOrder {
    let path = roots.boot.join(format!("config-{release}"));
    let configured = fs::read_to_string(&path).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix(OPTION))?;
        line.trim().parse().ok().filter(|order| (8..=24).contains(order))
    });
    match configured {
        Some(order) => TableOrder { order, source: path.display().to_string() },
        None if roots.proc.join("config.gz").exists() => TableOrder {
            order: DEFAULT_ORDER,
            source: format!("assumed: /proc/config.gz is compressed and {} cannot be read", path.display()),
        },
        None => TableOrder { order: DEFAULT_ORDER, source: format!("assumed: {} cannot be read", path.display()) },
    }
}
