//! What `Debug` shows: lengths and states, no payload and no key (row T4 of the attack list).

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::error::Error as _;

use common::pair::{BINARY, CONTINUATION, End, FIN, PING, PONG, ROLES, TEXT, frame_to, timeless};
use fullduplex::handshake::client;
use fullduplex::utf8::Decoder;
use fullduplex::{Delivery, Inbox, Limits, MaskKeys, Message, Role, SendError};

const SECRET: &str = "hunter2-hunter2";

/// Neither the text nor its bytes, in any of the forms in which `Debug` prints bytes.
fn assert_hidden(shown: &str) {
    let bytes = SECRET.as_bytes();
    let list = format!("{:?}", &bytes[..3]);
    let list = list.trim_matches(['[', ']']);
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(!shown.contains(list), "{shown}");
    let dense: String = shown.split_whitespace().collect(); // as `{:#?}` spreads it over lines
    assert!(!dense.contains(&list.replace(' ', "")), "{shown}");
}

/// T4: each event shows the length of its payload.
#[test]
fn events_show_lengths() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Pieces] {
            for first in [TEXT, BINARY, PING, PONG] {
                let mut config = timeless();
                config.delivery = delivery;
                let mut end = End::new(role, &config);
                let frame = frame_to(role, first, SECRET.as_bytes());
                let mut inbox = Inbox::from(&frame[..]);
                let event = end.connection.poll_event(&mut inbox).unwrap().unwrap();
                for shown in [format!("{event:?}"), format!("{event:#?}")] {
                    assert_hidden(&shown);
                    assert!(shown.contains("15"), "{shown}");
                }
            }
        }
    }
}

/// T4: a text that was gathered and one that was split off the block are hidden too.
#[test]
fn long_and_fragmented_texts_show_lengths() {
    let mut end = End::server();
    let long = SECRET.repeat(2_000);
    let mut bytes = frame_to(Role::Server, TEXT, long.as_bytes());
    bytes.extend(frame_to(Role::Server, TEXT & !FIN, SECRET.as_bytes()));
    bytes.extend(frame_to(Role::Server, CONTINUATION, SECRET.as_bytes()));
    let mut inbox = Inbox::from(&bytes[..]);
    for length in ["30000", "30"] {
        let event = end.connection.poll_event(&mut inbox).unwrap().unwrap();
        let shown = format!("{event:?}");
        assert_hidden(&shown);
        assert!(shown.contains(length));
    }
}

/// T4: the check of a text shows how much was valid, and how much of a character is awaited.
#[test]
fn a_check_of_text_shows_lengths() {
    let mut decoder = Decoder::new();
    let bytes = [SECRET.as_bytes(), b"\xe2\x82"].concat();
    decoder.push(&bytes, |_| {}).unwrap();
    let shown = format!("{decoder:?}");
    assert_hidden(&shown);
    assert!(
        shown.contains("15") && shown.contains("carried: 2"),
        "{shown}"
    );
}

/// T4: messages show their kind and length.
#[test]
fn messages_show_lengths() {
    let shown = format!("{:?}", Message::text(SECRET));
    assert_eq!(shown, "Text(15 bytes)");
    let shown = format!("{:?}", Message::binary(SECRET.as_bytes()));
    assert_eq!(shown, "Binary(15 bytes)");
    let mut end = End::server();
    end.connection
        .close(fullduplex::CloseCode::NORMAL, "")
        .unwrap();
    let unsent = end.connection.send(Message::text(SECRET)).unwrap_err();
    assert_hidden(&format!("{unsent:?}"));
}

/// T4: a handshake shows how far it is, and not the request, which may hold credentials.
#[test]
fn a_handshake_shows_no_request() {
    let request = client::Request::new("ws://a.test/").unwrap();
    let request = request.header("Authorization", SECRET).unwrap();
    let handshake = client::Handshake::new(request, timeless(), MaskKeys::seeded([7; 32]));
    let shown = format!("{handshake:?}");
    assert_hidden(&shown);
    assert!(shown.contains("at_eof: false"), "{shown}");
}

/// T4: a proxy shows whether there are credentials, and not which.
#[test]
fn a_proxy_shows_no_credentials() {
    for (url, has) in [
        (format!("http://user:{SECRET}@a.test:3128"), true),
        ("http://a.test:3128".into(), false),
    ] {
        let proxy: client::Proxy = url.parse().unwrap();
        let target = "ws://b.test/".parse().unwrap();
        let tunnel = client::Tunnel::new(&proxy, &target, Limits::default(), None);
        let shown = format!("{tunnel:?}");
        assert_hidden(&shown);
        assert!(shown.contains("protocol: \"http\""), "{shown}");
        let shown = format!("{proxy:?}");
        assert_hidden(&shown);
        let expected = format!("url: http://a.test:3128, has_credentials: {has}");
        assert!(shown.contains(&expected), "{shown}");
    }
}

/// What could not be sent says why, and hands that on.
#[test]
fn what_is_unsent_says_why() {
    let mut end = End::server();
    end.connection
        .close(fullduplex::CloseCode::NORMAL, "")
        .unwrap();
    let unsent = end.connection.send(Message::text(SECRET)).unwrap_err();
    assert_eq!(unsent.to_string(), unsent.error.to_string());
    assert!(!unsent.to_string().is_empty());
    let source = unsent.source().unwrap();
    assert_eq!(source.downcast_ref(), Some(&SendError::Closed));
}

