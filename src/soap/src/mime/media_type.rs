//! The value of Content-Type (RFC 2045 section 5.1). Comments and the continuations of RFC 2231 are
//! not read: no sender of the field writes them.

use crate::{Error, Result};

/// Most parameters of one media type.
const PARAMETERS: usize = 32;

/// A media type with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Reads the value of a Content-Type header. An unquoted parameter may hold any character but white
    /// space, `;` and `"`: senders write boundaries with `/` and `+` and types with `/` that way.
    pub fn parse(value: &str) -> Result<Self> {
        let (essence, mut rest) = value.split_at(value.find(';').unwrap_or(value.len()));
        let essence = trim(essence);
        let is_token = |token: &str| !token.is_empty() && token.bytes().all(is_token_byte);
        if !essence.split_once('/').is_some_and(|(kind, name)| is_token(kind) && is_token(name)) {
            return Err(Error::Syntax { rule: "a media type is no media type" });
        }
        let mut media_type = MediaType { essence: essence.to_ascii_lowercase(), parameters: Vec::new() };
        while let Some(parameter) = rest.strip_prefix(';') {
            rest = trim(parameter);
            // A semicolon at the end.
            if rest.is_empty() {
                break;
            }
            rest = media_type.take_parameter(rest)?;
        }
        match rest.is_empty() {
            true => Ok(media_type),
            false => Err(PARAMETER),
        }
    }

    /// Type and subtype in lower case, such as `text/xml`.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// The value of a parameter, whose name may be given in any case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let is_it = |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
        self.parameters.iter().find(is_it).map(|(_, value)| value.as_str())
    }

    /// Takes one parameter off the front and returns the rest, from the next semicolon on.
    fn take_parameter<'a>(&mut self, text: &'a str) -> Result<&'a str> {
        let (name, value) = text.split_once('=').ok_or(PARAMETER)?;
        let (name, value) = (trim(name), trim(value));
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(PARAMETER);
        }
        if self.parameter(name).is_some() {
            return Err(Error::Syntax { rule: "a parameter stands twice" });
        }
        if self.parameters.len() == PARAMETERS {
            return Err(Error::Limit { limit: "number of parameters" });
        }
        let (value, rest) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => unquoted(value)?,
        };
        self.parameters.push((name.to_owned(), value));
        Ok(rest)
    }
}

const PARAMETER: Error = Error::Syntax { rule: "a parameter of a media type is malformed" };

/// The value up to the closing quote, and what follows.
fn unquote(quoted: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Ok((value, trim(&quoted[at + 1..]))),
            '\\' => value.push(characters.next().ok_or(PARAMETER)?.1),
            c => value.push(c),
        }
    }
    Err(PARAMETER)
}

fn unquoted(text: &str) -> Result<(String, &str)> {
    let (value, rest) = text.split_at(text.find(';').unwrap_or(text.len()));
    let value = trim(value);
    if value.is_empty() || value.contains([' ', '\t', '"']) {
        return Err(PARAMETER);
    }
    Ok((value.to_owned(), rest))
}

/// RFC 2045 section 5.1, `token`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
