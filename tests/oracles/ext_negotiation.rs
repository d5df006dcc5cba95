//! The header `Sec-WebSocket-Extensions` in both directions (RFC 6455, 9.1, and RFC 7692, 7.1).

use fullduplex::deflate::{ContextTakeover, Deflate, WindowBits};
use fullduplex::handshake::extension::{Extension, parse_extensions};

const NAME: &str = "permessage-deflate";

/// An element of a list: its name, and its parameters with their values.
type Element = (String, Vec<(String, Option<String>)>);

/// A list is read as a plain reader reads it and is the same when it was printed; a server answers
/// an offer with what it allows and nothing else; a client takes the answers that its offer allows
/// and no others; and both agree.
///
/// Input: the settings of either side in two bytes each, see [`settings`], then the header.
///
/// # Panics
///
/// If that does not hold.
pub fn ext_negotiation(data: &[u8]) {
    let [a, b, c, d, value @ ..] = data else {
        return;
    };
    let (ours, theirs) = (settings(*a, *b), settings(*c, *d));
    assert_agreement(&ours, &theirs);

    let parsed = parse_extensions(value);
    assert_eq!(parsed.as_ref().ok().map(|list| own(list)), read(value));
    let list = match parsed {
        Ok(list) => list,
        Err(error) => {
            assert!(error.at <= value.len());
            return;
        }
    };
    let printed: Vec<String> = list.iter().map(ToString::to_string).collect();
    let printed = printed.join(", ");
    assert_eq!(parse_extensions(printed.as_bytes()).as_ref(), Ok(&list));
    assert_answer(&ours, &list);
    assert_conclusion(&ours, &list);
}

/// What an application chose.
struct Settings {
    deflate: Deflate,
    /// Whether the peer must not take over its context.
    demands_off: bool,
    max_bits: u8,
    peer_max_bits: u8,
}

/// First byte: bits 0 to 2: the largest window less 8; 3 to 5: the peer's. Second byte: bits 0 and
/// 1: whether to take over the context, if that is said at all; 2 and 3: whether the peer does.
fn settings(bits: u8, takeover: u8) -> Settings {
    let (max_bits, peer_max_bits) = (8 + (bits & 7), 8 + (bits >> 3 & 7));
    let window = |bits| WindowBits::new(bits).expect("8 to 15");
    let said = |bits: u8| match bits & 3 {
        0 => Some(ContextTakeover::Off),
        1 => Some(ContextTakeover::On),
        _ => None,
    };
    let mut deflate = Deflate::new()
        .max_window_bits(window(max_bits))
        .peer_max_window_bits(window(peer_max_bits));
    if let Some(takeover) = said(takeover) {
        deflate = deflate.takeover(takeover);
    }
    let peer = said(takeover >> 2);
    if let Some(takeover) = peer {
        deflate = deflate.peer_takeover(takeover);
    }
    Settings {
        deflate,
        demands_off: peer == Some(ContextTakeover::Off),
        max_bits: max_bits.max(9), // a compressor has no smaller window
        peer_max_bits,
    }
}

/// A client that offers what it wants, and a server that answers what it wants.
fn assert_agreement(client: &Settings, server: &Settings) {
    let offer = client.deflate.offer();
    let offer = parse_extensions(offer.as_bytes()).expect("an offer");
    let Some((theirs, answer)) = server.deflate.accept(&offer) else {
        let small = client.peer_max_bits == 8;
        assert!(small, "{offer:?} is declined");
        return;
    };
    let answer = parse_extensions(answer.as_bytes()).expect("an answer");
    let ours = client.deflate.check_response(&answer);
    let ours = ours.expect("an answer to the offer").expect("an agreement");
    for (send, receive) in [(ours.send, theirs.receive), (theirs.send, ours.receive)] {
        assert!(send.window_bits <= receive.window_bits.max(WindowBits::new(9).expect("9")));
        let forgets = receive.takeover == ContextTakeover::Off;
        assert!(!forgets || send.takeover == ContextTakeover::Off);
    }
}

