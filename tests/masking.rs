//! Masking (RFC 6455, sections 5.3 and 10.3): the operation, and the keys that a client uses.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use std::collections::HashSet;

use bytes::Buf;
use common::feed::{Feed, Sent, assert_receives, binary, connection, hex, sent_frames, text};
use fullduplex::frame::apply_mask;
use fullduplex::handshake::{OriginPolicy, Step, client, server};
use fullduplex::{CloseCode, Config, Connection, Inbox, MaskKeys, MessageKind, Role};

const LONGEST: usize = 4096;

/// Keys that tell each of their bytes from the others, and the two that hide mistakes.
const KEYS: [[u8; 4]; 4] = [
    [0x37, 0xfa, 0x21, 0x3d],
    [0x01, 0x02, 0x04, 0x08],
    [0x00, 0x00, 0x00, 0xff],
    [0x00, 0x00, 0x00, 0x00],
];

/// The definition of RFC 6455, section 5.3, byte by byte.
fn mask_as_defined(payload: &[u8], key: [u8; 4], offset: usize) -> Vec<u8> {
    let bytes = payload.iter().enumerate();
    bytes.map(|(i, b)| b ^ key[(offset + i) % 4]).collect()
}

fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 256) as u8).collect()
}

/// R6455-5.3-02, M2.
#[test]
fn masking_agrees_with_its_definition_at_every_length_and_offset() {
    let plain = payload(LONGEST);
    for key in KEYS {
        for offset in 0..16 {
            let expected = mask_as_defined(&plain, key, offset);
            for length in 0..=LONGEST {
                let mut masked = plain[..length].to_vec();
                apply_mask(&mut masked, key, offset);
                assert!(masked == expected[..length], "{key:x?} {offset} {length}");
            }
        }
    }
}

/// R6455-5.3-02, M2: wherever a payload starts in memory.
#[test]
fn masking_does_not_depend_on_alignment() {
    let key = KEYS[0];
    for start in 0..64 {
        for length in [
            0, 1, 3, 4, 7, 8, 9, 31, 32, 33, 63, 64, 65, 200, 4095, 4096, 4097, 4159, 5000,
        ] {
            let mut memory = payload(start + length + 64);
            let expected = mask_as_defined(&memory[start..start + length], key, 0);
            let before = memory.clone();
            apply_mask(&mut memory[start..start + length], key, 0);
            assert_eq!(memory[start..start + length], expected);
            assert_eq!(memory[..start], before[..start]);
            assert_eq!(memory[start + length..], before[start + length..]);
        }
    }
}

/// R6455-5.3-02, M2.
#[test]
fn masking_twice_changes_nothing() {
    for length in 0..=300 {
        for offset in [0, 1, 2, 3, usize::MAX - 1, usize::MAX] {
            let mut bytes = payload(length);
            apply_mask(&mut bytes, KEYS[0], offset);
            apply_mask(&mut bytes, KEYS[0], offset);
            assert_eq!(bytes, payload(length));
        }
    }
}

/// R6455-5.3-02, M2.
#[test]
fn masking_in_two_parts_equals_masking_at_once() {
    let plain = payload(300);
    let whole = mask_as_defined(&plain, KEYS[0], 0);
    for at in 0..=plain.len() {
        let mut parts = plain.clone();
        let (head, tail) = parts.split_at_mut(at);
        apply_mask(head, KEYS[0], 0);
        apply_mask(tail, KEYS[0], at);
        assert_eq!(parts, whole);
    }
}

/// R6455-5.3-02, R6455-6.2-01: each frame has its own key, which starts anew with its payload.
#[test]
fn a_server_unmasks_each_fragment_with_its_own_key() {
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for (i, length) in [1, 2, 3, 5, 0, 33, 126].into_iter().enumerate() {
        let key = [i as u8, 0x11 * i as u8, 0xf0, 0x0f];
        let part = payload(length);
        let first = if i == 0 { 0x02 } else { 0x00 } | if length == 126 { 0x80 } else { 0 };
        bytes.push(first);
        match length {
            126 => bytes.extend([0xfe, 0, 126]),
            short => bytes.push(0x80 | short as u8),
        }
        bytes.extend(key);
        bytes.extend(mask_as_defined(&part, key, 0));
        expected.extend(part);
    }
    assert_receives(
        Role::Server,
        &Config::default(),
        &bytes,
        &[binary(expected)],
    );
}

/// R6455-6.2-01: a key of zeros is legal on the wire, and its payload is readable there.
#[test]
fn a_server_takes_a_key_of_zeros() {
    let bytes = [hex("81 85 00 00 00 00"), b"Hello".to_vec()].concat();
    assert_receives(Role::Server, &Config::default(), &bytes, &[text("Hello")]);
}

/// The frames that `client` has queued.
fn sent(client: &mut Connection) -> Vec<Sent> {
    let mut bytes = Vec::new();
    while client.outgoing().has_remaining() {
        let chunk = client.outgoing().chunk().to_vec();
        client.outgoing().advance(chunk.len());
        bytes.extend(chunk);
    }
    sent_frames(Role::Client, &bytes)
}

