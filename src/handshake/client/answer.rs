//! Reads the response to a request: what agrees is handed over with its head, what refuses is kept
//! with its body.

use alloc::boxed::Box;
use core::mem;

use super::body::{Body, Progress, Rejection};
use crate::connection::{Inbox, Limits};
use crate::handshake::HandshakeError;
use crate::handshake::head::{Kind, ResponseHead, Scanner};

/// How many interim responses, such as 103 Early Hints, may precede the answer.
const MAX_INTERIM: u8 = 8;

/// A response that is awaited.
#[derive(Debug)]
pub(super) struct Answer {
    state: State,
    interim: u8,
}

#[derive(Debug)]
enum State {
    Head(Scanner),
    /// The rest of a response that refuses.
    Body(Box<Rejection>, Body),
}

impl Answer {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Head(Scanner::new(Kind::Response)),
            interim: 0,
        }
    }

    /// The head of a response whose status `agrees`, once it is whole. Bytes behind it stay in the
    /// inbox.
    pub(super) fn advance(
        &mut self,
        inbox: &mut Inbox,
        limits: &Limits,
        agrees: impl Fn(u16) -> bool,
    ) -> Result<Option<ResponseHead>, HandshakeError> {
        loop {
            match &mut self.state {
                State::Head(scanner) => {
                    let unread = inbox.unread();
                    let Some(head) = scanner.advance(unread, limits)? else {
                        return Ok(None);
                    };
                    let response = head.parse_response(unread)?;
                    inbox.consume(head.end);
                    match response.status {
                        status if agrees(status) => return Ok(Some(response)),
                        100 | 102..=199 => self.skip_interim()?,
                        _ => self.state = refused(response),
                    }
                }
                State::Body(rejection, body) => {
                    let limit = limits.max_rejection_body;
                    let (used, progress) = body.receive(inbox.unread(), limit, rejection);
                    inbox.consume(used);
                    return match progress {
                        Progress::Finished => Err(HandshakeError::Rejected(mem::take(rejection))),
                        Progress::Wanting => Ok(None),
                    };
                }
            }
        }
    }

    /// RFC 9110, 15.2: a client has to expect interim responses, also unknown ones.
    fn skip_interim(&mut self) -> Result<(), HandshakeError> {
        if self.interim == MAX_INTERIM {
            return Err(HandshakeError::TooManyInterimResponses);
        }
        self.interim += 1;
        self.state = State::Head(Scanner::new(Kind::Response));
        Ok(())
    }

    /// What the end of the stream means: for some refusals it is the regular end.
    pub(super) fn at_eof(&mut self) -> HandshakeError {
        let regular = matches!(&self.state, State::Body(_, body) if body.ends_at_eof());
        match self.cut_off(HandshakeError::ConnectionClosed) {
            HandshakeError::Rejected(mut rejection) => {
                rejection.truncated = !regular;
                HandshakeError::Rejected(rejection)
            }
            error => error,
        }
    }

    /// What is known when no more will come: a refusal without the rest of its body is still one.
    pub(super) fn cut_off(&mut self, error: HandshakeError) -> HandshakeError {
        match &mut self.state {
            State::Head(_) => error,
            State::Body(rejection, _) => {
                rejection.truncated = true;
                HandshakeError::Rejected(mem::take(rejection))
            }
        }
    }
}

fn refused(response: ResponseHead) -> State {
    let body = Body::of(&response);
    let ResponseHead {
        status, headers, ..
    } = response;
    State::Body(
        Box::new(Rejection {
            status,
            headers,
            ..Rejection::default()
        }),
        body,
    )
}
