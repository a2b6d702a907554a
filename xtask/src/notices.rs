// SPDX-License-Identifier: MIT OR Apache-2.0
//! Notices of the packages in the binary, with the licences that require them.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::workspace::{TARGET, cargo, output};

/// Packages whose code is in the release.
const SHIPPED: [&str; 2] = ["tcp-trace", "tcp-trace-ebpf"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    /// Registry source; `None`: a workspace package.
    source: Option<String>,
    manifest_path: PathBuf,
}

/// Notices of every linked package.
pub fn text() -> Result<String> {
    let metadata = output(cargo().args(["metadata", "--locked", "--format-version", "1"]))?;
    let metadata: Metadata = serde_json::from_str(&metadata).context("cargo metadata is no JSON")?;
    let mut linked = BTreeSet::new();
    for package in SHIPPED {
        let tree = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--target", TARGET];
        let tree = output(cargo().args(tree).args(["--package", package]))?;
        linked.extend(tree.lines().filter_map(named));
    }
    let mut text = String::from(
        "tcp-trace is licensed under MIT OR Apache-2.0. The programs that are given away contain, unchanged, code of the\n\
         following packages, each under its own licence. Their source is at the addresses below.\n",
    );
    let is_linked = |package: &&Package| {
        package.source.is_some() && linked.contains(&(package.name.clone(), package.version.clone()))
    };
    for package in metadata.packages.iter().filter(is_linked) {
        let Package { name, version, license, repository, manifest_path, .. } = package;
        let license = license.as_deref().unwrap_or("licence: see below");
        let repository = repository.as_deref().unwrap_or("source: in the package of that name and version");
        // A `String` takes every write.
        let _ = write!(text, "\n{}\n{name} {version}: {license}\n{repository}\n", "=".repeat(100));
        for file in licence_files(manifest_path.parent().context("a manifest without a folder")?)? {
            let words = fs::read(&file).with_context(|| format!("could not read {}", file.display()))?;
            let _ = write!(text, "\n{}\n", String::from_utf8_lossy(&words).trim_end());
        }
    }
    Ok(text)
}

/// Name and version from `serde v1.0.0 (proc-macro)`.
fn named(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
}

fn licence_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_licence = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_uppercase();
        path.is_file()
            && ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE", "COPYRIGHT"]
                .iter()
                .any(|word| name.starts_with(word))
    };
    let entries = fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_licence).collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_licence_that_asks_for_it_goes_along() {
        let text = super::text().expect("cargo knows its packages");
        for words in ["inferno", "COMMON DEVELOPMENT AND DISTRIBUTION LICENSE", "aya ", "tempfile", "Apache License"] {
            assert!(text.contains(words), "{words}");
        }
        assert!(!text.contains("proptest "), "tests are not given away");
    }
}
