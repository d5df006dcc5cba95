//! What an application puts into a request or a response (H4): whatever it is, nothing else than
//! that comes out.

use bytes::Buf;
use fullduplex::handshake::client::{Handshake, Request};
use fullduplex::handshake::server::{self, Acceptance, HttpRequest, Incoming, Response, Upgrade};
use fullduplex::handshake::{BuildError, OriginPolicy, Step, Url};
use fullduplex::{Config, Inbox, MaskKeys};

use super::Script;

/// What a head has to hold: names, and values where they are known.
type Fields = Vec<(String, Option<String>)>;

/// A request that a client builds is one request with exactly the fields that were taken; so is a
/// response of a server. What the grammar allows is taken, and nothing else.
///
/// Input: items, each a kind, a length and so many bytes; see [`Built::add`].
///
/// # Panics
///
/// If that does not hold.
pub fn url_and_headers(data: &[u8]) {
    let mut script = Script(data);
    let Ok(request) = Request::new("ws://example.com/") else {
        panic!("a plain URL is refused");
    };
    let mut built = Built {
        request,
        url: None,
        host: None,
        origin: None,
        subprotocols: Vec::new(),
        headers: Vec::new(),
        status: 400,
        response: Vec::new(),
        acceptance: Vec::new(),
        body: String::new(),
    };
    while let (Some(kind), Some(length)) = (script.next(), script.next()) {
        let text = String::from_utf8_lossy(script.take(length.into()));
        built.add(kind, &text);
    }
    built.check_request();
    built.check_response();
    built.check_acceptance();
}

struct Built {
    request: Request,
    url: Option<Url>,
    host: Option<String>,
    origin: Option<String>,
    subprotocols: Vec<String>,
    headers: Vec<(String, String)>,
    status: u16,
    response: Vec<(String, String)>,
    acceptance: Vec<(String, String)>,
    body: String,
}

impl Built {
    fn add(&mut self, kind: u8, text: &str) {
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        match kind % 8 {
            0 => self.set_url(text),
            1 => {
                if let Ok(request) = self.request.clone().host(text) {
                    self.request = request;
                    self.host = Some(text.into());
                }
            }
            2 => {
                let told = self.request.clone().origin(text);
                let legal = |byte: u8| byte.is_ascii_graphic();
                assert_eq!(told.is_ok(), !text.is_empty() && text.bytes().all(legal));
                if let Ok(request) = told {
                    self.request = request;
                    self.origin = Some(text.into());
                }
            }
            3 => {
                let told = self.request.clone().subprotocol(text);
                let new = !self.subprotocols.iter().any(|name| name == text);
                assert_eq!(told.is_ok(), is_token(text) && new);
                if let Ok(request) = told {
                    self.request = request;
                    self.subprotocols.push(text.into());
                }
            }
            4 => {
                let told = self.request.clone().header(name, value);
                assert_eq!(told.is_ok(), is_field(name, value) && !is_managed(name));
                if let Ok(request) = told {
                    self.request = request;
                    self.headers.push((name.into(), value.into()));
                }
            }
            5 => {
                let told = Response::new(200).and_then(|response| response.header(name, value));
                assert_eq!(told.is_ok(), is_field(name, value) && !is_framing(name));
                if told.is_ok() {
                    self.response.push((name.into(), value.into()));
                }
            }
            6 => {
                let told = Acceptance::new().header(name, value);
                assert_eq!(told.is_ok(), is_field(name, value) && !is_managed(name));
                if told.is_ok() {
                    self.acceptance.push((name.into(), value.into()));
                }
            }
            _ => {
                let status = u16::try_from(text.len()).unwrap_or_default() * 5;
                let told = Response::new(status);
                assert_eq!(told.is_ok(), (200..=599).contains(&status));
                if told.is_ok() {
                    self.status = status;
                }
                self.body = text.into();
            }
        }
    }

