// SPDX-License-Identifier: MIT OR Apache-2.0
//! Plans on the facts of real kernels.
