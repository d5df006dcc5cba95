//! Idle connections and closing handshakes that take too long, on a virtual clock (RFC 6455,
//! sections 5.5.1 and 7.1).

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::time::Duration;

use common::pair::{Act, CLOSE, End, PING, PONG, ROLES, TEXT, close_body, timeless};
use fullduplex::{CloseCode, Config, Keepalive, MessageKind, ReceiveError, Role, State};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn close_deadline(seconds: u64) -> Config {
    let mut config = timeless();
    config.timeouts.close = Some(secs(seconds));
    config
}

fn idle(seconds: u64) -> Config {
    let mut config = timeless();
    config.timeouts.idle = Some(secs(seconds));
    config
}

/// A connection over which no message goes is closed with 1001; control frames do not count.
#[test]
fn an_idle_connection_is_closed() {
    for role in ROLES {
        let mut end = End::started(role, &idle(60));
        assert_eq!(end.connection.poll_timeout(), Some(secs(60)));
        end.receive_frame(PING, b"");
        end.connection.ping(b"").unwrap();
        assert_eq!(end.at(secs(30)), [PONG, PING]);
        assert_eq!(end.at(secs(59)), []);
        assert_eq!(end.at(secs(60)), [CLOSE]);
        assert_eq!(end.closes(), [close_body(1001, "idle timeout")]);
        assert_eq!(end.error, None, "an idle connection is closed, not failed");
        end.receive_close(1001, "");
        end.receive_eof();
        assert!(end.connection.outcome().unwrap().clean);
    }
}

/// A message in either direction keeps the connection, each way of sending included.
#[test]
fn a_message_either_way_keeps_the_connection() {
    let ways: [Act; 5] = [
        |end| end.receive_frame(TEXT, b""),
        |end| end.connection.send_text("x").unwrap(),
        |end| end.connection.send_binary(b"x").unwrap(),
        |end| end.connection.send("x").unwrap(),
        |end| {
            let kind = MessageKind::Text;
            end.connection.send_fragment(kind, b"x", true).unwrap();
        },
    ];
    for use_it in ways {
        let mut end = End::started(Role::Server, &idle(60));
        use_it(&mut end);
        end.at(secs(59));
        assert_eq!(end.connection.poll_timeout(), Some(secs(119)));
        assert_eq!(end.at(secs(118)), []);
        assert_eq!(end.at(secs(119)), [CLOSE]);
    }
}

/// A message that was refused did not go anywhere, so it does not keep the connection.
#[test]
fn a_refused_message_does_not_keep_the_connection() {
    let mut config = idle(60);
    config.limits.max_outgoing = 10;
    let mut server = End::started(Role::Server, &config);
    server.connection.send_binary(&[0; 10]).unwrap();
    server.connection.handle_timeout(secs(1));
    for now in 2..61 {
        server.connection.send_text("x").unwrap_err();
        server.connection.send_binary(b"x").unwrap_err();
        server.connection.send("x").unwrap_err();
        let kind = MessageKind::Text;
        server
            .connection
            .send_fragment(kind, b"x", true)
            .unwrap_err();
        server.connection.handle_timeout(secs(now));
    }
    assert_eq!(server.connection.poll_timeout(), Some(secs(61)));
}

/// W7, R6455-5.5.1-07, R6455-7.1.1-02: a peer that does not answer our Close frame is waited for up
/// to the deadline.
#[test]
fn a_peer_that_does_not_answer_the_close_is_given_up() {
    for role in ROLES {
        let mut end = End::started(role, &close_deadline(5));
        assert_eq!(end.connection.poll_timeout(), None);
        end.connection.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(end.at(secs(10)), [CLOSE]);
        assert_eq!(end.connection.poll_timeout(), Some(secs(15)));
        end.receive_frame(TEXT, b"still talking");
        assert_eq!(end.at(secs(14)), [], "talk does not move the deadline");
        assert_eq!(end.connection.state(), State::Closing);
        assert_eq!(end.at(secs(15)), []);
        assert_eq!(end.connection.state(), State::Closed);
        assert_eq!(end.error, Some(ReceiveError::CloseTimeout));
        assert!(end.connection.wants_shutdown() && !end.connection.wants_read());
        assert_eq!(end.connection.poll_timeout(), None);
    }
}

/// R6455-5.5.1-07: a client whose server does not end the transport ends it itself at the deadline.
#[test]
fn a_client_ends_the_transport_when_the_server_does_not() {
    let mut client = End::started(Role::Client, &close_deadline(5));
    client.receive_close(1000, "");
    assert_eq!(client.at(secs(1)), [CLOSE]);
    assert!(!client.connection.wants_shutdown());
    assert_eq!(client.connection.poll_timeout(), Some(secs(6)));
    client.at(secs(6));
    assert!(client.connection.wants_shutdown());
    assert_eq!(client.error, None);
}

/// R6455-7.1.7-01: after a fault the transport is given the same time to end.
#[test]
fn the_close_deadline_runs_after_a_fault() {
    let mut server = End::started(Role::Server, &close_deadline(5));
    server.receive(&[0xff]);
    assert_eq!(server.at(secs(1)), [CLOSE]);
    assert_eq!(server.connection.poll_timeout(), Some(secs(6)));
    server.at(secs(6));
    assert_eq!(server.connection.state(), State::Closed);
}

/// A Close frame that cannot leave does not hold the connection open.
#[test]
fn the_close_deadline_runs_although_output_is_stuck() {
    let mut config = close_deadline(5);
    config.timeouts.keepalive = Some(Keepalive::default());
    let mut server = End::started(Role::Server, &config);
    server.connection.send_binary(&[0; 1_000]).unwrap();
    server.connection.close(CloseCode::NORMAL, "").unwrap();
    server.connection.handle_timeout(secs(1));
    server.connection.handle_timeout(secs(6));
    assert_eq!(server.connection.state(), State::Closed);
    assert!(!server.connection.wants_write());
}
