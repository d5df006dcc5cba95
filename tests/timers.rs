//! Deadlines on a virtual clock: keepalive, idleness, the closing handshake (RFC 6455, sections
//! 5.5.1, 5.5.2, 7.1.7 and 7.2.1).

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::time::{Duration, Instant};

use common::pair::{
    BINARY, CLOSE, CONTINUATION, End, FIN, PING, PONG, Pair, ROLES, TEXT, close_body, frame_to,
    no_timeouts, timeless,
};
use fullduplex::{CloseCode, Config, Inbox, Keepalive, ReceiveError, Role, State};

const INTERVAL: u64 = 20;
const PATIENCE: u64 = 7;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn just_before(deadline: Duration) -> Duration {
    deadline.checked_sub(Duration::from_nanos(1)).unwrap()
}

fn keepalive() -> Config {
    let mut config = timeless();
    config.timeouts.keepalive = Some(Keepalive {
        interval: secs(INTERVAL),
        timeout: secs(PATIENCE),
    });
    config
}

/// A Ping is sent after exactly so much silence, and the next one only after as much again.
#[test]
fn silence_brings_a_ping() {
    for role in ROLES {
        let mut end = End::started(role, &keepalive());
        assert_eq!(end.connection.poll_timeout(), Some(secs(INTERVAL)));
        let early = just_before(secs(INTERVAL));
        assert_eq!(end.at(early), []);
        assert_eq!(end.at(secs(INTERVAL)), [PING]);
        end.receive_frame(PONG, b"");
        assert_eq!(end.at(secs(INTERVAL + 1)), []);
        assert_eq!(end.connection.poll_timeout(), Some(secs(2 * INTERVAL + 1)));
        assert_eq!(end.at(secs(2 * INTERVAL)), []);
        assert_eq!(end.at(secs(2 * INTERVAL + 1)), [PING]);
    }
}

/// The first call fixes the beginning; before it nothing is due.
#[test]
fn the_clock_starts_with_the_first_call() {
    let mut server = End::new(Role::Server, &keepalive());
    assert_eq!(server.connection.poll_timeout(), None);
    assert_eq!(server.at(secs(1_000_000)), []);
    let due = Some(secs(1_000_000 + INTERVAL));
    assert_eq!(server.connection.poll_timeout(), due);
}

/// R6455-7.2.1-01: silence after the Ping left fails the connection with 1011, at the deadline and
/// not before.
#[test]
fn a_ping_without_an_answer_fails_the_connection() {
    for role in ROLES {
        let mut end = End::started(role, &keepalive());
        assert_eq!(end.at(secs(INTERVAL)), [PING]);
        let deadline = secs(INTERVAL + PATIENCE);
        assert_eq!(end.connection.poll_timeout(), Some(deadline));
        assert_eq!(end.at(just_before(deadline)), []);
        assert_eq!(end.connection.state(), State::Open);
        assert_eq!(end.at(deadline), [CLOSE]);
        assert_eq!(end.error, Some(ReceiveError::KeepaliveTimeout));
        let reason = ReceiveError::KeepaliveTimeout.to_string();
        assert_eq!(end.closes(), [close_body(1011, &reason)]);
        assert!(end.connection.wants_shutdown());
    }
}

/// The deadline counts from when the transport took the last byte of the Ping, not from when it was
/// queued.
#[test]
fn the_pong_deadline_starts_when_the_ping_left() {
    let mut server = End::started(Role::Server, &keepalive());
    server.connection.handle_timeout(secs(INTERVAL));
    server.write(1); // half of the Ping
    server.connection.handle_timeout(secs(INTERVAL + 3));
    assert_eq!(
        server.connection.poll_timeout(),
        Some(secs(INTERVAL + 3 + PATIENCE)),
        "output still moves"
    );
    server.write_all();
    server.connection.handle_timeout(secs(INTERVAL + 5));
    let deadline = secs(INTERVAL + 5 + PATIENCE);
    assert_eq!(server.connection.poll_timeout(), Some(deadline));
    assert_eq!(server.at(deadline), [CLOSE]);
}

