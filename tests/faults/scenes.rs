//! Conversations, and the peers that have them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use fullduplex::{Config, Role};

use super::common::hostile::{After, Hostile, Peer};
use super::common::net::{REQUEST, consent};
use super::common::pair::{
    BINARY, CLOSE, CONTINUATION, FIN, Frame, PING, TEXT, close_to, frame_to, parse_frames, timeless,
};

/// What our end does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Sends back what comes, until the peer closes.
    Echo,
    /// Says something, closes, and goes on reading.
    CloseAndRead,
    /// Says something, closes, and drops what comes.
    Close,
    /// Sends messages from one half, and receives with the other.
    Split,
}

/// How many messages one half sends.
pub(crate) const SENT: usize = 4;

/// When the peer says something.
#[derive(Clone, Copy, Debug)]
enum Cue {
    AtOnce,
    /// It has got a head.
    Head,
    /// It has got so many messages.
    Messages(usize),
    /// It has got a Close frame.
    Close,
}

#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// That of our end.
    pub(crate) role: Role,
    pub(crate) config: Config,
    /// Whether the opening handshake is part of it.
    pub(crate) opens: bool,
    pub(crate) act: Act,
    /// The most bytes that one call moves, for each time it is played.
    pub(crate) sizes: &'static [usize],
    says: Vec<(Cue, Vec<u8>)>,
}

/// The server ends the stream first.
fn scene(name: &'static str, role: Role, says: Vec<(Cue, Vec<u8>)>) -> Scene {
    Scene {
        name,
        role,
        config: timeless(),
        opens: false,
        act: Act::Echo,
        sizes: &[2, 11, usize::MAX],
        says,
    }
}