/// R6455-5.3-01, R6455-10.3-01, M1: a million keys show no pattern. Of that many independent ones,
/// about 116 have occurred before.
fn assert_unpredictable(keys: MaskKeys) {
    const FRAMES: usize = 1_000_000;
    let mut client = Connection::client(&Config::default(), keys);
    let mut seen = HashSet::with_capacity(FRAMES);
    let mut ones = [0_usize; 32];
    let mut values = [[0_usize; 256]; 4];
    let mut same_as_before = [0_usize; 4];
    let mut last = [0; 4];
    for _ in 0..FRAMES / 1000 {
        for _ in 0..1000 {
            client.send_binary(b"").unwrap();
        }
        // An empty frame of a client is six bytes, of which the last four are the key.
        assert_eq!(client.outgoing().chunk().len(), 6 * 1000);
        for frame in client.outgoing().chunk().chunks(6) {
            let key: [u8; 4] = frame[2..].try_into().unwrap();
            seen.insert(key);
            let number = u32::from_ne_bytes(key);
            for (bit, ones) in ones.iter_mut().enumerate() {
                *ones += (number >> bit & 1) as usize;
            }
            for place in 0..4 {
                values[place][usize::from(key[place])] += 1;
                same_as_before[place] += usize::from(key[place] == last[place]);
            }
            last = key;
        }
        client.outgoing().advance(6 * 1000);
    }
    let repeated = FRAMES - seen.len();
    assert!((40..200).contains(&repeated), "{repeated} keys came again");
    for (bit, ones) in ones.into_iter().enumerate() {
        // Six standard deviations are 3000.
        assert!(ones.abs_diff(FRAMES / 2) < 3000, "bit {bit}: {ones} ones");
    }
    let expected = FRAMES as f64 / 256.0;
    for (place, counts) in values.iter().enumerate() {
        let chi_squared: f64 = counts
            .iter()
            .map(|count| (*count as f64 - expected).powi(2) / expected)
            .sum();
        // With 255 degrees of freedom the mean is 255 and the standard deviation 22.6.
        let usual = 255.0 - 6.0 * 22.6..255.0 + 6.5 * 22.6;
        assert!(usual.contains(&chi_squared), "byte {place}: {chi_squared}");
    }
    for same in same_as_before {
        // 3906 are expected, with a standard deviation of 62.
        assert!(same.abs_diff(FRAMES / 256) < 400, "{same} bytes repeat");
    }
}

/// R6455-5.3-01, R6455-10.3-01, M1.
#[test]
fn the_keys_of_a_seeded_generator_are_unpredictable() {
    assert_unpredictable(MaskKeys::seeded([0x5a; 32]));
}

/// R6455-5.3-01, R6455-10.3-01, M1.
#[cfg(feature = "std")]
#[test]
fn the_keys_of_the_thread_are_unpredictable() {
    assert_unpredictable(MaskKeys::thread());
}

/// R6455-5.3-01, M1: not one key for a connection, nor one for a message.
#[test]
fn every_frame_of_a_client_has_a_key_of_its_own() {
    let mut config = Config::default();
    config.max_frame_payload = Some(100);
    let mut client = connection(Role::Client, &config);
    client.send_binary(&[0; 5000]).unwrap();
    let mut frames = sent(&mut client);
    assert_eq!(frames.len(), 50);
    client.send_text("text").unwrap();
    client.ping(b"ping").unwrap();
    client.pong(b"pong").unwrap();
    client
        .send_fragment(MessageKind::Binary, b"head", false)
        .unwrap();
    client
        .send_fragment(MessageKind::Binary, b"tail", true)
        .unwrap();
    client.close(CloseCode::NORMAL, "").unwrap();
    frames.extend(sent(&mut client));
    assert_eq!(frames.len(), 56);
    let keys: HashSet<_> = frames.iter().map(|frame| frame.key).collect();
    assert_eq!(keys.len(), frames.len());
}

/// R6455-5.1-03: what a connection of a `wss` URL sends is masked like that of any other.
#[test]
fn masking_does_not_depend_on_the_transport() {
    for url in ["ws://example.com/", "wss://example.com/"] {
        let request = client::Request::new(url).unwrap();
        let keys = MaskKeys::seeded([7; 32]);
        let mut client = client::Handshake::new(request, Config::default(), keys);
        let length = client.outgoing().remaining();
        let mut inbox = Inbox::from(&client.outgoing().copy_to_bytes(length)[..]);
        let options = server::Options::new(OriginPolicy::any());
        let step = server::Handshake::new(options).advance(&mut inbox).unwrap();
        let Step::Done(server::Incoming::Upgrade(upgrade)) = step else {
            panic!("{step:?}");
        };
        let mut server = upgrade.accept(server::Acceptance::new()).unwrap();
        let length = server.outgoing().remaining();
        let mut inbox = Inbox::from(&server.outgoing().copy_to_bytes(length)[..]);
        let Step::Done(mut established) = client.advance(&mut inbox).unwrap() else {
            panic!("{url}: not opened");
        };
        established.connection.send_text("text").unwrap();
        established.connection.ping(b"ping").unwrap();
        for frame in sent(&mut established.connection) {
            assert!(frame.key.is_some(), "{url}");
        }
    }
}

/// R6455-5.3-01, M1: the automatic answers too.
#[test]
fn the_answers_of_a_client_have_keys_of_their_own() {
    let mut feed = Feed::new(Role::Client, &Config::default());
    for _ in 0..10 {
        feed.push(&hex("89 01 70"));
    }
    feed.push(&hex("88 02 03 e8"));
    let frames = sent(&mut feed.connection);
    assert_eq!(frames.len(), 11);
    let keys: HashSet<_> = frames.iter().map(|frame| frame.key).collect();
    assert_eq!(keys.len(), frames.len());
}

/// R6455-5.3-01: keys of one seed are the same, so that tests can repeat; of another, they differ.
#[test]
fn a_seed_decides_the_keys() {
    let first = |seed| {
        let mut keys = MaskKeys::seeded(seed);
        [(); 4].map(|()| keys.next_key())
    };
    assert_eq!(first([1; 32]), first([1; 32]));
    assert_ne!(first([1; 32]), first([2; 32]));
}
