//! Whatever two configurations of permessage-deflate are set to, both ends understand each other.
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that is wrong about its data is to fail"
)]

use fullduplex::deflate::{Compress, ContextTakeover, Deflate, WindowBits};
use fullduplex::handshake::extension::parse_extensions;

use ContextTakeover::{Off, On};

/// R7692-7.1-01: whatever both sides are set to, what the server accepts the client accepts, and
/// both mean the same.
#[test]
fn both_roles_agree() {
    let takeovers = [None, Some(On), Some(Off)];
    let sizes = [8, 9, 12, 15];
    let mut configurations = Vec::new();
    for takeover in takeovers {
        for peer_takeover in takeovers {
            for size in sizes {
                for peer_size in sizes {
                    let mut config = Deflate::new()
                        .max_window_bits(WindowBits::new(size).unwrap())
                        .peer_max_window_bits(WindowBits::new(peer_size).unwrap());
                    if let Some(set) = takeover {
                        config = config.takeover(set);
                    }
                    if let Some(set) = peer_takeover {
                        config = config.peer_takeover(set);
                    }
                    configurations.push(config);
                }
            }
        }
    }
    let mut agreed = 0;
    for client in &configurations {
        let offer = client.offer();
        let offers = parse_extensions(offer.as_bytes()).unwrap();
        for server in &configurations {
            let Some((theirs, response)) = server.accept(&offers) else {
                continue;
            };
            let list = parse_extensions(response.as_bytes()).unwrap();
            let ours = client.check_response(&list).unwrap().unwrap();
            // A sender may use less than it may, a receiver must expect all of it.
            for (send, receive) in [(ours.send, theirs.receive), (theirs.send, ours.receive)] {
                assert!(
                    send.window_bits <= receive.window_bits,
                    "{offer} -> {response}"
                );
                assert!(
                    send.takeover == Off || receive.takeover == On,
                    "{offer} -> {response}"
                );
            }
            agreed += 1;
        }
    }
    // All but the clients that ask the server's compressor for 8 bits.
    let all = configurations.len() * configurations.len();
    assert_eq!(agreed, all * 3 / 4);
}

/// D10: the policy decides by length, and can be to compress nothing.
#[test]
fn policies_decide_by_length() {
    for (policy, lengths) in [
        (Compress::Always, [true; 4]),
        (Compress::Never, [false; 4]),
        (Compress::Above(100), [false, false, true, true]),
        (Compress::Above(0), [false, true, true, true]),
    ] {
        let config = Deflate::new().compress(policy);
        let compressed = [0, 100, 101, 1_000_000].map(|length| config.compresses(length));
        assert_eq!(compressed, lengths, "{policy:?}");
    }
    assert!(!Deflate::new().compresses(128));
    assert!(Deflate::new().compresses(129));
}
