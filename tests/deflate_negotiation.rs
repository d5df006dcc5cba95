//! Negotiation of permessage-deflate (RFC 7692, sections 5 and 7.1), for both roles.
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that is wrong about its data is to fail"
)]

use fullduplex::deflate::{
    Agreement, ContextTakeover, Deflate, Direction, NegotiationError, WindowBits,
};
use fullduplex::handshake::extension::parse_extensions;

use ContextTakeover::{Off, On};

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap()
}

fn direction(window_bits: u8, takeover: ContextTakeover) -> Direction {
    Direction::new(bits(window_bits), takeover)
}

/// A configuration that asks for nothing.
fn generous() -> Deflate {
    Deflate::new().takeover(On).peer_takeover(On)
}

/// The server's answer to the parameters of one offer.
fn answer(server: &Deflate, params: &str) -> Option<(Agreement, String)> {
    let offers = format!("permessage-deflate{params}");
    let accepted = server.accept(&parse_extensions(offers.as_bytes()).unwrap())?;
    let params = accepted.1.strip_prefix("permessage-deflate").unwrap();
    Some((accepted.0, params.to_owned()))
}

#[track_caller]
fn assert_answer(
    server: &Deflate,
    offer: &str,
    response: &str,
    send: Direction,
    receive: Direction,
) {
    let expected = (Agreement::new(send, receive), response.to_owned());
    assert_eq!(answer(server, offer), Some(expected), "{offer:?}");
}

#[track_caller]
fn assert_declined(server: &Deflate, offer: &str) {
    assert_eq!(answer(server, offer), None, "{offer:?}");
}

/// What the client makes of the parameters of a response.
fn check(client: &Deflate, params: &str) -> Result<Agreement, NegotiationError> {
    let response = format!("permessage-deflate{params}");
    let response = parse_extensions(response.as_bytes()).unwrap();
    client.check_response(&response).map(Option::unwrap)
}

#[track_caller]
fn assert_agreed(client: &Deflate, response: &str, send: Direction, receive: Direction) {
    assert_eq!(
        check(client, response),
        Ok(Agreement::new(send, receive)),
        "{response:?}"
    );
}

const SERVER_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// D3, R7692-7.1-01: the parameter lists that neither an offer nor a response may have, with what
/// is wrong about them.
fn bad_params() -> Vec<(String, NegotiationError)> {
    let mut bad = Vec::new();
    for name in [SERVER_BITS, CLIENT_BITS] {
        for value in [
            "0",
            "1",
            "7",
            "16",
            "08",
            "015",
            "+9",
            "-9",
            "\"16\"",
            "1e1",
            "0x9",
            "a",
            "8.",
            "*",
            "264",
            "999999999999",
            "99999999999999999999999",
        ] {
            bad.push((
                format!("; {name}={value}"),
                NegotiationError::BadValue(name),
            ));
        }
        for twice in ["=10; {}=10", "=10; {}=11", "=10; {}=\"10\""] {
            let twice = format!("; {name}{}", twice.replace("{}", name));
            bad.push((twice, NegotiationError::DuplicateParameter(name)));
        }
    }
    for name in [SERVER_TAKEOVER, CLIENT_TAKEOVER] {
        for value in ["1", "true", "\"true\"", "0"] {
            bad.push((
                format!("; {name}={value}"),
                NegotiationError::BadValue(name),
            ));
        }
        let twice = NegotiationError::DuplicateParameter(name);
        bad.push((format!("; {name}; {name}"), twice));
    }
    bad.push((
        format!("; {SERVER_BITS}"),
        NegotiationError::BadValue(SERVER_BITS),
    ));
    for name in [
        "unknown",
        "constructor",
        "__proto__",
        "Server_No_Context_Takeover",
        "mem_level",
        "15",
        "client_max_window_bits_",
        "permessage-deflate",
    ] {
        for value in ["", "=10"] {
            let unknown = NegotiationError::UnknownParameter(name.to_owned());
            bad.push((format!("; {name}{value}"), unknown));
        }
    }
    bad
}

/// D3, R7692-7-01, R7692-5-02: a server declines an offer with a parameter that it does not know, a
/// bad value or a duplicate, wherever it stands; that is no error.
#[test]
fn bad_offers_are_declined() {
    for server in [Deflate::new(), generous()] {
        for (params, _) in bad_params() {
            assert_declined(&server, &params);
            assert_declined(&server, &format!("{params}; foo"));
            assert_declined(
                &server,
                &format!("; {CLIENT_BITS}; {SERVER_TAKEOVER}=1{params}"),
            );
        }
    }
}

/// D3, R7692-7-02: a client fails on the same in a response, and says which parameter it is.
#[test]
fn bad_responses_are_errors() {
    for client in [Deflate::new(), generous()] {
        for (params, error) in bad_params() {
            assert_eq!(check(&client, &params), Err(error), "{params}");
        }
        // R7692-7.1.2.2-01: in a response it must have a value.
        let bare = check(&client, "; client_max_window_bits");
        assert_eq!(bare, Err(NegotiationError::BadValue(CLIENT_BITS)));
    }
}