/// T4: a connection with messages in every queue, a Pong that is owed, a frame in the middle and a
/// character cut in two shows none of it.
#[test]
fn a_connection_shows_no_payload() {
    for role in ROLES {
        let mut config = timeless();
        config.max_frame_payload = Some(4);
        let mut end = End::new(role, &config);
        end.connection.send_text(SECRET).unwrap();
        let long = Message::text(SECRET.repeat(10_000));
        end.connection.send(long).unwrap(); // waits unframed
        end.receive_frame(PING, SECRET.as_bytes());
        let frame = frame_to(role, TEXT, SECRET.as_bytes());
        end.receive(&frame[..frame.len() - 2]);
        for shown in [
            format!("{:?}", end.connection),
            format!("{:#?}", end.connection),
            format!("{:?}", end.inbox),
            format!("{:?}", end.connection.outgoing()),
            format!("{:?}", end.inbox.park()),
        ] {
            assert_hidden(&shown);
        }
        let shown = format!("{:?}", end.connection);
        assert!(shown.contains("remaining: 2"), "{shown}");
        assert!(shown.contains(" bytes)]"), "{shown}"); // the message that waits
        let outgoing = format!("{:?}", end.connection.outgoing());
        assert!(outgoing.contains("len: "), "{outgoing}");
        let inbox = format!("{:?}", Inbox::from(SECRET.as_bytes()));
        assert!(inbox.contains("unread: 15, message: 0, block:"), "{inbox}");
        let mut open = End::new(role, &timeless());
        open.receive_frame(BINARY & !FIN, SECRET.as_bytes());
        let inbox = format!("{:?}", open.inbox);
        assert!(inbox.contains("unread: 0, message: 15, block:"), "{inbox}");
        let (receiver, sender) = end.connection.split();
        assert_hidden(&format!("{receiver:?} {sender:?}"));
    }
}

/// T4: the bytes of a character that is not complete, received or sent, are payload too.
#[test]
fn half_a_character_is_not_shown() {
    let mut end = End::server();
    end.receive_frame(TEXT & !FIN, b"\xf0\x9d\x84");
    let kind = fullduplex::MessageKind::Text;
    let cut = b"\xf0\x9d\x84";
    end.connection.send_fragment(kind, cut, false).unwrap();
    let shown = format!("{:?}", end.connection);
    assert!(!shown.contains("240, 157"), "{shown}");
}

/// T4: masking keys are not shown: neither the generator nor its seed nor the key of a frame that
/// is arriving.
#[test]
fn masking_keys_are_not_shown() {
    assert_eq!(format!("{:?}", MaskKeys::seeded([7; 32])), "MaskKeys");
    assert_eq!(format!("{:?}", MaskKeys::thread()), "MaskKeys");
    let mut client = End::client();
    client.connection.send_text(SECRET).unwrap();
    assert!(!format!("{:?}", client.connection).contains("7, 7"));

    let mut server = End::server();
    let frame = frame_to(Role::Server, BINARY, &[0; 100]);
    server.receive(&frame[..20]);
    let shown = format!("{:?}", server.connection);
    assert!(!shown.contains("55, 250"), "{shown}"); // 37 fa, in any rotation
    assert!(
        !shown.contains("250, 33") && !shown.contains("61, 55"),
        "{shown}"
    );
}

/// T4: a codec in the middle of a message shows none of it, and not the window either, which it did.
#[cfg(feature = "deflate")]
#[test]
fn the_window_of_a_codec_is_not_shown() {
    use fullduplex::deflate::codec::{Deflater, End, Inflater};
    use fullduplex::deflate::{
        Agreement, ContextTakeover, Direction, Level, MemoryLevel, WindowBits,
    };

    for takeover in [ContextTakeover::On, ContextTakeover::Off] {
        let direction = Direction::new(WindowBits::MAX, takeover);
        let agreement = Agreement::new(direction, direction);
        let mut deflater = Deflater::new(&agreement, Level::FASTEST, MemoryLevel::DEFAULT);
        let mut inflater = Inflater::new(&agreement);
        let mut payload = Vec::new();
        deflater
            .compress(SECRET.as_bytes(), &mut payload, End::Fragment)
            .unwrap();
        let mut output = [0; 100];
        let count = inflater.inflate(&mut &payload[..], &mut output).unwrap();
        assert_eq!(&output[..count], SECRET.as_bytes());
        let start = format!("{:?}", &payload[..3]);
        for (shown, state) in [
            (format!("{deflater:?}"), "DeflateState { settings: "),
            (format!("{inflater:?}"), "InflateState { owner: None"),
        ] {
            assert!(shown.contains(state), "{shown}");
            assert_hidden(&shown);
            assert!(!shown.contains(&start), "{shown}");
        }
        assert!(format!("{inflater:?}").contains("len: 15, limit: "));
        assert!(format!("{inflater:?}").contains("octets: 3, ended: false"));
    }
}
