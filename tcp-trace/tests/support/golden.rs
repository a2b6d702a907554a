// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text compared with files in tests/golden. `TCP_TRACE_BLESS=1 cargo test -p tcp-trace` writes them anew.

use std::path::Path;

/// Panics where the file says something else.
pub fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("TCP_TRACE_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&path, actual).unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs.\n--- expected\n{expected}\n--- actual\n{actual}\n\
         If the new output is right: TCP_TRACE_BLESS=1 cargo test -p tcp-trace",
        path.display()
    );
}
