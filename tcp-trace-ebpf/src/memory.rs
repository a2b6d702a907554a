// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads kernel memory: with a helper anywhere, with plain loads where the verifier knows the type. A helper call costs
//! as much as fifty loads.

use core::{
    mem::MaybeUninit,
    sync::atomic::{AtomicU64, Ordering},
};

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_skc_to_tcp_sock};
use tcp_trace_common::offsets::ABSENT;
use zerocopy::FromBytes;

/// Types that one plain load can read.
pub trait Word: Copy {}
impl Word for u8 {}
impl Word for u16 {}
impl Word for i32 {}
impl Word for u32 {}
impl Word for u64 {}

/// Memory with fields.
pub trait Memory: Copy {
    /// The value at `offset`, 0 if it cannot be read; `None` if the kernel has no such field.
    fn read<T: Word>(self, offset: u16) -> Option<T>;
}

/// The address of a kernel object.
pub trait Pointer: Memory {
    /// Whether the verifier knows its type.
    const TYPED: bool;

    fn new(address: u64) -> Self;

    fn address(self) -> u64;

    /// The `struct tcp_sock` that this `struct sock` is the beginning of.
    fn tcp(self) -> Option<Self>;

    /// Its first bytes, to read several fields at the cost of one.
    fn head(self) -> impl Memory;

    /// The pointer at `offset`.
    #[inline(always)]
    fn follow(self, offset: u16) -> Option<Self> {
        self.read(offset).map(Self::new)
    }
}

/// An address without a type that the verifier knows: read with a helper.
#[derive(Clone, Copy)]
pub struct Untyped(pub u64);

impl Memory for Untyped {
    #[inline(always)]
    fn read<T: Word>(self, offset: u16) -> Option<T> {
        if offset == ABSENT {
            return None;
        }
        Some(fetch(self.0 + u64::from(offset)))
    }
}

impl Pointer for Untyped {
    const TYPED: bool = false;

    #[inline(always)]
    fn new(address: u64) -> Self {
        Self(address)
    }

    #[inline(always)]
    fn address(self) -> u64 {
        self.0
    }

    #[inline(always)]
    fn tcp(self) -> Option<Self> {
        Some(self)
    }

    #[inline(always)]
    fn head(self) -> impl Memory {
        Head { words: fetch(self.0), whole: self }
    }
}

/// The value at this address, zeros if it cannot be read. The result of the helper is not checked: each check would be
/// one more branch for the verifier, and a program has many reads.
#[inline(always)]
fn fetch<T>(address: u64) -> T {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the address, and writes all of the value in any case. It is made of integers.
    unsafe {
        bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _);
        value.assume_init()
    }
}

/// Bytes that [`Untyped::head`] reads: of a `struct sock` the addresses of IPv4, the ports, family and state.
const HEAD: usize = 24;

/// A copy of the first bytes; later bytes are read as before.
#[derive(Clone, Copy)]
struct Head {
    words: [u64; HEAD / 8],
    whole: Untyped,
}

impl Memory for Head {
    #[inline(always)]
    fn read<T: Word>(self, offset: u16) -> Option<T> {
        if offset as usize + size_of::<T>() > HEAD {
            return self.whole.read(offset);
        }
        // SAFETY: within the copy; fields are aligned to their size.
        Some(unsafe { self.words.as_ptr().cast::<u8>().add(offset as usize).cast::<T>().read_volatile() })
    }
}

/// An argument of a fentry or fexit program, or what such a pointer leads to. The verifier knows its type from BTF and
/// rejects reads outside of it. A load that faults returns 0.
#[derive(Clone, Copy)]
pub struct Typed(pub u64);

impl Memory for Typed {
    #[inline(always)]
    fn read<T: Word>(self, offset: u16) -> Option<T> {
        if offset == ABSENT {
            return None;
        }
        // SAFETY: the verifier has proved that the field is there; volatile, so that the load stays as wide as it is.
        Some(unsafe { (self.0 as *const u8).add(offset as usize).cast::<T>().read_volatile() })
    }
}

impl Pointer for Typed {
    const TYPED: bool = true;

    #[inline(always)]
    fn new(address: u64) -> Self {
        Self(address)
    }

    #[inline(always)]
    fn address(self) -> u64 {
        self.0
    }

    #[inline(always)]
    fn tcp(self) -> Option<Self> {
        // SAFETY: the verifier has proved that it is a socket.
        let tcp = unsafe { bpf_skc_to_tcp_sock(self.0 as *mut _) };
        (!tcp.is_null()).then_some(Self(tcp as u64))
    }

    #[inline(always)]
    fn head(self) -> impl Memory {
        self
    }
}

/// Zeroes memory word by word: the compiler would emit a loop over bytes.
#[inline(always)]
pub fn zeroed<T: FromBytes>(place: &mut MaybeUninit<T>) -> &mut T {
    const { assert!(size_of::<T>().is_multiple_of(size_of::<u64>())) };
    let words = place.as_mut_ptr().cast::<u64>();
    for word in 0..size_of::<T>() / size_of::<u64>() {
        // SAFETY: within the place.
        unsafe { words.add(word).write_volatile(0) };
    }
    // SAFETY: all of it was written, and zeros are a valid `T`.
    unsafe { place.assume_init_mut() }
}

/// Adds to a number in a map, atomically.
#[inline(always)]
pub fn add(counter: &mut u64, more: u64) {
    // SAFETY: valid and aligned, and only ever changed so.
    unsafe { AtomicU64::from_ptr(counter) }.fetch_add(more, Ordering::Relaxed);
}

/// Copies whole words: the compiler would emit a loop over bytes.
#[inline(always)]
pub fn copy_words<T>(from: &T, to: *mut T) {
    let (from, to) = ((&raw const *from).cast::<u64>(), to.cast::<u64>());
    for word in 0..size_of::<T>() / size_of::<u64>() {
        // SAFETY: both are as long as a `T`.
        unsafe { to.add(word).write_volatile(from.add(word).read()) };
    }
}

/// Makes the verifier forget what it knows about a number, so that it merges paths that differ in nothing else. It
/// tracks what is written to the beginning of a word of the stack, not to the middle.
#[inline(always)]
pub fn unbounded(value: u32) -> u32 {
    #[repr(C, align(8))]
    struct Word([MaybeUninit<u32>; 2]);
    let mut word = Word([MaybeUninit::uninit(); 2]);
    let middle = word.0[1].as_mut_ptr();
    // SAFETY: within the word, and written before it is read; volatile, so that both happen.
    unsafe {
        middle.write_volatile(value);
        middle.read_volatile()
    }
}
