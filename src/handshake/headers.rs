//! An owned list of header fields, in the order in which they came.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use super::grammar;

/// Header fields in order, with names that compare without regard to case.
///
/// All names and values lie in one buffer. Values are bytes, because that is what a peer may send;
/// [`text`](Self::text) gives those that are UTF-8 as `str`. The list does not check what is put
/// into it and nothing built from it is ever sent; the builders of requests and responses check.
///
/// It can be collected from pairs, so that a request that something else has parsed (another HTTP
/// implementation, HTTP/2, HTTP/3) can be negotiated too.
///
/// ```
/// use fullduplex::handshake::Headers;
///
/// let headers: Headers = [("Host", "example.com"), ("accept", "a"), ("Accept", "b, c")]
///     .into_iter()
///     .collect();
/// assert_eq!(headers.get("host"), Some(&b"example.com"[..]));
/// assert_eq!(headers.get_all("Accept").count(), 2);
/// assert_eq!(headers.elements("accept").last(), Some(&b"c"[..]));
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    bytes: Vec<u8>,
    fields: Vec<Field>,
}

/// Where a field's name and value lie in the buffer.
#[derive(Clone)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

impl Headers {
    /// An empty list.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// How many fields there are, repeated ones counted each time.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The value of the first field of that name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// The value of the first field of that name, where it is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        core::str::from_utf8(self.get(name)?).ok()
    }

    /// The values of all fields of that name.
    pub fn get_all<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a, 'n> {
        self.raw()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The elements of a comma-separated list, over all fields of that name, without empty ones.
    pub fn elements<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a, 'n> {
        self.get_all(name).flat_map(grammar::elements)
    }

    /// All names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        self.raw()
            .map(|(name, value)| (core::str::from_utf8(name).unwrap_or_default(), value))
    }

    /// Adds a field behind the others.
    pub fn append(&mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) {
        let (name, value) = (name.as_ref().as_bytes(), value.as_ref());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.fields.push(Field {
            name: start..middle,
            value: middle..self.bytes.len(),
        });
    }

    pub(super) fn raw(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let slice = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
        self.fields
            .iter()
            .map(move |field| (slice(&field.name), slice(&field.value)))
    }

    /// Copies the header lines once and keeps where `parsed`, which points into them, found them.
    pub(super) fn from_parsed(lines: &[u8], parsed: &[httparse::Header<'_>]) -> Self {
        let base = lines.as_ptr().addr();
        let range = |part: &[u8]| {
            let start = part.as_ptr().addr().saturating_sub(base);
            start..start + part.len()
        };
        let fields = parsed.iter().map(|header| Field {
            name: range(header.name.as_bytes()),
            value: range(header.value),
        });
        Self {
            bytes: lines.to_vec(),
            fields: fields.collect(),
        }
    }

    /// Writes the fields as header lines.
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        for (name, value) in self.raw() {
            write_field(out, name, value);
        }
    }
}

pub(super) fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Extend<(N, V)> for Headers {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, fields: I) {
        for (name, value) in fields {
            self.append(name, value);
        }
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut headers = Self::new();
        headers.extend(fields);
        headers
    }
}

/// Equal when the same names, but for their case, and the same values come in the same order.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .raw()
                .zip(other.raw())
                .all(|(a, b)| a.0.eq_ignore_ascii_case(b.0) && a.1 == b.1)
    }
}

impl Eq for Headers {}

/// Shows names and values, but of fields that carry credentials only the name.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SECRET: [&str; 4] = [
            "authorization",
            "cookie",
            "proxy-authorization",
            "set-cookie",
        ];
        let mut map = f.debug_map();
        for (name, value) in self.iter() {
            if SECRET
                .iter()
                .any(|secret| name.eq_ignore_ascii_case(secret))
            {
                map.entry(&name, &format_args!("(not shown)"));
            } else {
                map.entry(&name, &format_args!("\"{}\"", value.escape_ascii()));
            }
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn values_are_bytes_and_text_where_they_are_utf8() {
        let mut headers = Headers::new();
        assert!(headers.is_empty());
        headers.append("A", b"\xff");
        headers.append("B", "b");
        assert_eq!(headers.get("a"), Some(&b"\xff"[..]));
        assert_eq!(headers.text("a"), None);
        assert_eq!(headers.text("b"), Some("b"));
        assert_eq!(headers.get("c"), None);
        assert_eq!(headers.iter().last(), Some(("B", &b"b"[..])));
    }

    #[test]
    fn credentials_are_not_shown() {
        let headers: Headers = [
            ("Cookie", "s3cret"),
            ("AUTHORIZATION", "s3cret"),
            ("X", "y"),
        ]
        .into_iter()
        .collect();
        let shown = format!("{headers:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("\"X\": \"y\""), "{shown}");
    }

    #[test]
    fn equality_ignores_the_case_of_names_only() {
        let list = |name: &str, value: &str| Headers::from_iter([(name, value)]);
        assert_eq!(list("A", "b"), list("a", "b"));
        assert_ne!(list("A", "b"), list("A", "B"));
        assert_ne!(list("A", "b"), Headers::new());
    }
}
