// SPDX-License-Identifier: MIT OR Apache-2.0
//! Landlock: what a thread may do with files beyond reading them.

use std::{fs, path::PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus,
};

use crate::export::destination::{folder, target};

/// How far this kernel enforces the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enforced {
    /// All rules.
    Yes,
    /// The rules that an earlier version of Landlock has.
    InPart,
    /// None: no Landlock before 5.13, or it is disabled.
    No,
}

/// The Landlock version that is requested; older kernels enforce the rights that they know.
const NEWEST: ABI = ABI::V6;

/// Restricts the thread: files can be created, written and removed only in the folders of these outputs, and nothing
/// can be executed. Open files stay usable.
pub(super) fn only(outputs: &[PathBuf]) -> Result<Enforced, RulesetError> {
    // Reading is not among the restricted rights.
    let ruled = AccessFs::from_write(NEWEST) | AccessFs::Execute;
    let mut rules = Ruleset::default().handle_access(ruled)?.handle_access(AccessNet::from_all(NEWEST))?.create()?;
    let in_folder: BitFlags<AccessFs> =
        AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::RemoveFile;
    for output in outputs {
        // A missing folder causes an error when the file is opened.
        if let Ok(folder) = PathFd::new(folder(&target(output))) {
            rules = rules.add_rule(PathBeneath::new(folder, in_folder))?;
        }
        let is_stream = fs::metadata(output).is_ok_and(|there| !there.is_file() && !there.is_dir());
        if is_stream && let Ok(stream) = PathFd::new(output) {
            // A pipe without a name takes no rule, and needs none.
            let _ = (&mut rules).add_rule(PathBeneath::new(stream, AccessFs::WriteFile));
        }
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Enforced::Yes,
        RulesetStatus::PartiallyEnforced => Enforced::InPart,
        RulesetStatus::NotEnforced => Enforced::No,
    })
}