/// R7692-5-01: offers are tried in order, past those of other extensions, and one is accepted.
#[test]
fn the_first_acceptable_offer_is_accepted() {
    for (offers, expected) in [
        ("x-webkit-deflate-frame, permessage-deflate", Some("")),
        (
            "permessage-deflate; foo, permessage-deflate; server_max_window_bits=10",
            Some("; server_max_window_bits=10"),
        ),
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9, permessage-deflate",
            Some("; server_max_window_bits=9"),
        ),
        (
            "permessage-deflate; client_max_window_bits=9, permessage-deflate; client_max_window_bits=12",
            Some("; client_max_window_bits=9"),
        ),
        (
            "permessage-deflate; foo, permessage-deflate; server_max_window_bits=7",
            None,
        ),
        (
            "permessage-bzip2; server_max_window_bits=10, Permessage-Deflate",
            None,
        ),
        ("foo", None),
    ] {
        let list = parse_extensions(offers.as_bytes()).unwrap();
        let response = generous().accept(&list).map(|(_, response)| response);
        let expected = expected.map(|params| format!("permessage-deflate{params}"));
        assert_eq!(response, expected, "{offers}");
    }
    assert_eq!(Deflate::new().accept(&[]), None);
}

/// R7692-7.1.1.1-01, R7692-7.1.1.2-01: both conditions are echoed and obeyed when offered; a server
/// may name them unasked, and ours does by default.
#[test]
fn servers_answer_no_context_takeover() {
    let full = |takeover| direction(15, takeover);
    let server = generous();
    assert_answer(&server, "", "", full(On), full(On));
    for (offered, send, receive) in [
        ("; server_no_context_takeover", Off, On),
        ("; client_no_context_takeover", On, Off),
        (
            "; server_no_context_takeover; client_no_context_takeover",
            Off,
            Off,
        ),
    ] {
        assert_answer(&server, offered, offered, full(send), full(receive));
    }
    let reversed = "; client_no_context_takeover; server_no_context_takeover";
    let ordered = "; server_no_context_takeover; client_no_context_takeover";
    assert_answer(&server, reversed, ordered, full(Off), full(Off));
    for offered in [
        "",
        "; server_no_context_takeover",
        "; client_no_context_takeover",
    ] {
        assert_answer(&Deflate::new(), offered, ordered, full(Off), full(Off));
    }
    let server = Deflate::new().takeover(On);
    assert_answer(
        &server,
        "",
        "; client_no_context_takeover",
        full(On),
        full(Off),
    );
    let server = Deflate::new().peer_takeover(On);
    assert_answer(
        &server,
        "",
        "; server_no_context_takeover",
        full(Off),
        full(On),
    );
}

/// R7692-7.1.2.1-01, R7692-7.1.2-03: the size of the server's window is named when asked for, never
/// unasked, and 8 is declined because our compressor has no such window.
#[test]
fn servers_answer_server_max_window_bits() {
    for own in 8..=15u8 {
        let server = generous().max_window_bits(bits(own));
        let own = own.max(9);
        assert_answer(&server, "", "", direction(own, On), direction(15, On));
        assert_declined(&server, "; server_max_window_bits=8");
        for asked in 9..=15 {
            let agreed = asked.min(own);
            let response = format!("; server_max_window_bits={agreed}");
            for offer in [
                format!("; server_max_window_bits={asked}"),
                format!("; server_max_window_bits=\"{asked}\""),
            ] {
                assert_answer(
                    &server,
                    &offer,
                    &response,
                    direction(agreed, On),
                    direction(15, On),
                );
            }
        }
    }
}

/// R7692-7.1.2.2-01, R7692-7.1.2.2-02: the size of the client's window is named only if the client
/// can be told, never larger than its hint; a server that needs a small one declines other offers.
#[test]
fn servers_answer_client_max_window_bits() {
    for wanted in 8..=15 {
        let server = generous().peer_max_window_bits(bits(wanted));
        if wanted < 15 {
            assert_declined(&server, "");
            assert_declined(&server, "; server_no_context_takeover");
        } else {
            assert_answer(&server, "", "", direction(15, On), direction(15, On));
        }
        for hint in [None, Some(8), Some(9), Some(12), Some(15)] {
            let offer = hint.map_or_else(
                || "; client_max_window_bits".to_owned(),
                |hint| format!("; client_max_window_bits={hint}"),
            );
            let agreed = wanted.min(hint.unwrap_or(15));
            let response = match agreed {
                15 => String::new(),
                agreed => format!("; client_max_window_bits={agreed}"),
            };
            assert_answer(
                &server,
                &offer,
                &response,
                direction(15, On),
                direction(agreed, On),
            );
        }
    }
}

/// All four parameters at once, as Autobahn and the recorded peers send them.
#[test]
fn servers_answer_full_offers() {
    let offer = "; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=10; client_max_window_bits=11";
    for server in [Deflate::new(), generous()] {
        assert_answer(
            &server,
            offer,
            offer,
            direction(10, Off),
            direction(11, Off),
        );
    }
}

