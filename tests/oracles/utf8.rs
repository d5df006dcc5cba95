//! Text that arrives in pieces.

use core::str;

use fullduplex::utf8::{Decoder, Utf8Error};

use super::Input;

/// However a text is cut, it is accepted or refused as `str::from_utf8` accepts or refuses what has
/// come so far: at the same byte, with the same position, and after handing on all that is valid.
///
/// Input: as [`Input`] says, of which the options are not used.
///
/// # Panics
///
/// If that does not hold.
pub fn utf8_incremental(data: &[u8]) {
    let Some(Input { sizes, bytes, .. }) = Input::split(data) else {
        return;
    };
    let mut text = String::with_capacity(bytes.len());
    for sizes in [&sizes[..], &[usize::MAX], &[1]] {
        text.clear();
        if !sizes.is_empty() {
            assert_agrees(bytes, sizes, &mut text);
        }
    }
}

fn assert_agrees(bytes: &[u8], sizes: &[usize], text: &mut String) {
    let mut decoder = Decoder::new();
    let mut fed = 0_usize;
    // Up to here it is known to be valid, so that long inputs take no quadratic time.
    let mut known = 0;
    for size in sizes.iter().cycle() {
        let end = bytes.len().min(fed.saturating_add(*size));
        let told = decoder.push(&bytes[fed..end], |part| {
            assert!(!part.is_empty());
            text.push_str(part);
        });
        fed = end;
        let judged = str::from_utf8(&bytes[known..fed]);
        known += judged.map_or_else(|error| error.valid_up_to(), str::len);
        assert_eq!(text.as_bytes(), &bytes[..known]);
        match judged {
            Err(error) if error.error_len().is_some() => {
                return assert_position(told, known);
            }
            _ => assert_eq!(told, Ok(()), "{fed} bytes"),
        }
        if fed == bytes.len() {
            break;
        }
    }
    if known == bytes.len() {
        assert_eq!(decoder.finish(), Ok(()));
    } else {
        assert_position(decoder.finish(), known);
    }
}

fn assert_position(told: Result<(), Utf8Error>, valid: usize) {
    let error = told.expect_err("accepted what is not UTF-8");
    assert_eq!(error.valid_up_to, valid as u64);
}
