//! The little grammar that header names, header values and lists share (RFC 9110, section 5).
//!
//! Everything here works on bytes, allocates nothing and takes time linear in its input.

/// Whether a byte may stand in a token (RFC 9110, 5.6.2).
#[inline]
pub(super) const fn is_token_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
            | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+'
            | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
    )
}

pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// Whether a value may be sent in a header: visible ASCII with spaces and tabs inside.
///
/// Bytes above 0x7f are legal on the wire but mean something different to every reader, and white
/// space at the ends would not survive the trip, so this end sends neither.
pub(super) fn is_sendable_value(value: &[u8]) -> bool {
    let visible = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    value.iter().all(visible) && trim(value).len() == value.len()
}

/// Cuts optional white space (space and tab) off both ends.
pub(super) const fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The elements of a comma-separated list, without the empty ones that recipients have to ignore
/// (RFC 9110, 5.6.1.2).
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    value
        .split(|&byte| byte == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn tokens_are_the_visible_characters_without_the_separators() {
        let separators = b"()<>@,;:\\\"/[]?={} \t";
        for byte in 0..=255_u8 {
            let expected = byte.is_ascii_graphic() && !separators.contains(&byte);
            assert_eq!(is_token_byte(byte), expected, "{byte:#x}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn a_list_is_split_at_commas_and_trimmed() {
        let all: Vec<_> = elements(b"\t a , ,b;c=1,,  ").collect();
        assert_eq!(all, [&b"a"[..], b"b;c=1"]);
        assert_eq!(elements(b" , ").count(), 0);
    }

    #[test]
    fn values_that_would_change_on_the_way_are_not_sent() {
        for good in [&b""[..], b"a", b"a b\tc", b"~!"] {
            assert!(is_sendable_value(good), "{good:?}");
        }
        for bad in [
            &b" "[..],
            b" a",
            b"a\t",
            b"a\r\nb",
            b"a\n",
            b"a\0",
            b"\x7f",
            b"\xc3\xa9",
        ] {
            assert!(!is_sendable_value(bad), "{bad:?}");
        }
    }
}