/// D11, RIANA-03: the default offer is to the letter what browsers send; what a configuration demands or
/// hints at is added to it.
#[test]
fn clients_offer_what_they_are_told() {
    let bare = "permessage-deflate; client_max_window_bits";
    assert_eq!(Deflate::new().offer(), bare);
    assert_eq!(Deflate::default().offer(), bare);
    assert_eq!(generous().offer(), bare);
    for (client, expected) in [
        (
            Deflate::new().peer_takeover(Off),
            "; server_no_context_takeover; client_max_window_bits",
        ),
        (
            Deflate::new().takeover(Off),
            "; client_no_context_takeover; client_max_window_bits",
        ),
        (
            Deflate::new().peer_max_window_bits(bits(8)),
            "; server_max_window_bits=8; client_max_window_bits",
        ),
        (
            Deflate::new().max_window_bits(bits(10)),
            "; client_max_window_bits=10",
        ),
        // R7692-7.1.2-03: 8 is not promised where we compress.
        (
            Deflate::new().max_window_bits(bits(8)),
            "; client_max_window_bits=9",
        ),
    ] {
        assert_eq!(client.offer(), format!("permessage-deflate{expected}"));
    }
}

/// R7692-7.1.1.1-01, R7692-7.1.1.2-01: the client accepts either condition unasked and obeys it, and
/// fails on a response that leaves out the one that it made itself.
#[test]
fn clients_check_no_context_takeover() {
    let client = generous();
    for (response, send, receive) in [
        ("", On, On),
        ("; server_no_context_takeover", On, Off),
        ("; client_no_context_takeover", Off, On),
        (
            "; client_no_context_takeover; server_no_context_takeover",
            Off,
            Off,
        ),
    ] {
        assert_agreed(
            &client,
            response,
            direction(15, send),
            direction(15, receive),
        );
        // Its own takeover a client may always leave be.
        assert_agreed(
            &Deflate::new(),
            response,
            direction(15, Off),
            direction(15, receive),
        );
    }
    let client = generous().peer_takeover(Off);
    assert_agreed(
        &client,
        "; server_no_context_takeover",
        direction(15, On),
        direction(15, Off),
    );
    for bare in [
        "",
        "; client_no_context_takeover",
        "; server_max_window_bits=9",
    ] {
        let error = NegotiationError::NotGranted(SERVER_TAKEOVER);
        assert_eq!(check(&client, bare), Err(error), "{bare}");
    }
    // The hint about its own takeover binds the client alone.
    let client = generous().takeover(Off);
    assert_agreed(&client, "", direction(15, Off), direction(15, On));
}

/// R7692-7.1.2.1-01, R7692-7.1.2-03: the client accepts any window of the server's unasked, down to
/// 8; if it asked, none larger and not nothing.
#[test]
fn clients_check_server_max_window_bits() {
    for demanded in 8..=15 {
        let client = generous().peer_max_window_bits(bits(demanded));
        for granted in 8..=15 {
            let response = format!("; server_max_window_bits={granted}");
            if granted <= demanded {
                assert_agreed(
                    &client,
                    &response,
                    direction(15, On),
                    direction(granted, On),
                );
            } else {
                let error = NegotiationError::BadValue(SERVER_BITS);
                assert_eq!(
                    check(&client, &response),
                    Err(error),
                    "{demanded} {granted}"
                );
            }
        }
        if demanded < 15 {
            let error = NegotiationError::NotGranted(SERVER_BITS);
            assert_eq!(check(&client, ""), Err(error));
        }
    }
}

/// R7692-7.1.2.2-01: the client obeys the window that the server sets, none larger than its hint.
#[test]
fn clients_check_client_max_window_bits() {
    for hint in 9..=15 {
        let client = generous().max_window_bits(bits(hint));
        assert_agreed(&client, "", direction(hint, On), direction(15, On));
        for set in 8..=15 {
            let response = format!(";client_max_window_bits={set}");
            if set <= hint {
                assert_agreed(&client, &response, direction(set, On), direction(15, On));
            } else {
                let error = NegotiationError::BadValue(CLIENT_BITS);
                assert_eq!(check(&client, &response), Err(error), "{hint} {set}");
            }
        }
    }
}

/// R7692-5-03, R7692-5-02, D3: no extension is fine, two are not, nor is one that was not offered.
#[test]
fn clients_check_the_list_of_extensions() {
    let client = Deflate::new();
    assert_eq!(client.check_response(&[]), Ok(None));
    for (response, expected) in [
        (
            "permessage-deflate, permessage-deflate",
            NegotiationError::Repeated,
        ),
        (
            "permessage-deflate, x",
            NegotiationError::NotOffered("x".to_owned()),
        ),
        ("x", NegotiationError::NotOffered("x".to_owned())),
        (
            "Permessage-deflate",
            NegotiationError::NotOffered("Permessage-deflate".to_owned()),
        ),
    ] {
        let list = parse_extensions(response.as_bytes()).unwrap();
        assert_eq!(client.check_response(&list), Err(expected), "{response}");
    }
}
