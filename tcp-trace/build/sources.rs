// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a BPF object was built from, as text: one line per input, so that the first line that differs names the
//! stale input. `cargo xtask ebpf` writes it beside the object; the agent's build script compares.

use std::{fmt::Write as _, fs, io, path::Path};

use sha2::{Digest as _, Sha256};

/// Crates whose code ends up in the object. Others of their dependency tree run on the host only.
const PINNED: [&str; 9] = [
    "aya-ebpf",
    "aya-ebpf-bindings",
    "aya-ebpf-cty",
    "aya-ebpf-macros",
    "aya-log-common",
    "aya-log-ebpf",
    "aya-log-ebpf-macros",
    "zerocopy",
    "zerocopy-derive",
];

/// The inputs of the object at `object`, built from the crates in the folders `crates`; paths are relative to `root`.
pub fn manifest(root: &Path, crates: &[&str], object: &str) -> io::Result<String> {
    let mut files = vec!["rust-toolchain.toml".to_owned(), object.to_owned()];
    for folder in crates {
        files.push(format!("{folder}/Cargo.toml"));
        list_files(root, &format!("{folder}/src"), &mut files)?;
    }
    files.sort();
    let mut text = pinned_versions(&fs::read_to_string(root.join("Cargo.lock"))?);
    for file in files {
        for byte in Sha256::digest(fs::read(root.join(&file))?) {
            write!(text, "{byte:02x}").expect("writing to a String");
        }
        writeln!(text, "  {file}").expect("writing to a String");
    }
    Ok(text)
}

fn list_files(root: &Path, folder: &str, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() { list_files(root, &path, files)? } else { files.push(path) }
    }
    Ok(())
}

/// Name, version and checksum of each pinned crate, out of a Cargo.lock.
fn pinned_versions(lock: &str) -> String {
    let field = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        line.map_or(String::new(), |value| value.trim_end_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").filter(|package| PINNED.contains(&field(package, "name").as_str()));
    packages.fold(String::new(), |text, package| {
        let [name, version, checksum] = ["name", "version", "checksum"].map(|key| field(package, key));
        text + &format!("{checksum}  {name} {version}\n")
    })
}
