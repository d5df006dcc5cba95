//! How a connection ended, on every path (RFC 6455, sections 7.1.4 to 7.1.7).

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::time::Duration;

use common::pair::{
    Act, CHUNKS, CONTINUATION, End, PING, Pair, ROLES, TEXT, no_timeouts, timeless,
};
use fullduplex::frame::FrameError;
use fullduplex::{
    CloseCode, CloseFrame, Config, Initiator, Keepalive, Outcome, ReceiveError, Role, State,
};

/// What an outcome says, in a form that a table can hold.
type Facts = (
    bool,
    Initiator,
    Option<u16>,
    Option<u16>,
    Option<ReceiveError>,
);

fn facts(outcome: &Outcome) -> Facts {
    let code = |frame: &Option<CloseFrame>| frame.as_ref().map(|frame| frame.code.into());
    (
        outcome.clean,
        outcome.initiator,
        code(&outcome.sent),
        code(&outcome.received),
        outcome.cause,
    )
}

fn deadlines() -> Config {
    let mut config = Config::default();
    config.timeouts = no_timeouts();
    config.timeouts.keepalive = Some(Keepalive {
        interval: Duration::from_secs(20),
        timeout: Duration::from_secs(10),
    });
    config.timeouts.close = Some(Duration::from_secs(5));
    config
}

const FAULT: ReceiveError = ReceiveError::Frame(FrameError::UnexpectedContinuation);

fn local_close(end: &mut End) {
    end.connection.close(CloseCode::GOING_AWAY, "ours").unwrap();
    end.write_all();
}

fn fault(end: &mut End) {
    end.receive_frame(CONTINUATION, b"x");
    end.write_all();
}

fn silence(end: &mut End, seconds: u64) {
    for second in 0..=seconds {
        end.connection.handle_timeout(Duration::from_secs(second));
        end.write_all();
    }
}

/// R6455-7.1.4-01, R6455-7.1.5-01: every way in which a connection ends.
#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn the_outcome_tells_every_path() {
    use Initiator::{Local, Remote};
    use ReceiveError::{CloseTimeout, KeepaliveTimeout, UnexpectedEof};
    let paths: [(&str, Act, Facts); 14] = [
        (
            "local close, answered",
            |end| {
                local_close(end);
                end.receive_close(1001, "theirs");
                end.receive_eof();
            },
            (true, Local, Some(1001), Some(1001), None),
        ),
        (
            "remote close",
            |end| {
                end.receive_close(4000, "theirs");
                end.write_all();
                end.receive_eof();
            },
            (true, Remote, Some(4000), Some(4000), None),
        ),
        (
            "remote close without a code",
            |end| {
                end.receive_frame(common::pair::CLOSE, b"");
                end.write_all();
                end.receive_eof();
            },
            (true, Remote, Some(1005), Some(1005), None),
        ),
        (
            "both at once",
            |end| {
                end.connection.close(CloseCode::NORMAL, "").unwrap();
                end.receive_close(4001, "");
                end.write_all();
                end.receive_eof();
            },
            (true, Local, Some(1000), Some(4001), None),
        ),
        (
            "end without a word",
            End::receive_eof,
            (false, Remote, None, None, Some(UnexpectedEof)),
        ),
        (
            "end that nobody polled for",
            |end| end.connection.received_eof(),
            (false, Remote, None, None, Some(UnexpectedEof)),
        ),
        (
            "end inside a message",
            |end| {
                end.receive_frame(TEXT & 0x7f, b"a");
                end.receive_eof();
            },
            (false, Remote, None, None, Some(UnexpectedEof)),
        ),
        (
            "local close, then the end",
            |end| {
                local_close(end);
                end.receive_eof();
            },
            (false, Local, Some(1001), None, Some(UnexpectedEof)),
        ),
        (
            "fault of the peer",
            |end| {
                fault(end);
                end.receive_eof();
            },
            (false, Local, Some(1002), None, Some(FAULT)),
        ),
        (
            "fault of the peer after our close",
            |end| {
                local_close(end);
                fault(end);
                end.receive_eof();
            },
            (false, Local, Some(1001), None, Some(FAULT)),
        ),
        (
            "no answer to our close",
            |end| {
                local_close(end);
                silence(end, 5);
            },
            (false, Local, Some(1001), None, Some(CloseTimeout)),
        ),
        (
            "peer that is gone",
            |end| {
                silence(end, 31);
                end.receive_eof();
            },
            (false, Local, Some(1011), None, Some(KeepaliveTimeout)),
        ),
        (
            "peer that is gone and whose transport does not end",
            |end| silence(end, 36),
            (false, Local, Some(1011), None, Some(KeepaliveTimeout)),
        ),
        (
            "fault of a peer whose transport does not end",
            |end| {
                fault(end);
                silence(end, 5);
            },
            (false, Local, Some(1002), None, Some(FAULT)),
        ),
    ];
    for role in ROLES {
        for (name, path, expected) in &paths {
            let mut end = End::new(role, &deadlines());
            assert_eq!(end.connection.outcome(), None);
            path(&mut end);
            assert_eq!(end.connection.state(), State::Closed, "{name}");
            let outcome = end.connection.outcome().unwrap();
            assert_eq!(facts(&outcome), *expected, "{name}, {role:?}");
            let code = expected.3.unwrap_or(1006);
            assert_eq!(outcome.code(), CloseCode::from(code), "{name}");
            let reason = outcome.received.as_ref().map_or("", |frame| &frame.reason);
            assert_eq!(outcome.reason(), reason, "{name}");
        }
    }
}

