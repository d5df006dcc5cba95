//! What has to hold for any input. The fuzz targets call these functions with what libFuzzer finds,
//! and `tests/fuzz_seeds.rs` calls them with the seeds, on a stable toolchain.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "a part of several crates, each of which uses its own oracle"
)]

mod client_handshake;
mod frame;
mod http;
mod server_handshake;
mod stream;

pub use client_handshake::client_handshake;
pub use frame::frame_header;
pub use server_handshake::server_handshake;
pub use stream::stream;

/// The first byte of an input says under which conditions the rest is read.
struct Options(u8);

impl Options {
    const fn bit(&self, bit: u8) -> bool {
        self.0 >> bit & 1 != 0
    }
}

/// An input that is read in pieces: options, a count, the sizes of so many reads (low four bits of
/// the count; the sizes recur), and then the bytes.
struct Input<'a> {
    options: Options,
    sizes: Vec<usize>,
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    fn split(data: &'a [u8]) -> Option<Self> {
        let [options, count, rest @ ..] = data else {
            return None;
        };
        let (sizes, bytes) = rest.split_at_checked(usize::from(count & 15))?;
        Some(Self {
            options: Options(*options),
            sizes: sizes.iter().map(|size| usize::from(*size) + 1).collect(),
            bytes,
        })
    }
}