/// A Ping overtakes the fragments of a long message, and its deadline runs from then, not from when
/// the whole message has left.
#[test]
fn the_pong_deadline_does_not_wait_for_the_message_behind_the_ping() {
    let mut config = keepalive();
    config.max_frame_payload = Some(1_000);
    let mut server = End::started(Role::Server, &config);
    server.connection.send_binary(&vec![0; 900_000]).unwrap();
    server.connection.handle_timeout(secs(INTERVAL)); // the Ping, with a message to come after it
    let mut left_at = None;
    let mut now = INTERVAL;
    while server.connection.state() == State::Open {
        now += 1;
        server.write(10_000); // the transport goes on taking bytes
        server.connection.handle_timeout(secs(now));
        let (frames, _) = common::pair::parse_frames(&server.wire);
        if left_at.is_none() && frames.iter().any(|frame| frame.first == PING) {
            left_at = Some(now);
        }
    }
    assert_eq!(now, left_at.unwrap() + PATIENCE);
}

/// A peer that only reads, over a link that is always busy, is not taken for dead: it gets its Ping
/// although the queue is full, and only then has to answer.
#[test]
fn a_full_queue_does_not_hold_the_keepalive_ping_back() {
    let mut config = keepalive();
    config.limits.max_outgoing = 10_000;
    let mut server = End::started(Role::Server, &config);
    for now in 1..=10 * INTERVAL {
        server.write(5_000);
        let (frames, _) = common::pair::parse_frames(&server.wire);
        if frames.iter().any(|frame| frame.first == PING) {
            server.wire.clear();
            server.write_all();
            server.wire.clear();
            server.receive_frame(PONG, b"");
        }
        while server.connection.send_binary(&[0; 500]).is_ok() {}
        server.connection.handle_timeout(secs(now));
        assert_eq!(server.connection.state(), State::Open, "at {now} s");
    }
}

/// The Pings that a full queue is spared from add nothing to it over and over.
#[test]
fn keepalive_pings_do_not_pile_up_in_a_stuck_queue() {
    let mut config = keepalive();
    config.limits.max_outgoing = 1_000;
    let mut server = End::started(Role::Server, &config);
    while server.connection.send_binary(&[0; 100]).is_ok() {}
    let queued = server.connection.queued();
    for round in 1..100 {
        // The peer lets itself be heard at times, so the connection lives; it reads nothing.
        server
            .connection
            .handle_timeout(secs(round * (INTERVAL + 1)));
        server.receive_frame(PONG, b"");
        server
            .connection
            .handle_timeout(secs(round * (INTERVAL + 1)));
    }
    assert_eq!(server.connection.queued(), queued + 2);
    assert_eq!(server.connection.state(), State::Open);
}

/// Output that is stuck, so that the Ping cannot leave, fails the connection too.
#[test]
fn output_that_is_stuck_fails_the_connection() {
    let mut server = End::started(Role::Server, &keepalive());
    server.connection.send_binary(&vec![0; 100_000]).unwrap();
    server.connection.handle_timeout(secs(INTERVAL));
    let mut now = INTERVAL;
    for _ in 0..10 {
        now += PATIENCE - 1;
        server.write(1); // slow is not stuck
        server.connection.handle_timeout(secs(now));
        assert_eq!(server.connection.state(), State::Open);
    }
    let deadline = secs(now + PATIENCE);
    assert_eq!(server.connection.poll_timeout(), Some(deadline));
    server.connection.handle_timeout(deadline);
    server.poll();
    assert_eq!(server.error, Some(ReceiveError::KeepaliveTimeout));
}

/// Any received byte counts as life: of a header, of a payload that is consumed as it arrives, of a
/// control frame that is not all there.
#[test]
fn every_received_byte_counts_as_life() {
    for role in ROLES {
        let streams = [
            ("binary", frame_to(role, BINARY, &[1; 300])),
            ("text", frame_to(role, TEXT, &[b'x'; 300])),
            (
                "fragments",
                [
                    frame_to(role, TEXT & !FIN, b"abc"),
                    frame_to(role, PING, b"def"),
                    frame_to(role, CONTINUATION, b"ghi"),
                ]
                .concat(),
            ),
        ];
        for (name, stream) in streams {
            let mut end = End::started(role, &keepalive());
            for (index, byte) in stream.iter().enumerate() {
                let now = secs((index as u64 + 1) * (INTERVAL - 1));
                end.receive(&[*byte]);
                let sent = end.at(now);
                assert!(!sent.contains(&PING), "{name}: byte {index} did not count");
                let due = end.connection.poll_timeout();
                assert_eq!(due, Some(now + secs(INTERVAL)), "{name}: byte {index}");
            }
        }
    }
}

