//! Stand-in for the grammar of `Sec-WebSocket-Extensions`, until the real one is merged.
#![allow(dead_code, unreachable_pub)]

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::grammar::{is_token, trim};

pub struct Extension<'a> {
    pub name: &'a str,
    pub params: Vec<Param<'a>>,
}

pub struct Param<'a> {
    pub name: &'a str,
    pub value: Option<Cow<'a, str>>,
}

#[derive(Debug)]
pub struct MalformedExtensions;

pub fn parse_extensions(value: &[u8]) -> Result<Vec<Extension<'_>>, MalformedExtensions> {
    let token = |bytes| match core::str::from_utf8(trim(bytes)) {
        Ok(text) if is_token(text.as_bytes()) => Ok(text),
        _ => Err(MalformedExtensions),
    };
    let mut extensions = Vec::new();
    for element in super::grammar::elements(value) {
        let mut parts = element.split(|&byte| byte == b';');
        let name = token(parts.next().unwrap_or_default())?;
        let mut params = Vec::new();
        for part in parts {
            let mut halves = part.splitn(2, |&byte| byte == b'=');
            let name = token(halves.next().unwrap_or_default())?;
            let value = halves
                .next()
                .map(|value| token(value).map(Cow::Borrowed))
                .transpose()?;
            params.push(Param { name, value });
        }
        extensions.push(Extension { name, params });
    }
    if extensions.is_empty() {
        Err(MalformedExtensions)
    } else {
        Ok(extensions)
    }
}
