//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455, section 9.1), in both directions.
//!
//! A value is a list of extensions, each a token followed by parameters; a parameter is a token
//! with or without a value, and a value is a token or a quoted string that is a token once it is
//! unescaped. What the names mean is not known here: see the `deflate` module for the one
//! extension that this crate speaks.
//!
//! The grammar is written in the notation of RFC 2616, where white space may stand between any two
//! words or separators, so it is skipped around `;`, `,` and `=` as well. Peers use the freedom:
//! some write a space after the semicolon, others do not.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::grammar::is_token_byte;

/// One element of the list: an extension's name and its parameters, in the order written.
///
/// ```
/// use fullduplex::handshake::extension::parse_extensions;
///
/// let list = parse_extensions(br#"x-mux; channels=4; "#.trim_ascii_end());
/// assert!(list.is_err()); // A semicolon promises a parameter.
///
/// let list = parse_extensions(br#"x-mux;channels="4", permessage-deflate"#)?;
/// assert_eq!(list[0].name, "x-mux");
/// assert_eq!(list[0].params[0].value.as_deref(), Some("4"));
/// assert_eq!(list[1].name, "permessage-deflate");
/// # Ok::<(), fullduplex::handshake::extension::MalformedExtensions>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extension<'a> {
    /// The registered name, as it was written: names are compared octet by octet.
    pub name: &'a str,
    /// The parameters, duplicates and unknown ones included.
    pub params: Vec<Param<'a>>,
}

/// One parameter of an [`Extension`].
///
/// ```
/// use fullduplex::handshake::extension::Extension;
///
/// let offer = Extension::new("permessage-deflate").with("client_max_window_bits", None);
/// assert_eq!(offer.params[0].name, "client_max_window_bits");
/// assert_eq!(offer.params[0].value, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Param<'a> {
    /// The parameter's name.
    pub name: &'a str,
    /// Its value after unescaping, if one was given. The quoted and the plain form are equal.
    pub value: Option<Cow<'a, str>>,
}

/// A value that breaks the grammar; either side must then fail the handshake (RFC 6455, 9.1).
///
/// ```
/// use fullduplex::handshake::extension::parse_extensions;
///
/// let error = parse_extensions(b"x-mux; channels=").unwrap_err();
/// assert_eq!(error.to_string(), "malformed extension list at octet 16");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed extension list at octet {at}")]
#[non_exhaustive]
pub struct MalformedExtensions {
    /// Where in the header line's value the grammar was left.
    pub at: usize,
}

/// Parses the value of one `Sec-WebSocket-Extensions` header line.
///
/// A request may spread the list over several lines; their elements, concatenated in order, are
/// the whole list. Empty elements are skipped, as RFC 9110, section 5.6.1 asks of a recipient,
/// but there must be one that is not empty, as the `1#` of the grammar demands.
///
/// Takes time linear in the length of the value.
///
/// # Errors
///
/// [`MalformedExtensions`] if the value does not match the grammar, for instance if a quoted value
/// is not a token once unescaped.
///
/// # Examples
///
/// ```
/// use fullduplex::handshake::extension::parse_extensions;
///
/// let list = parse_extensions(b"permessage-deflate;client_max_window_bits=15")?;
/// assert_eq!(list.len(), 1);
/// assert_eq!(list[0].to_string(), "permessage-deflate; client_max_window_bits=15");
/// # Ok::<(), fullduplex::handshake::extension::MalformedExtensions>(())
/// ```
pub fn parse_extensions(value: &[u8]) -> Result<Vec<Extension<'_>>, MalformedExtensions> {
    let mut list: Vec<Extension<'_>> = Vec::new();
    walk(value, |word| match word {
        Word::Name(name) => list.push(Extension::new(name)),
        Word::Param(param) => {
            if let Some(extension) = list.last_mut() {
                extension.params.push(param);
            }
        }
    })?;
    Ok(list)
}

/// Parses the value and keeps nothing.
pub(super) fn check_extensions(value: &[u8]) -> Result<(), MalformedExtensions> {
    walk(value, |_| {})
}

