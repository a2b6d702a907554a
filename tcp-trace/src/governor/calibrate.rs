// SPDX-License-Identifier: MIT OR Apache-2.0
//! What tracing adds to a connect, measured on connects of our own: the same ones before and after attaching.

/// What was added to one connect to a refused port of loopback, as the difference of two medians.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    /// Connects on either side.
    pub connects: u32,
    /// Time; negative where the measurement is within its noise.
    pub ns: i64,
    /// Instructions of the kernel; `None` where no hardware counter is to be had.
    pub instructions: Option<i64>,
}