fn assert_answer(settings: &Settings, list: &[Extension<'_>]) {
    let named = list.iter().filter(|extension| extension.name == NAME);
    let offers: Vec<Terms> = named.filter_map(Terms::read).collect();
    let Some((agreement, answer)) = settings.deflate.accept(list) else {
        let fine = |offer: &Terms| {
            let feasible = matches!(offer.server_bits, Bits::Absent | Bits::Value(9..));
            feasible && (offer.client_bits != Bits::Absent || settings.peer_max_bits == 15)
        };
        assert!(!offers.iter().any(fine), "{offers:?} are declined");
        return;
    };
    let answer = parse_extensions(answer.as_bytes()).expect("an answer");
    let [extension] = &answer[..] else {
        panic!("{answer:?}");
    };
    assert_eq!(extension.name, NAME);
    let terms = Terms::read(extension).expect("a legal answer");
    assert!(offers.iter().any(|offer| offer.allows(&terms)), "{terms:?}");

    let off = |takeover| takeover == ContextTakeover::Off;
    assert_eq!(off(agreement.send.takeover), terms.server_off);
    assert_eq!(off(agreement.receive.takeover), terms.client_off);
    let receive = agreement.receive.window_bits.bits();
    assert_eq!(Some(receive), terms.client_bits.agreed(15));
    assert!(receive <= settings.peer_max_bits);
    let send = agreement.send.window_bits.bits();
    assert!(send <= settings.max_bits);
    assert_eq!(Some(send), terms.server_bits.agreed(send));
    assert!(!settings.demands_off || terms.client_off);
}

fn assert_conclusion(settings: &Settings, list: &[Extension<'_>]) {
    let told = settings.deflate.check_response(list);
    let terms = match list {
        [extension] if extension.name == NAME => Terms::read(extension),
        _ => None,
    };
    let terms = terms.filter(|terms| {
        let fits = |bits: Bits, otherwise, most| {
            let agreed = bits.agreed(otherwise);
            agreed.is_some_and(|bits| bits <= most)
        };
        let server = fits(terms.server_bits, 15, settings.peer_max_bits);
        let client = fits(terms.client_bits, settings.max_bits, settings.max_bits);
        server && client && (terms.server_off || !settings.demands_off)
    });
    assert_eq!(told.is_ok(), terms.is_some(), "{told:?}");
    let (Ok(agreement), Some(terms)) = (told, terms) else {
        return;
    };
    let agreement = agreement.expect("an agreement");
    let off = |takeover| takeover == ContextTakeover::Off;
    assert_eq!(off(agreement.receive.takeover), terms.server_off);
    assert!(off(agreement.send.takeover) || !terms.client_off);
    let receive = agreement.receive.window_bits.bits();
    assert_eq!(Some(receive), terms.server_bits.agreed(15));
    let send = agreement.send.window_bits.bits();
    assert_eq!(Some(send), terms.client_bits.agreed(settings.max_bits));
}

/// The parameters of an offer or of an answer.
#[derive(Debug)]
struct Terms {
    server_off: bool,
    client_off: bool,
    server_bits: Bits,
    client_bits: Bits,
}

impl Terms {
    /// RFC 7692, 7.1: known parameters, each once, with values where they belong.
    fn read(extension: &Extension<'_>) -> Option<Self> {
        let mut terms = Self {
            server_off: false,
            client_off: false,
            server_bits: Bits::Absent,
            client_bits: Bits::Absent,
        };
        for param in &extension.params {
            let value = param.value.as_deref();
            match param.name {
                "server_no_context_takeover" if value.is_none() && !terms.server_off => {
                    terms.server_off = true;
                }
                "client_no_context_takeover" if value.is_none() && !terms.client_off => {
                    terms.client_off = true;
                }
                "server_max_window_bits" if terms.server_bits == Bits::Absent => {
                    terms.server_bits = Bits::read(value)?;
                }
                "client_max_window_bits" if terms.client_bits == Bits::Absent => {
                    terms.client_bits = Bits::read(value)?;
                }
                _ => return None,
            }
        }
        Some(terms)
    }

    /// Whether an answer says nothing that this offer does not allow, and grants its conditions.
    fn allows(&self, answer: &Self) -> bool {
        let server = match (self.server_bits, answer.server_bits) {
            (Bits::Absent, Bits::Absent) => true,
            (Bits::Value(most), Bits::Value(bits)) => bits <= most,
            _ => false,
        };
        let client = match (self.client_bits, answer.client_bits) {
            (_, Bits::Absent) | (Bits::Bare, Bits::Value(_)) => true,
            (Bits::Value(most), Bits::Value(bits)) => bits <= most,
            _ => false,
        };
        server && client && (answer.server_off || !self.server_off)
    }
}

/// The size of a window, if the parameter is there and has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bits {
    Absent,
    Bare,
    Value(u8),
}

impl Bits {
    fn read(value: Option<&str>) -> Option<Self> {
        let Some(value) = value else {
            return Some(Self::Bare);
        };
        let mut sizes = 8..=15;
        let bits = sizes.find(|bits: &u8| bits.to_string() == value);
        bits.map(Self::Value)
    }

    /// What an answer says; a parameter without a value is none.
    fn agreed(self, otherwise: u8) -> Option<u8> {
        match self {
            Self::Absent => Some(otherwise),
            Self::Bare => None,
            Self::Value(bits) => Some(bits),
        }
    }
}

fn own(list: &[Extension<'_>]) -> Vec<Element> {
    let params = |extension: &Extension<'_>| {
        let params = extension.params.iter();
        params
            .map(|param| (param.name.into(), param.value.clone().map(Into::into)))
            .collect()
    };
    list.iter()
        .map(|extension| (extension.name.into(), params(extension)))
        .collect()
}

/// A plain reader: no token holds a separator, and a quoted value has to be a token, so that a list
/// can be split without looking at quotes.
fn read(value: &[u8]) -> Option<Vec<Element>> {
    let value = str::from_utf8(value).ok()?;
    let trim = |text: &'_ str| text.trim_matches([' ', '\t']).to_owned();
    let mut list = Vec::new();
    for element in value.split(',').map(trim).filter(|text| !text.is_empty()) {
        let mut parts = element.split(';').map(trim);
        let name = token(&parts.next()?)?;
        let mut params = Vec::new();
        for part in parts {
            params.push(match part.split_once('=') {
                None => (token(&part)?, None),
                Some((name, value)) => (token(&trim(name))?, Some(unquote(&trim(value))?)),
            });
        }
        list.push((name, params));
    }
    (!list.is_empty()).then_some(list)
}

fn token(text: &str) -> Option<String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (!text.is_empty() && text.bytes().all(legal)).then(|| text.to_owned())
}

fn unquote(text: &str) -> Option<String> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text);
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
    (characters.next().is_none()).then_some(())?;
    token(&value)
}