/// What a list consists of: each extension's name, and behind it its parameters.
enum Word<'a> {
    Name(&'a str),
    Param(Param<'a>),
}

fn walk<'a>(value: &'a [u8], mut each: impl FnMut(Word<'a>)) -> Result<(), MalformedExtensions> {
    let mut scanner = Scanner { value, at: 0 };
    let mut empty = true;
    loop {
        scanner.skip_whitespace();
        if scanner.eat(b',') {
            continue;
        }
        if scanner.at_end() {
            break;
        }
        each(Word::Name(scanner.token()?));
        empty = false;
        scanner.skip_whitespace();
        while scanner.eat(b';') {
            each(Word::Param(scanner.param()?));
            scanner.skip_whitespace();
        }
        if !scanner.at_end() && !scanner.eat(b',') {
            return Err(scanner.malformed());
        }
    }
    if empty {
        return Err(scanner.malformed());
    }
    Ok(())
}

impl<'a> Extension<'a> {
    /// An extension without parameters.
    ///
    /// The name must be a token: what is printed from it is not checked.
    pub fn new(name: &'a str) -> Self {
        Self {
            name,
            params: Vec::new(),
        }
    }

    /// The same with one parameter more.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: Option<Cow<'a, str>>) -> Self {
        self.params.push(Param { name, value });
        self
    }
}

/// Prints the extension as it stands in a header; a list is joined with `, `.
impl fmt::Display for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for param in &self.params {
            write!(f, "; {}", param.name)?;
            if let Some(value) = &param.value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// A position in a header value.
struct Scanner<'a> {
    value: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a [u8] {
        self.value.get(self.at..).unwrap_or_default()
    }

    fn at_end(&self) -> bool {
        self.rest().is_empty()
    }

    fn eat(&mut self, octet: u8) -> bool {
        let found = self.rest().first() == Some(&octet);
        self.at += usize::from(found);
        found
    }

    fn skip_whitespace(&mut self) {
        self.at += count(self.rest(), |octet| matches!(octet, b' ' | b'\t'));
    }

    fn token(&mut self) -> Result<&'a str, MalformedExtensions> {
        let token = self.take(count(self.rest(), is_token_byte))?;
        if token.is_empty() {
            return Err(self.malformed());
        }
        Ok(token)
    }

    /// What follows the semicolon.
    fn param(&mut self) -> Result<Param<'a>, MalformedExtensions> {
        self.skip_whitespace();
        let name = self.token()?;
        self.skip_whitespace();
        let value = if self.eat(b'=') {
            self.skip_whitespace();
            Some(if self.eat(b'"') {
                self.quoted()?
            } else {
                Cow::Borrowed(self.token()?)
            })
        } else {
            None
        };
        Ok(Param { name, value })
    }

    /// The rest of a quoted string, whose opening quote is behind us.
    fn quoted(&mut self) -> Result<Cow<'a, str>, MalformedExtensions> {
        let plain = self.take(count(self.rest(), is_token_byte))?;
        if !plain.is_empty() && self.eat(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        // Each round takes at least one octet, and every octet is looked at twice at most.
        let mut value = String::from(plain);
        while !self.eat(b'"') {
            if self.eat(b'\\') {
                let octet = self.rest().first().copied();
                let Some(escaped) = octet.filter(|octet| is_token_byte(*octet)) else {
                    return Err(self.malformed());
                };
                value.push(char::from(escaped));
                self.at += 1;
            } else {
                value.push_str(self.token()?);
            }
        }
        if value.is_empty() {
            return Err(self.malformed());
        }
        Ok(Cow::Owned(value))
    }

    fn take(&mut self, count: usize) -> Result<&'a str, MalformedExtensions> {
        let taken = self.rest().get(..count).unwrap_or_default();
        let text = core::str::from_utf8(taken).map_err(|_| self.malformed())?;
        self.at += count;
        Ok(text)
    }

    fn malformed(&self) -> MalformedExtensions {
        MalformedExtensions { at: self.at }
    }
}