    fn set_url(&mut self, text: &str) {
        let told = text.parse::<Url>();
        assert_eq!(told.is_ok(), Request::new(text).is_ok());
        if let Some(legal) = is_legal_url(text) {
            assert_eq!(told.is_ok(), legal, "{text:?}");
        }
        let Ok(url) = told else { return };
        assert_eq!(url.to_string().parse(), Ok(url.clone()), "{text:?}");
        assert!(!url.host().is_empty() && url.port() != 0);
        assert!(!url.host().bytes().any(|byte| byte.is_ascii_uppercase()));
        assert_eq!(url.resource(), resource(text));
        self.request = self.with_url(url.clone());
        self.url = Some(url);
    }

    /// The same request for another URL.
    fn with_url(&self, url: Url) -> Request {
        let rebuilt = || -> Result<Request, BuildError> {
            let mut request = Request::for_url(url);
            if let Some(host) = &self.host {
                request = request.host(host)?;
            }
            if let Some(origin) = &self.origin {
                request = request.origin(origin)?;
            }
            for name in &self.subprotocols {
                request = request.subprotocol(name)?;
            }
            for (name, value) in &self.headers {
                request = request.header(name, value)?;
            }
            Ok(request)
        };
        rebuilt().unwrap_or_else(|error| panic!("what was taken once is refused: {error}"))
    }

    fn check_request(&self) {
        let mut config = Config::default();
        config.limits.max_headers = usize::MAX;
        config.limits.max_head = usize::MAX;
        let keys = MaskKeys::seeded([7; 32]);
        let mut handshake = Handshake::new(self.request.clone(), config.clone(), keys);
        let length = handshake.outgoing().remaining();
        let bytes = handshake.outgoing().copy_to_bytes(length);

        let url = self.url.clone();
        let url = url.unwrap_or_else(|| self.request.url().clone());
        let line = format!("GET {} HTTP/1.1", url.resource());
        let host = self.host.clone().unwrap_or_else(|| url.authority());
        let mut fields = vec![
            known("Host", &host),
            known("Upgrade", "websocket"),
            known("Connection", "Upgrade"),
            ("Sec-WebSocket-Key".into(), None),
            known("Sec-WebSocket-Version", "13"),
        ];
        if let Some(origin) = &self.origin {
            fields.push(known("Origin", origin));
        }
        if !self.subprotocols.is_empty() {
            let offers = self.subprotocols.join(", ");
            fields.push(known("Sec-WebSocket-Protocol", &offers));
        }
        fields.extend(self.headers.iter().map(|(name, value)| known(name, value)));
        assert_eq!(assert_head(&bytes, &line, &fields), b"");
        assert_received(&bytes, config);
    }

    fn check_response(&self) {
        let mut headers = self.response.iter();
        let response = Response::new(self.status).and_then(|response| {
            let response = response.body(self.body.clone());
            headers.try_fold(response, |response, (name, value)| {
                response.header(name, value)
            })
        });
        let response = response.unwrap_or_else(|error| panic!("{error}"));
        let mut fields: Fields = Vec::new();
        fields.extend(self.response.iter().map(|(name, value)| known(name, value)));
        let upgrades = |(name, _): &(String, String)| name.eq_ignore_ascii_case("Upgrade");
        let close = if self.response.iter().any(upgrades) {
            "close, Upgrade"
        } else {
            "close"
        };
        fields.push(known("Connection", close));
        let has_body = !matches!(self.status, 204 | 304);
        if has_body {
            fields.push(known("Content-Length", &self.body.len().to_string()));
        }
        let bytes = response.to_bytes();
        let line = format!("HTTP/1.1 {} ", self.status);
        let body = assert_head(&bytes, &line, &fields);
        assert_eq!(body, if has_body { self.body.as_bytes() } else { b"" });
    }

