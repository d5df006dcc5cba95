//! Two connections that do whatever two applications may do, over a link that cuts anywhere: what is
//! sent arrives, in order and whole, up to the Close frame of the receiver and no further.
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use common::pair::{End, Pair, Seen, timeless};
use fullduplex::{CloseCode, Message, MessageKind};
use proptest::collection::vec;
use proptest::prelude::*;

/// What an application does.
#[derive(Clone, Debug)]
enum Action {
    Text(String),
    Binary(Vec<u8>),
    Owned(Vec<u8>),
    /// A message in fragments, between which the link may move.
    Fragments(Vec<Vec<u8>>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
}

/// What happens next: an action of the client or the server, or so many turns of the link.
#[derive(Clone, Debug)]
enum Step {
    Client(Action),
    Server(Action),
    Link(usize),
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=most)
}

fn action() -> impl Strategy<Value = Action> {
    let size = prop_oneof![4 => 0..130_usize, 1 => 60_000..70_000_usize];
    prop_oneof![
        6 => ".{0,40}".prop_map(Action::Text),
        6 => size.clone().prop_flat_map(|n| vec(any::<u8>(), n)).prop_map(Action::Binary),
        6 => size.prop_flat_map(|n| vec(any::<u8>(), n)).prop_map(Action::Owned),
        4 => vec(bytes(50), 1..5).prop_map(Action::Fragments),
        3 => bytes(125).prop_map(Action::Ping),
        3 => bytes(125).prop_map(Action::Pong),
        1 => (prop_oneof![Just(1000), Just(1001), 3000..5000_u16], ".{0,30}")
            .prop_map(|(code, reason)| Action::Close(code, reason)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        action().prop_map(Step::Client),
        action().prop_map(Step::Server),
        (1..20_usize).prop_map(Step::Link),
    ]
}

/// What one application sent and its connection took, and whether it was the first to close.
#[derive(Default)]
struct Told {
    messages: Vec<Seen>,
    pongs: Vec<Seen>,
    pings: Vec<Seen>,
    close: Option<Seen>,
}

/// Does `action` at `end` unless its connection refuses.
fn perform(end: &mut End, told: &mut Told, action: Action) {
    let connection = &mut end.connection;
    match action {
        Action::Text(text) => {
            if connection.send_text(&text).is_ok() {
                told.messages.push(Seen::Text(text));
            }
        }
        Action::Binary(bytes) => {
            if connection.send_binary(&bytes).is_ok() {
                told.messages.push(Seen::Binary(bytes));
            }
        }
        Action::Owned(bytes) => {
            if connection.send(Message::from(bytes.clone())).is_ok() {
                told.messages.push(Seen::Binary(bytes));
            }
        }
        Action::Fragments(parts) => {
            let last = parts.len() - 1;
            let sent = parts.iter().enumerate().all(|(index, part)| {
                let fin = index == last;
                connection
                    .send_fragment(MessageKind::Binary, part, fin)
                    .is_ok()
            });
            if sent {
                told.messages.push(Seen::Binary(parts.concat()));
            }
        }
        Action::Ping(payload) => {
            if connection.ping(&payload).is_ok() {
                told.pings.push(Seen::Ping(payload));
            }
        }
        Action::Pong(payload) => {
            if connection.pong(&payload).is_ok() {
                told.pongs.push(Seen::Pong(payload));
            }
        }
        Action::Close(code, reason) => {
            if connection.close(CloseCode::from(code), &reason).is_ok() {
                told.close = Some(Seen::Close(code, reason));
            }
        }
    }
}

/// `end` has seen what `told` says that its peer sent, and nothing else.
fn assert_seen(end: &End, told: &Told, own: &Told) {
    assert_eq!(end.error, None);
    let of = |is: fn(&Seen) -> bool| -> Vec<&Seen> { end.seen.iter().filter(|s| is(s)).collect() };
    let messages = of(|seen| matches!(seen, Seen::Text(_) | Seen::Binary(_)));
    assert_eq!(messages, told.messages.iter().collect::<Vec<_>>());
    let asked_for = of(|seen| matches!(seen, Seen::Ping(_)));
    assert_eq!(asked_for, told.pings.iter().collect::<Vec<_>>());

    // Answers come between the Pongs that nobody asked for, each at most once and in order.
    let answers_seen = of(|seen| matches!(seen, Seen::Pong(_)));
    let asked = own.pings.iter().map(|ping| match ping {
        Seen::Ping(payload) => Seen::Pong(payload.clone()),
        other => panic!("{other:?} is no Ping"),
    });
    let (mut answers, mut others) = (asked.peekable(), told.pongs.iter().peekable());
    for pong in answers_seen {
        if others.next_if(|other| *other == pong).is_none() {
            assert!(
                answers.any(|answer| answer == *pong),
                "{pong:?} answers nothing"
            );
        }
    }

    let closes = of(|seen| matches!(seen, Seen::Close(..)));
    assert!(closes.len() <= 1);
    if let Some(close) = closes.first() {
        assert_eq!(
            end.seen.last(),
            Some(*close),
            "nothing comes behind a Close frame"
        );
        let expected = [&told.close, &own.close];
        assert!(expected.iter().any(|e| e.as_ref() == Some(*close)) || echoes(close, own));
    }
}

/// Whether `close` is what a peer answers to our Close frame: the same code.
fn echoes(close: &Seen, own: &Told) -> bool {
    matches!((close, &own.close), (Seen::Close(a, _), Some(Seen::Close(b, _))) if a == b)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// R6455-5.4-01, R6455-5.5.1-06, R6455-6.2-01: round trips in both directions at once.
    #[test]
    fn what_either_end_sends_arrives(
        steps in vec(step(), 0..40),
        chunk in prop_oneof![Just(1_usize), 2..200_usize, Just(usize::MAX)],
        cut in prop_oneof![Just(None), (1..300_usize).prop_map(Some)],
    ) {
        let mut config = timeless();
        config.max_frame_payload = cut;
        let mut pair = Pair::with(&config, &config, chunk);
        let (mut client, mut server) = (Told::default(), Told::default());
        for step in steps {
            match step {
                Step::Client(action) => perform(&mut pair.client, &mut client, action),
                Step::Server(action) => perform(&mut pair.server, &mut server, action),
                Step::Link(turns) => {
                    (0..turns).for_each(|_| { pair.step(); });
                }
            }
        }
        perform(&mut pair.client, &mut client, Action::Close(1000, String::new()));
        pair.run();
        pair.assert_over();
        assert_seen(&pair.server, &client, &server);
        assert_seen(&pair.client, &server, &client);
        for end in [&pair.client, &pair.server] {
            prop_assert!(end.connection.outcome().unwrap().clean);
            prop_assert_eq!(end.closes().len(), 1, "each end sends one Close frame");
        }
    }
}
