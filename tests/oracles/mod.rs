//! What has to hold for any input. The fuzz targets call these functions with what libFuzzer finds,
//! and `tests/fuzz_seeds.rs` calls them with the seeds, on a stable toolchain.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a part of several crates with std, each of which uses its own oracle"
)]

mod client_handshake;
mod close_state;
#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(feature = "deflate")]
mod deflate_bomb;
mod diff_tungstenite;
#[cfg(feature = "deflate")]
mod ext_negotiation;
mod frame;
mod frames;
mod http;
#[cfg(feature = "tokio")]
mod ops_cancel;
mod request_fields;
#[cfg(feature = "deflate")]
mod roundtrip_split;
mod server_handshake;
mod stream;
mod utf8;

pub use client_handshake::client_handshake;
pub use close_state::close_state;
#[cfg(feature = "deflate")]
pub use deflate_bomb::deflate_bomb;
pub use diff_tungstenite::diff_tungstenite;
#[cfg(feature = "deflate")]
pub use ext_negotiation::ext_negotiation;
pub use frame::frame_header;
#[cfg(feature = "tokio")]
pub use ops_cancel::ops_cancel;
pub use request_fields::url_and_headers;
#[cfg(feature = "deflate")]
pub use roundtrip_split::roundtrip_split;
pub use server_handshake::server_handshake;
pub use stream::stream;
pub use utf8::utf8_incremental;

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

/// An input that is a list of things to do.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    /// The next `count` bytes, or all there are.
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(self.0.len().min(count));
        self.0 = rest;
        taken
    }
}
