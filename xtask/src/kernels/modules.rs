// SPDX-License-Identifier: MIT OR Apache-2.0
//! The few modules that a guest needs, out of an unpacked package, with those that they depend on.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSection as _};

use crate::workspace::run;

/// What incidents and their witnesses ask for; a kernel may also have some of them built in.
const WANTED: [&str; 12] = [
    "dummy",
    "inet_diag",
    "nf_conntrack",
    "nf_tables",
    "nft_ct",
    "nft_reject_inet",
    "overlay",
    "sch_fq",
    "sch_netem",
    "tcp_bbr",
    "tcp_diag",
    "veth",
];

/// Copies the modules into `folder`; their names, in the order in which they can be loaded.
pub fn take(trees: &[PathBuf], folder: &Path) -> Result<Vec<String>> {
    let mut found = BTreeMap::new();
    for tree in trees.iter().filter(|tree| tree.exists()) {
        collect(tree, &mut found)?;
    }
    let mut order = Vec::new();
    for module in WANTED {
        visit(module, &found, folder, &mut order)?;
    }
    Ok(order)
}

fn collect(folder: &Path, found: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), found)?;
        } else if let Some((module, "" | ".xz")) = name.split_once(".ko") {
            found.insert(module.replace('-', "_"), entry.path());
        }
    }
    Ok(())
}

/// Depth first: what a module depends on is copied, and named, before it.
fn visit(module: &str, found: &BTreeMap<String, PathBuf>, folder: &Path, order: &mut Vec<String>) -> Result<()> {
    let file = format!("{module}.ko");
    let Some(packed) = found.get(module).filter(|_| !order.contains(&file)) else { return Ok(()) };
    let copy = folder.join(&file);
    if packed.extension().is_some_and(|extension| extension == "xz") {
        let packed_copy = copy.with_extension("ko.xz");
        fs::copy(packed, &packed_copy)?;
        run(Command::new("xz").args(["--decompress", "--force"]).arg(packed_copy))?;
    } else {
        fs::copy(packed, &copy)?;
    }
    for needed in depends(&copy)? {
        visit(&needed, found, folder, order)?;
    }
    order.push(file);
    Ok(())
}

fn depends(module: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(module)?;
    let elf = object::File::parse(&*bytes).with_context(|| format!("{} is no module", module.display()))?;
    let info = elf.section_by_name(".modinfo").context("a module without .modinfo")?.data()?;
    let lines = info.split(|&byte| byte == 0).map(String::from_utf8_lossy);
    let depends = lines.filter_map(|line| line.strip_prefix("depends=").map(str::to_owned)).collect::<String>();
    Ok(depends.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect())
}