pub(crate) fn scenes(role: Role) -> Vec<Scene> {
    let bye = || close_to(role, 1000, "bye");
    let few = [
        frame_to(role, TEXT, b"hello"),
        frame_to(role, BINARY, b"\0\x01"),
        frame_to(role, PING, b"there?"),
        frame_to(role, BINARY, b""),
    ]
    .concat();
    let opened = match role {
        Role::Server => vec![(Cue::AtOnce, REQUEST.into()), (Cue::Head, Vec::new())],
        Role::Client => vec![(Cue::Head, Vec::new())],
    };
    let opening = |frames: Vec<u8>| {
        let mut says = opened.clone();
        says.last_mut().unwrap().1 = frames;
        says
    };
    let mut all = vec![
        Scene {
            opens: true,
            sizes: &[19, usize::MAX],
            ..scene("handshake", role, opening([&few[..], &bye()].concat()))
        },
        scene("small", role, {
            vec![(Cue::AtOnce, [&few[..], &bye()].concat())]
        }),
        Scene {
            sizes: &[64 * 1024],
            ..scene("large", role, {
                let message = frame_to(role, BINARY, &vec![5; 300 * 1024]);
                let text = frame_to(role, TEXT, &vec![b'x'; 70_000]);
                vec![(Cue::AtOnce, [message, text, bye()].concat())]
            })
        },
        scene("fragmented", role, {
            let frames = [
                frame_to(role, TEXT & !FIN, b"in "),
                frame_to(role, PING, b"between"),
                frame_to(role, CONTINUATION & !FIN, b"several "),
                frame_to(role, CONTINUATION & !FIN, b""),
                frame_to(role, CONTINUATION, b"pieces"),
                bye(),
            ];
            vec![(Cue::AtOnce, frames.concat())]
        }),
        Scene {
            act: Act::CloseAndRead,
            ..scene(
                "close",
                role,
                vec![(Cue::AtOnce, few.clone()), (Cue::Close, bye())],
            )
        },
        Scene {
            act: Act::Close,
            ..scene("close, and drop", role, {
                vec![(Cue::AtOnce, few.clone()), (Cue::Close, bye())]
            })
        },
        Scene {
            act: Act::Split,
            sizes: &[5, usize::MAX],
            ..scene("split", role, {
                vec![(Cue::AtOnce, few.clone()), (Cue::Messages(SENT), bye())]
            })
        },
    ];
    for scene in &mut all {
        if scene.name == "fragmented" {
            scene.config.max_frame_payload = Some(6);
        }
    }
    #[cfg(feature = "deflate")]
    {
        use fullduplex::deflate::{Compress, ContextTakeover, Deflate};

        let frames = [
            frame_to(role, TEXT | RSV1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"),
            frame_to(role, TEXT | RSV1, b"\xf2\x00\x11\x00\x00"),
            frame_to(role, PING, b""),
            frame_to(role, TEXT & !FIN | RSV1, b"\xf2\x00"),
            frame_to(role, CONTINUATION, b"\x11\x00\x00"),
            frame_to(role, TEXT, b"not"),
            bye(),
        ];
        let mut scene = Scene {
            opens: true,
            sizes: &[19, usize::MAX],
            ..scene("compressed", role, opening(frames.concat()))
        };
        let deflate = Deflate::new().compress(Compress::Always);
        let takeover = ContextTakeover::On;
        scene.config.deflate = Some(deflate.takeover(takeover).peer_takeover(takeover));
        all.push(scene);
    }
    all
}

#[cfg(feature = "deflate")]
const RSV1: u8 = 0x40;

const EXTENSION: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

/// The peer in a scene: what it has got and said, TLS aside.
pub(crate) struct Talk {
    role: Role,
    opens: bool,
    extends: bool,
    says: VecDeque<(Cue, Vec<u8>)>,
    got: Vec<u8>,
    said: Vec<u8>,
}

impl Talk {
    fn new(scene: &Scene) -> Self {
        Self {
            role: scene.role,
            opens: scene.opens,
            extends: scene.name == "compressed",
            says: scene.says.iter().cloned().collect(),
            got: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Takes note of what has come, and says what it is time for.
    pub(crate) fn receive(&mut self, bytes: &[u8], after: &mut After) -> Vec<u8> {
        self.got.extend(bytes);
        let mut news = Vec::new();
        while let Some(&(cue, _)) = self.says.front()
            && self.is_time(cue)
        {
            if self.opens && self.said.is_empty() && news.is_empty() {
                news = self.opening();
            }
            news.extend(self.says.pop_front().unwrap().1);
        }
        self.said.extend(&news);
        if self.says.is_empty() && self.role == Role::Client {
            *after = After::End;
        }
        news
    }

    /// What replaces or precedes the first that it says.
    fn opening(&mut self) -> Vec<u8> {
        let mut head = match self.role {
            Role::Server => String::from_utf8(std::mem::take(&mut self.says[0].1)).unwrap(),
            Role::Client => consent(std::str::from_utf8(&self.got).unwrap()),
        };
        if self.extends {
            head = head.replace("\r\n\r\n", &format!("\r\n{EXTENSION}"));
        }
        head.into_bytes()
    }

    fn is_time(&self, cue: Cue) -> bool {
        match cue {
            Cue::AtOnce => true,
            Cue::Head => head_end(&self.got).is_some(),
            Cue::Messages(count) => self.messages().len() >= count,
            Cue::Close => self.frames().iter().any(|frame| frame.first == CLOSE),
        }
    }

    /// The frames that it got, behind the head if there was one.
    fn frames(&self) -> Vec<Frame> {
        let start = if self.opens {
            head_end(&self.got)
        } else {
            Some(0)
        };
        start.map_or_else(Vec::new, |start| parse_frames(&self.got[start..]).0)
    }

    /// The payloads of the messages that it got.
    pub(crate) fn messages(&self) -> Vec<Vec<u8>> {
        let messages = self
            .frames()
            .into_iter()
            .filter(|frame| frame.first == TEXT);
        messages.map(|frame| frame.payload).collect()
    }

    /// Where in what it said each event was complete.
    pub(crate) fn events(&self) -> Vec<usize> {
        let mut end = 0;
        if self.opens {
            end = head_end(&self.said).unwrap_or(self.said.len());
        }
        let frames = parse_frames(&self.said[end..]).0.into_iter();
        let ends = frames.filter_map(|frame| {
            end += frame.size();
            (frame.first & FIN != 0).then_some(end)
        });
        ends.collect()
    }

    pub(crate) fn said(&self) -> usize {
        self.said.len()
    }

    /// All that it got, without what is random: the key of the handshake and those of the frames.
    pub(crate) fn transcript(&self) -> Vec<u8> {
        let mut all = self.got.clone();
        if !self.opens || self.role == Role::Server {
            return all;
        }
        let name = b"Sec-WebSocket-Key: ";
        let key = all.windows(name.len()).position(|found| found == name);
        if let Some(key) = key {
            let value = all[key + name.len()..].iter_mut().take(24);
            value.for_each(|byte| *byte = b'*');
        }
        let end = head_end(&all).unwrap_or(all.len());
        [&all[..end], &unmasked(&all[end..])].concat()
    }
}

pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|found| found == b"\r\n\r\n")?;
    Some(end + 4)
}

/// Frames without masks, the last of which may be cut.
fn unmasked(bytes: &[u8]) -> Vec<u8> {
    let (frames, rest) = parse_frames(bytes);
    let mut all = Vec::new();
    for frame in frames {
        all.extend(frame_to(Role::Client, frame.first, &frame.payload));
    }
    // Of a frame that is cut, its first byte is enough to be compared.
    all.extend(rest.first());
    all
}

/// A stream with a peer behind it, and what becomes of what that says.
pub(crate) struct Stage {
    pub(crate) line: Hostile,
    pub(crate) talk: Arc<Mutex<Talk>>,
    marks: Option<Marks>,
}

/// Where in the stream of records what was said so far has come whole.
pub(crate) type Marks = Arc<Mutex<Vec<(usize, usize)>>>;

impl Stage {
    pub(crate) fn new(scene: &Scene) -> Self {
        let talk = Arc::new(Mutex::new(Talk::new(scene)));
        let own = Arc::clone(&talk);
        let peer: Peer = Box::new(move |bytes, after| own.lock().unwrap().receive(bytes, after));
        Self::with_peer(talk, peer, None)
    }

    fn with_peer(talk: Arc<Mutex<Talk>>, peer: Peer, marks: Option<Marks>) -> Self {
        Self {
            line: Hostile::new(b"", After::Silence).with_peer(peer),
            talk,
            marks,
        }
    }

    /// With TLS between the stream and the peer.
    #[cfg(feature = "rustls")]
    pub(crate) fn over_tls(scene: &Scene) -> Self {
        let talk = Arc::new(Mutex::new(Talk::new(scene)));
        let (peer, marks) = super::tls::peer(scene.role, Arc::clone(&talk));
        let stage = Self::with_peer(talk, peer, Some(marks));
        {
            let mut line = stage.line.state();
            // What an adapter asks of TLS makes several calls: to shake hands, to read, to write.
            line.most_idle = 5 * super::common::hostile::MOST_IDLE;
            // tokio-rustls flushes while it waits to write, and wants to be woken all the same.
            line.is_forgetful = false;
        }
        stage
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.marks.is_some()
    }

    /// How much of what the peer said has been read.
    pub(crate) fn delivered(&self) -> usize {
        let taken = self.line.state().taken;
        let Some(marks) = &self.marks else {
            return taken;
        };
        let marks = marks.lock().unwrap();
        let whole = marks.iter().rev().find(|(sealed, _)| *sealed <= taken);
        whole.map_or(0, |(_, said)| *said)
    }
}