/// R6455-7.1.4-01, R6455-7.1.5-01, R6455-5.5.1-07: when the closing handshake is done and only the
/// transport does not end, the deadline ends it, and the handshake still counts.
#[test]
fn a_transport_that_does_not_end_does_not_spoil_a_clean_close() {
    for role in ROLES {
        for local in [true, false] {
            let mut end = End::new(role, &deadlines());
            if local {
                local_close(&mut end);
            }
            end.receive_close(1001, "theirs");
            silence(&mut end, 5);
            let outcome = end.connection.outcome().unwrap();
            let initiator = if local {
                Initiator::Local
            } else {
                Initiator::Remote
            };
            assert_eq!(
                facts(&outcome),
                (true, initiator, Some(1001), Some(1001), None)
            );
            assert_eq!(outcome.reason(), "theirs");
            assert!(end.connection.wants_shutdown());
        }
    }
}

/// The state never goes back, and the outcome is there exactly when the connection is closed.
#[test]
fn the_outcome_is_there_when_the_connection_is_closed() {
    for chunk in CHUNKS {
        let mut pair = Pair::with(&timeless(), &timeless(), chunk);
        pair.client.connection.send_text("hi").unwrap();
        pair.client.connection.close(CloseCode::NORMAL, "").unwrap();
        let rank = |state| match state {
            State::Open => 0,
            State::Closing => 1,
            State::Closed => 2,
        };
        let mut last = [0, 0];
        loop {
            let ends = [&pair.client, &pair.server];
            let now = ends.map(|end| rank(end.connection.state()));
            assert!(now[0] >= last[0] && now[1] >= last[1]);
            for (end, rank) in ends.iter().zip(now) {
                assert_eq!(end.connection.outcome().is_some(), rank == 2);
            }
            last = now;
            if !pair.step() {
                break;
            }
        }
        assert_eq!(last, [2, 2]);
    }
}

/// An outcome does not change any more, whatever is still asked of the connection.
#[test]
fn an_outcome_is_final() {
    let mut server = End::new(Role::Server, &deadlines());
    server.receive_close(1000, "");
    server.write_all();
    server.receive_eof();
    let outcome = server.connection.outcome();
    server.receive_frame(PING, b"p");
    server.receive_close(4000, "");
    let _ = server.connection.close(CloseCode::GOING_AWAY, "");
    silence(&mut server, 100);
    server.receive_eof();
    assert_eq!(server.connection.outcome(), outcome);
}

/// What is written to a log: who closed and what the peer said, or the fault.
#[test]
fn an_outcome_can_be_read() {
    let paths: [(Act, &str); 4] = [
        (
            |end| {
                local_close(end);
                end.receive_close(4001, "theirs");
                end.receive_eof();
            },
            "closed by this end, peer said 4001: theirs",
        ),
        (
            |end| {
                end.receive_close(1001, "");
                end.write_all();
                end.receive_eof();
            },
            "closed by the peer, peer said 1001 going away",
        ),
        (
            |end| {
                fault(end);
                end.receive_eof();
            },
            "failed: a continuation frame has no message to continue",
        ),
        (
            |end| {
                local_close(end);
                end.receive_eof();
            },
            "failed: the transport ended without a closing handshake",
        ),
    ];
    for role in ROLES {
        for (act, text) in &paths {
            let mut end = End::new(role, &timeless());
            act(&mut end);
            assert_eq!(end.connection.outcome().unwrap().to_string(), *text);
        }
    }
}