    fn check_acceptance(&self) {
        let headers = [
            ("Host", "example.com"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ];
        let request = HttpRequest::new("GET", "/", headers.into_iter().collect());
        let options = server::Options::new(OriginPolicy::any());
        let Ok(Incoming::Upgrade(upgrade)) = Upgrade::negotiate(request, options) else {
            panic!("a plain request is refused");
        };
        let mut headers = self.acceptance.iter();
        let acceptance = headers.try_fold(Acceptance::new(), |acceptance, (name, value)| {
            acceptance.header(name, value)
        });
        let accepted = acceptance.and_then(|acceptance| upgrade.accept(acceptance));
        let mut connection = accepted.unwrap_or_else(|error| panic!("{error}"));
        let length = connection.outgoing().remaining();
        let bytes = connection.outgoing().copy_to_bytes(length);
        let mut fields = vec![
            known("Upgrade", "websocket"),
            known("Connection", "Upgrade"),
            known("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ];
        fields.extend(
            self.acceptance
                .iter()
                .map(|(name, value)| known(name, value)),
        );
        let line = "HTTP/1.1 101 Switching Protocols";
        assert_eq!(assert_head(&bytes, line, &fields), b"");
    }
}

fn known(name: &str, value: &str) -> (String, Option<String>) {
    (name.into(), Some(value.into()))
}

/// Some bytes are one head with exactly these fields, in this order, and nothing in it can be read
/// in two ways. Returns what is behind it.
fn assert_head<'a>(bytes: &'a [u8], line: &str, fields: &Fields) -> &'a [u8] {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = bytes.split_at(end.expect("a head without an end") + 4);
    let plain = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    let head = str::from_utf8(head).expect("a head that is not ASCII");
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap_or_default();
    let reason = start.strip_prefix(line).expect("another start line");
    let words = |byte: u8| byte == b' ' || byte.is_ascii_alphabetic();
    assert!(reason.is_empty() || line.ends_with(' ') && reason.bytes().all(words));
    for (name, value) in fields {
        let line = lines.next().unwrap_or_default();
        assert!(line.as_bytes().iter().all(plain), "{line:?}");
        let (written, rest) = line.split_once(": ").expect("a line without a colon");
        assert_eq!(written, name);
        if let Some(value) = value {
            assert_eq!(rest, value);
        }
    }
    assert_eq!(lines.collect::<Vec<_>>(), ["", ""], "more than was meant");
    body
}

/// Our own server reads the same request, and nothing behind it.
fn assert_received(bytes: &[u8], config: Config) {
    let options = server::Options::new(OriginPolicy::any()).config(config);
    let mut inbox = Inbox::from(bytes);
    let step = server::Handshake::new(options).advance(&mut inbox);
    match step {
        Ok(Step::Done(Incoming::Upgrade(_))) => assert!(inbox.unread().is_empty()),
        other => panic!("our request: {other:?}"),
    }
}

/// Path and query of a legal URL; an empty query goes with its question mark.
fn resource(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let resource = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
    let path = resource
        .strip_suffix('?')
        .filter(|path| !path.contains('?'));
    let resource = path.unwrap_or(resource);
    let slash = if resource.starts_with('/') { "" } else { "/" };
    [slash, resource].concat()
}

/// RFC 9110, 5.6.2.
fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}

fn is_field(name: &str, value: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'\t' | b' '..=b'~');
    let trimmed = value.trim_matches([' ', '\t']);
    is_token(name) && value.bytes().all(plain) && trimmed == value
}

fn is_framing(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(
        &name[..],
        "connection" | "content-length" | "transfer-encoding"
    )
}

fn is_managed(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let own = matches!(&lower[..], "host" | "origin" | "upgrade");
    own || lower.starts_with("sec-websocket-") || is_framing(name)
}

/// What can be said of a URL without parsing it: whether it is plain enough to be legal for sure, or
/// holds what no such URL may.
fn is_legal_url(text: &str) -> Option<bool> {
    let rest = text
        .strip_prefix("ws://")
        .or_else(|| text.strip_prefix("wss://"));
    let lower = text.to_ascii_lowercase();
    if !lower.starts_with("ws://") && !lower.starts_with("wss://") {
        return Some(false);
    }
    let bad = |byte: u8| !byte.is_ascii_graphic() || b"#\\\"<>^`{|}".contains(&byte);
    if text.bytes().any(bad) {
        return Some(false);
    }
    let rest = rest?;
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = path.get(1..).unwrap_or_default();
    let (name, port) = host.split_once(':').unwrap_or((host, "1"));
    if host.contains('@') {
        return Some(false);
    }
    let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
    let plain_name = matches!(name.len(), 1..=63) && letters(name);
    let plain_port = matches!(port.len(), 1..=4) && port.bytes().all(|byte| byte.is_ascii_digit());
    let plain = plain_name && plain_port && letters(path);
    plain.then(|| port.bytes().any(|byte| byte != b'0'))
}
