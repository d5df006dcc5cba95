//! `Sec-WebSocket-Key` and the answer that proves it was read (RFC 6455, 4.2.2, item 5.4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

use crate::connection::MaskKeys;

/// What every server appends to the key before hashing it (RFC 6455, 1.3).
const GUID: &[u8; 36] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Base64 of 16 bytes, as sent in `Sec-WebSocket-Key`.
pub(super) type Key = [u8; 24];

/// Base64 of a SHA-1 digest, as sent in `Sec-WebSocket-Accept`.
pub(super) type Accept = [u8; 28];

/// A key that nobody can guess, if nobody can guess the masking keys.
pub(super) fn draw_key(keys: &mut MaskKeys) -> Key {
    let mut nonce = [0; 16];
    keys.fill(&mut nonce);
    encode_key(nonce)
}

fn encode_key(nonce: [u8; 16]) -> Key {
    let mut key = [0; 24];
    let length = STANDARD.encode_slice(nonce, &mut key);
    debug_assert_eq!(length, Ok(key.len()));
    key
}

/// Takes a value that is base64 of exactly 16 bytes (RFC 6455, 4.2.1, item 5).
///
/// The two unused bits at the end may have any value: the key is a nonce that is hashed as text,
/// and no other server looks at them.
pub(super) fn parse_key(value: &[u8]) -> Option<&Key> {
    let key: &Key = value.try_into().ok()?;
    let [digits @ .., b'=', b'='] = key else {
        return None;
    };
    let alphabet =
        |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'+' | b'/');
    // All of them, whatever comes first: without a branch for each.
    let legal = digits
        .iter()
        .fold(true, |legal, byte| legal & alphabet(byte));
    legal.then_some(key)
}

pub(super) fn accept_for(key: &Key) -> Accept {
    let mut text = [0; 60];
    let (start, end) = text.split_at_mut(key.len());
    start.copy_from_slice(key);
    end.copy_from_slice(GUID);
    let digest = Sha1::digest(text);
    let mut accept = [0; 28];
    let length = STANDARD.encode_slice(digest, &mut accept);
    debug_assert_eq!(length, Ok(accept.len()));
    accept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R6455-4.1-21: the example of RFC 6455, 1.3.
    #[test]
    fn the_accept_value_of_the_rfc() {
        let key = encode_key(*b"the sample nonce");
        assert_eq!(&key, b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(&accept_for(&key), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    /// R6455-4.2.1-04, H8.
    #[test]
    fn a_key_is_base64_of_sixteen_bytes() {
        for good in [
            "dGhlIHNhbXBsZSBub25jZQ==",
            "NDE3MTA1NjQ4OTczMTIzNQ==", // Mojolicious sends 16 ASCII digits.
            "++++////++++////++++//==",
            "dGhlIHNhbXBsZSBub25jZR==", // Unused bits set.
        ] {
            assert!(parse_key(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            "",
            "AAAA",
            "AAAAAAAAAAAAAAAAAAAA",      // 15 bytes
            "AAAAAAAAAAAAAAAAAAAAAAA=",  // 17 bytes
            "AAAAAAAAAAAAAAAAAAAAAAAA",  // 18 bytes
            "AAAAAAAAAAAAAAAAAAAAAA",    // no padding
            "AAAAAAAAAAAAAAAAAAAAAA=",   // half the padding
            "AAAAAAAAAAAAAAAAAAAAA===",  // too much padding
            "AAAAAAAAAAAAAAAAAAAAAA===", // too long
            "dGhlIHNhbXBsZSBub25j-Q==",  // the URL alphabet
            "dGhlIHNhbXBsZSBub25j Q==",
            "dGhlIHNhbXBsZSBub25j\u{e9}==",
            "dGhlIHNhbXBs==Bub25jZQ==",
        ] {
            assert!(parse_key(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