/// A byte of anything, not only a Pong, answers a keepalive Ping.
#[test]
fn any_byte_answers_the_keepalive_ping() {
    let mut server = End::started(Role::Server, &keepalive());
    assert_eq!(server.at(secs(INTERVAL)), [PING]);
    server.receive(&[BINARY]);
    assert_eq!(server.at(secs(INTERVAL + PATIENCE)), []);
    assert_eq!(server.connection.state(), State::Open);
}

/// Asking once more before the time is told takes nothing back: what was heard was heard. A mutant
/// found this untested.
#[test]
fn polling_forgets_no_sign_of_life() {
    for role in ROLES {
        let mut end = End::started(role, &keepalive());
        end.receive(&frame_to(role, TEXT, b"all of it"));
        end.poll();
        end.poll();
        end.connection.handle_timeout(secs(5));
        assert_eq!(end.connection.poll_timeout(), Some(secs(5 + INTERVAL)));
    }
}

/// The bytes that an inbox is made of count as well, if there are any. A mutant found this untested.
#[test]
fn what_an_inbox_is_made_of_counts_as_life() {
    for (bytes, due) in [(&[BINARY][..], INTERVAL + 5), (b"", INTERVAL)] {
        let mut end = End::started(Role::Server, &keepalive());
        end.inbox = Inbox::from(bytes);
        end.poll();
        end.connection.handle_timeout(secs(5));
        assert_eq!(end.connection.poll_timeout(), Some(secs(due)));
    }
}

/// A read that brought nothing is no sign of life. A mutant found this untested.
#[test]
fn a_read_of_nothing_is_no_sign_of_life() {
    let mut end = End::started(Role::Server, &keepalive());
    assert!(!end.inbox.spare(0).is_empty());
    end.inbox.received(0);
    end.poll();
    end.connection.handle_timeout(secs(5));
    assert_eq!(end.connection.poll_timeout(), Some(secs(INTERVAL)));
}

/// Where both deadlines are the same moment, the peer that does not answer counts. A mutant found this
/// untested.
#[test]
fn an_answer_that_is_due_goes_before_idleness() {
    for (idle, error) in [
        (INTERVAL + PATIENCE, Some(ReceiveError::KeepaliveTimeout)),
        (INTERVAL + PATIENCE - 1, None),
    ] {
        let mut config = keepalive();
        config.timeouts.idle = Some(secs(idle));
        let mut end = End::started(Role::Server, &config);
        assert_eq!(end.at(secs(INTERVAL)), [PING]);
        assert_eq!(end.at(secs(idle)), [CLOSE]);
        assert_eq!(end.error, error);
    }
}

/// Asking for events without new bytes is no sign of life.
#[test]
fn polling_is_no_sign_of_life() {
    let mut server = End::started(Role::Server, &keepalive());
    server.receive(&frame_to(Role::Server, BINARY, b"abc")[..4]);
    server.connection.handle_timeout(secs(1));
    for now in 2..=INTERVAL {
        server.poll();
        server.connection.handle_timeout(secs(now));
    }
    server.poll();
    assert_eq!(server.connection.poll_timeout(), Some(secs(INTERVAL + 1)));
    assert_eq!(server.at(secs(INTERVAL + 1)), [PING]);
}

/// No Ping is sent and no idleness counts once the connection is closing.
#[test]
fn closing_ends_keepalive_and_idleness() {
    let mut config = keepalive();
    config.timeouts.idle = Some(secs(30));
    for role in ROLES {
        let mut end = End::started(role, &config);
        end.connection.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(end.at(secs(1)), [CLOSE]);
        assert_eq!(end.connection.poll_timeout(), None);
        for now in 2..200 {
            assert_eq!(end.at(secs(now)), []);
        }
        assert_eq!(end.connection.state(), State::Closing);
    }
}

