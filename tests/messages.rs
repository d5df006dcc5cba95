//! Owned messages and their text: what goes in comes out, by whatever name.

#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

use std::borrow::Borrow;
use std::collections::HashMap;

use bytes::Bytes;
use fullduplex::{Message, MessageKind, Utf8Bytes};

/// Every way to make a message, and what it is then.
#[test]
fn a_message_is_what_it_was_made_of() {
    for message in [
        Message::text("grüß"),
        Message::from("grüß"),
        Message::from("grüß".to_owned()),
        Message::from(Utf8Bytes::from_static("grüß")),
    ] {
        assert_eq!(message.kind(), MessageKind::Text);
        assert_eq!(message.as_text(), Some("grüß"));
        assert_eq!(message.as_bytes(), "grüß".as_bytes());
        assert_eq!((message.len(), message.is_empty()), (6, false));
        assert_eq!(message.into_bytes(), "grüß".as_bytes());
    }
    for message in [
        Message::binary(vec![1, 2, 3]),
        Message::from(vec![1, 2, 3]),
        Message::from(Bytes::from_static(&[1, 2, 3])),
    ] {
        assert_eq!(message.kind(), MessageKind::Binary);
        assert_eq!(message.as_text(), None);
        assert_eq!(message.as_bytes(), [1, 2, 3]);
        assert_eq!((message.len(), message.is_empty()), (3, false));
        assert_eq!(message.into_bytes(), &[1, 2, 3][..]);
    }
    for empty in [Message::text(""), Message::binary(Vec::new())] {
        assert_eq!((empty.len(), empty.is_empty()), (0, true));
    }
    assert_ne!(Message::text("a"), Message::binary("a"));
}

/// Text is a `str` in every way that there is to ask.
#[test]
fn text_is_a_str() {
    fn borrowed<T: ?Sized, B: Borrow<T>>(borrow: &B) -> &T {
        borrow.borrow()
    }
    let text = Utf8Bytes::from("grüß".to_owned());
    assert_eq!(text, *"grüß");
    assert_eq!(text, "grüß");
    assert_ne!(text, *"gruß");
    assert_ne!(text, "gruß");
    assert_eq!(text.as_str(), "grüß");
    assert_eq!(text.len(), 6);
    assert_eq!(AsRef::<str>::as_ref(&text), "grüß");
    assert_eq!(AsRef::<[u8]>::as_ref(&text), "grüß".as_bytes());
    assert_eq!(borrowed::<str, _>(&text), "grüß");
    assert_eq!(text.to_string(), "grüß");
    assert_eq!(format!("{text:?}"), "\"grüß\"");
    assert_eq!(text.slice_ref(&text[1..4]), "rü");
    assert_eq!(Bytes::from(text.clone()), "grüß".as_bytes());
    assert_eq!(HashMap::from([(text, 1)]).get("grüß"), Some(&1));
    assert!(Utf8Bytes::default().is_empty());
}

/// Bytes become text if they are UTF-8, in the same memory.
#[test]
fn bytes_become_text_if_they_are() {
    let bytes = Bytes::from("grüß");
    let text = Utf8Bytes::try_from(bytes.clone());
    assert_eq!(text.as_ref().map(|text| text.as_ptr()), Ok(bytes.as_ptr()));
    assert!(Utf8Bytes::try_from(bytes.slice(..3)).is_err());
}