fn count(octets: &[u8], accepts: impl Fn(u8) -> bool) -> usize {
    octets
        .iter()
        .position(|octet| !accepts(*octet))
        .unwrap_or(octets.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn printed(value: &str) -> Option<String> {
        let list = parse_extensions(value.as_bytes()).ok()?;
        let elements: Vec<String> = list.iter().map(ToString::to_string).collect();
        Some(elements.join(", "))
    }

    /// R6455-9.1-01: the order of the elements and of their parameters is kept.
    #[test]
    fn lists_keep_their_order() {
        let list = parse_extensions(b"b; y; x=1; y, a, b").unwrap();
        assert_eq!(
            list,
            vec![
                Extension::new("b")
                    .with("y", None)
                    .with("x", Some("1".into()))
                    .with("y", None),
                Extension::new("a"),
                Extension::new("b"),
            ]
        );
    }

    /// R6455-4.3-01: what the grammar allows, as it is printed again.
    #[test]
    fn legal_values_are_parsed() {
        let pmd = "permessage-deflate";
        for (value, expected) in [
            ("a", "a"),
            (" a\t", "a"),
            ("a;b", "a; b"),
            ("a ; b = c ,\td", "a; b=c, d"),
            (r#"a;b="c""#, "a; b=c"),
            (r#"a;b="c\d\e""#, "a; b=cde"),
            (r#"a;b="\c""#, "a; b=c"),
            (r#"a;b= "cd" ;e"#, "a; b=cd; e"),
            (",a,, ,b,", "a, b"),
            ("constructor, __proto__", "constructor, __proto__"),
            ("!#$%&'*+-.^_`|~;0=1", "!#$%&'*+-.^_`|~; 0=1"),
            (pmd, pmd),
        ] {
            assert_eq!(printed(value).as_deref(), Some(expected), "{value}");
        }
    }

    /// R6455-4.3-01: what it does not allow, the quoted value that is no token among it.
    #[test]
    fn malformed_values_are_refused() {
        for value in [
            "",
            " ",
            ",",
            " , ,",
            ";",
            "=",
            "a;",
            "a; ",
            "a;;b",
            "a;,b",
            "a b",
            "a;b c",
            "a;b=",
            "a;b=,c",
            "a;b==c",
            "a;=c",
            "a=b",
            "\"a\"",
            "a;\"b\"",
            r#"a;b=""#,
            r#"a;b="""#,
            r#"a;b="c"#,
            r#"a;b="c\"#,
            r#"a;b="c\""#,
            r#"a;b="c d""#,
            r#"a;b="c\ d""#,
            r#"a;b="c\"d""#,
            r#"a;b="c"d"#,
            r#"a;b=c"d""#,
            r#"a;b="c,d""#,
            "a;b=\"\u{e9}\"",
            "\u{e9}",
            "a;b=c/d",
            "a\r\nb",
            "a\0",
        ] {
            assert_eq!(printed(value), None, "{value:?}");
        }
    }

    /// R6455-4.3-01: octets that are no UTF-8 are malformed and nothing worse.
    #[test]
    fn any_octet_may_come() {
        for octet in 0..=u8::MAX {
            let accepted = is_token_byte(octet);
            assert_eq!(
                parse_extensions(&[b'a', octet]).is_ok(),
                accepted || b" \t,".contains(&octet)
            );
            assert_eq!(parse_extensions(&[b'a', b';', octet]).is_ok(), accepted);
            assert_eq!(
                parse_extensions(&[b'a', b';', b'b', b'=', b'"', b'\\', octet, b'"']).is_ok(),
                accepted
            );
        }
    }

    /// H3: the parser looks at every octet a bounded number of times, so that a long value costs no
    /// more per octet than a short one. Quadratic work on these would take minutes.
    #[test]
    fn long_values_take_linear_time() {
        let n = 1 << 20;
        let invalid = [r#"a;b=""#, &r"\\".repeat(n)].concat();
        assert_eq!(parse_extensions(invalid.as_bytes()).unwrap_err().at, 6);
        let escaped = [r#"a;b=""#, &r"\c".repeat(n), "\""].concat();
        assert_eq!(printed(&escaped).map(|value| value.len()), Some(n + 5));
        let unterminated = [r#"a;b=""#, &"c".repeat(n)].concat();
        assert_eq!(
            parse_extensions(unterminated.as_bytes()).unwrap_err().at,
            n + 5
        );
        let spaces = ["a", &" ".repeat(n), "b"].concat();
        assert_eq!(parse_extensions(spaces.as_bytes()).unwrap_err().at, n + 1);
        assert_eq!(
            printed(&[&",".repeat(n), "a"].concat()).as_deref(),
            Some("a")
        );
        assert_eq!(printed(&",".repeat(n)), None);
    }
}