/// Deadlines that are switched off are never due.
#[test]
fn without_deadlines_nothing_is_ever_due() {
    for role in ROLES {
        let mut config = Config::default();
        config.timeouts = no_timeouts();
        let mut end = End::started(role, &config);
        assert_eq!(end.at(Duration::MAX), []);
        assert_eq!(end.connection.poll_timeout(), None);
        end.connection.close(CloseCode::NORMAL, "").unwrap();
        assert_eq!(end.at(Duration::MAX), [CLOSE]);
        assert_eq!(end.connection.poll_timeout(), None);
    }
}

/// Deadlines at the end of time do not overflow, and those of no length do not loop.
#[test]
fn extreme_deadlines_are_harmless() {
    for limit in [Duration::ZERO, Duration::MAX] {
        for now in [Duration::ZERO, Duration::MAX] {
            let mut config = Config::default();
            config.timeouts.keepalive = Some(Keepalive {
                interval: limit,
                timeout: limit,
            });
            config.timeouts.idle = Some(limit);
            config.timeouts.close = Some(limit);
            let mut server = End::new(Role::Server, &config);
            server.connection.handle_timeout(now);
            server.connection.handle_timeout(now);
            let _ = server.connection.poll_timeout();
        }
    }
}

/// A clock that goes back, which it should not, breaks nothing.
#[test]
fn a_clock_that_goes_back_is_harmless() {
    let mut server = End::started(Role::Server, &keepalive());
    assert_eq!(server.at(secs(10)), []);
    assert_eq!(server.at(secs(5)), []);
    assert_eq!(server.at(secs(INTERVAL)), [PING]);
}

/// R6455-7.1.7-03: left alone, two peers keep each other alive for a hundred days, without closing,
/// and simulating that takes no time to speak of.
#[test]
fn keepalive_runs_for_a_hundred_days_in_a_moment() {
    let start = Instant::now();
    let mut pair = Pair::new(usize::MAX);
    pair.run();
    let end = secs(100 * 24 * 3600);
    let mut wakes = 0_u32;
    while pair.now < end {
        assert!(pair.sleep_until_due());
        pair.run();
        wakes += 1;
        for end in [&pair.client, &pair.server] {
            assert_eq!(end.connection.state(), State::Open);
        }
        for end in [&mut pair.client, &mut pair.server] {
            end.seen.clear();
            end.wire.clear();
        }
    }
    // Any received byte counts, so one Ping in 20 seconds serves both ends.
    assert!((400_000..900_000).contains(&wakes), "{wakes} wakes");
    assert!(start.elapsed() < secs(60));
}

/// Whatever happens, the time that `poll_timeout` told before waiting is not later than the moment
/// at which the connection next does something by itself.
#[test]
fn poll_timeout_is_never_too_late() {
    let mut config = keepalive();
    config.timeouts.idle = Some(secs(55));
    config.timeouts.close = Some(secs(5));
    let mut random = 1_u64;
    for role in ROLES {
        for _ in 0..200 {
            let mut end = End::started(role, &config);
            let mut now = Duration::ZERO;
            while end.connection.state() != State::Closed {
                random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                match random >> 60 {
                    0 | 1 => end.receive_frame(PONG, b""),
                    2 => drop(end.connection.send_text("x")),
                    3 => drop(end.write(1)),
                    4 | 5 => drop(end.write_all()),
                    6 if random & 0x700 == 0 => drop(end.connection.close(CloseCode::NORMAL, "")),
                    _ => {}
                }
                end.connection.handle_timeout(now);
                let before = (end.connection.state(), end.connection.wants_write());
                let Some(due) = end.connection.poll_timeout() else {
                    break;
                };
                assert!(due > now, "what is due now was done");
                // Right before it nothing happens; at it, something does.
                let early = just_before(due);
                now += secs(random >> 33 & 7);
                if now >= due {
                    end.connection.handle_timeout(early);
                    let after = (end.connection.state(), end.connection.wants_write());
                    assert_eq!(after, before);
                    now = due;
                    end.connection.handle_timeout(now);
                    let moved = end.connection.poll_timeout() != Some(due);
                    assert!(moved, "a deadline that passed is gone");
                }
            }
        }
    }
}
