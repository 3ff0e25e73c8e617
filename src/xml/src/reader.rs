//! The pull reader. quick-xml finds the tokens of markup; this file adds what well-formedness
//! (XML 1.0, 5th edition) and namespaces ask for beyond that, and reads text by itself, piece by
//! piece, since quick-xml would collect a whole text node in memory.

use crate::declaration::check_declaration;
use crate::error::HERE;
use crate::observer::{Observer, Place};
use crate::source::{PIECE, Position, Source};
use crate::state::{OpenElement, State};
use crate::tag::Start;
use crate::{Error, names};
use quick_xml::errors::{Error as TokenError, IllFormedError, SyntaxError};
use quick_xml::events::Event as Token;
use std::any::Any;
use std::io::BufRead;

mod text;

/// Longest comment, processing instruction or reference, in bytes.
const OTHER_TOKEN_BYTES: usize = 1 << 20;
const CDATA_START: &[u8] = b"<![CDATA[";
const CDATA_END: &[u8] = b"]]>";

/// How large a document and its parts may be. More is refused with [`Error::Limit`], except text,
/// which comes in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Elements within elements.
    pub depth: usize,
    /// Attributes and namespace declarations of one element.
    pub attributes: usize,
    /// Bytes of one start tag.
    pub attribute_bytes: usize,
    /// Bytes of one [`Event::Text`]; a longer text comes as several events.
    pub text_bytes: usize,
    /// Bytes of the document.
    pub total_bytes: u64,
    /// Distinct names and namespaces of the document.
    pub names: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            depth: 200,
            attributes: 256,
            attribute_bytes: 64 * 1024,
            text_bytes: 64 * 1024,
            total_bytes: 16 << 30,
            names: 10_000,
        }
    }
}

/// A part of a document. Comments and processing instructions are left out; an empty-element tag
/// is a start and an end.
pub enum Event<'a> {
    /// An element begins.
    Start(Start<'a>),
    /// The innermost open element ends.
    End,
    /// Text between two tags, in one piece up to [`Limits::text_bytes`]: references resolved, line
    /// ends normalised, CDATA sections merged.
    Text(&'a str),
    /// The document has ended well. Further calls yield the same.
    Eof,
}

/// A part of a document, as [`Reader::next_node`] gives it: an [`Event`], or what stands between events.
pub enum Node<'a> {
    /// An element begins.
    Start(Start<'a>),
    /// The innermost open element ends.
    End,
    /// Text between two other nodes, like [`Event::Text`].
    Text(&'a str),
    /// A comment, without `<!--` and `-->`.
    Comment(&'a str),
    /// A processing instruction.
    Instruction {
        /// Its target.
        target: &'a str,
        /// What follows the white space behind the target, up to `?>`.
        data: &'a str,
    },
    /// The document has ended well.
    Eof,
}

/// A limit that [`Reader::confine`] set; whoever holds it can lift it.
pub struct Fence {
    before: usize,
    was_observed: bool,
}

/// What the current event is; its data stands in the reader.
#[derive(Clone, Copy)]
enum Kind {
    Start,
    End,
    /// Text that still lies in the source: its length.
    TextInSource(usize),
    TextCollected,
    Comment,
    /// The length of its target.
    Instruction(usize),
    Eof,
}

/// A strict, streaming reader of XML 1.0 with namespaces.
pub struct Reader<R: BufRead> {
    tokens: quick_xml::Reader<Source<R>>,
    token: Vec<u8>,
    text: String,
    state: State,
    limits: Limits,
    observer: Option<Box<dyn Observer>>,
    /// Bytes of the source that the last event lent out.
    lent: usize,
    /// Comments and processing instructions are wanted, too.
    with_markup: bool,
    /// Elements less deep have ended for whoever reads; see [`Reader::confine`].
    floor: usize,
    /// The element that is passed over; see [`Reader::hiding`].
    hidden: Option<u64>,
    in_cdata: bool,
    /// Literal `]` at the end of the text just read, at most two: a `>` must not follow.
    brackets: usize,
    /// The last tag was an empty-element tag: its end comes next.
    end_is_due: bool,
    started: bool,
    failed: bool,
    finished: bool,
}

impl<R: BufRead> Reader<R> {
    /// A reader over a document.
    pub fn new(input: R, mut limits: Limits) -> Self {
        // A piece has room for one character of four bytes.
        limits.text_bytes = limits.text_bytes.max(4);
        let mut tokens = quick_xml::Reader::from_reader(Source::new(input, limits.total_bytes));
        tokens.config_mut().check_comments = true;
        Reader {
            tokens,
            token: Vec::new(),
            text: String::new(),
            state: State::new(limits.names),
            limits,
            observer: None,
            lent: 0,
            with_markup: false,
            floor: 0,
            hidden: None,
            in_cdata: false,
            brackets: 0,
            end_is_due: false,
            started: false,
            failed: false,
            finished: false,
        }
    }

    /// Lets `observer` see every event from now on, before the caller does.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observer = Some(observer);
    }

    /// Takes the observer back.
    pub fn take_observer<O: Observer>(&mut self) -> Option<Box<O>> {
        let observer: Box<dyn Any> = self.observer.take()?;
        observer.downcast().ok()
    }

    /// The next event. After an error every call fails.
    #[allow(clippy::should_implement_trait)] // An Iterator cannot lend.
    pub fn next(&mut self) -> Result<Event<'_>, Error> {
        let kind = self.step(false)?;
        Ok(match kind {
            Kind::Start => Event::Start(Start::new(&self.state)),
            Kind::End => Event::End,
            Kind::TextInSource(length) => Event::Text(self.tokens.get_ref().buffered_text(length)),
            Kind::TextCollected => Event::Text(&self.text),
            // The other two do not come unless they are asked for.
            Kind::Eof | Kind::Comment | Kind::Instruction(_) => Event::Eof,
        })
    }

    /// The next event, comment or processing instruction; these end a text, and come from outside of
    /// the root element, too.
    pub fn next_node(&mut self) -> Result<Node<'_>, Error> {
        let kind = self.step(true)?;
        Ok(match kind {
            Kind::Start => Node::Start(Start::new(&self.state)),
            Kind::End => Node::End,
            Kind::TextInSource(length) => Node::Text(self.tokens.get_ref().buffered_text(length)),
            Kind::TextCollected => Node::Text(&self.text),
            Kind::Comment => Node::Comment(&self.text),
            Kind::Instruction(length) => {
                let (target, rest) = self.text.split_at_checked(length).unwrap_or_default();
                Node::Instruction { target, data: rest.trim_start_matches([' ', '\t', '\n']) }
            }
            Kind::Eof => Node::Eof,
        })
    }

    /// Makes the end of the innermost open element the end of what can be read: behind it come only
    /// [`Event::Eof`]s until the fence is given to [`Reader::release`].
    pub fn confine(&mut self) -> Fence {
        let depth = self.depth();
        let was_observed = self.observer.is_some();
        Fence { before: std::mem::replace(&mut self.floor, depth), was_observed }
    }

    /// Lifts the limit that [`Reader::confine`] set. An observer that came since then sees no more.
    pub fn release(&mut self, fence: Fence) {
        self.floor = fence.before;
        if !fence.was_observed {
            self.observer = None;
        }
    }

    /// This reader, passing over the element with this ordinal (see [`Start::ordinal`]): it is checked
    /// all the same, but nothing of it comes.
    pub fn hiding(mut self, ordinal: u64) -> Self {
        self.hidden = Some(ordinal);
        self
    }

    /// Whether the document is broken or its source has failed: then nothing more can be read.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// The open elements, the root first; right after an end the ended one is not among them.
    pub fn open_elements(&self) -> impl Iterator<Item = OpenElement<'_>> {
        self.state.open_elements()
    }

    /// Where the last event begins.
    pub fn position(&self) -> Position {
        self.tokens.get_ref().position()
    }

    /// Byte offset behind the last event that was no text.
    pub fn consumed(&self) -> u64 {
        self.tokens.get_ref().consumed()
    }

    /// Bytes taken from the input so far; some may not have come as events yet.
    pub fn bytes_taken(&self) -> u64 {
        self.tokens.get_ref().taken()
    }

    /// Number of open elements: the one just begun counts, the one just ended does not.
    pub fn depth(&self) -> usize {
        self.state.depth()
    }

    /// Path of the innermost element, such as `/a/b[2]/c` (the second `b`, by local name). Right
    /// after an end it is still that element's. Beyond 64 distinct names among siblings the number
    /// is left out.
    pub fn path(&self) -> String {
        self.state.path()
    }

    /// The start tag that was read last, as [`Reader::next`] gave it.
    pub fn current(&self) -> Start<'_> {
        Start::new(&self.state)
    }

    /// Lets at most so many bytes of the document come from here on, and up to 64 KiB that are read ahead; `None`: as many as
    /// [`Limits::total_bytes`] says.
    pub fn limit_ahead(&mut self, bytes: Option<u64>) {
        let total = self.limits.total_bytes;
        let most = bytes.map_or(total, |bytes| total.min(self.consumed() + bytes + PIECE as u64));
        self.source().set_total_limit(most);
    }

    fn source(&mut self) -> &mut Source<R> {
        self.tokens.get_mut()
    }

    fn tell_observer(&mut self, kind: Kind) {
        // Lines are counted once for each element only.
        if let Kind::Start = kind {
            let line = self.position().line;
            self.state.open.last_mut().into_iter().for_each(|open| open.line = line);
        }
        let line = self.state.open.last().map_or(0, |open| open.line);
        let Some(observer) = self.observer.as_mut() else {
            return;
        };
        let place = Place { line, state: &self.state };
        match kind {
            Kind::Start => observer.start(&Start::new(&self.state), place),
            Kind::End => observer.end(place),
            Kind::TextInSource(length) => observer.text(self.tokens.get_ref().buffered_text(length), place),
            Kind::TextCollected => observer.text(&self.text, place),
            Kind::Eof if !std::mem::replace(&mut self.finished, true) => observer.finish(),
            Kind::Eof | Kind::Comment | Kind::Instruction(_) => {}
        }
    }

    /// One step within the fence and past what is hidden.
    fn step(&mut self, with_markup: bool) -> Result<Kind, Error> {
        if self.failed {
            let line = self.position().line;
            return Err(Error::Syntax { line, rule: "reading went on after an error" });
        }
        if self.depth() < self.floor {
            return Ok(Kind::Eof);
        }
        self.with_markup = with_markup;
        let kind = match self.advance_visibly() {
            Ok(kind) => kind,
            Err(error) => {
                self.failed = true;
                return Err(error.at(self.position().line));
            }
        };
        if self.observer.is_some() {
            self.tell_observer(kind);
        }
        Ok(kind)
    }

    fn advance_visibly(&mut self) -> Result<Kind, Error> {
        let kind = self.advance()?;
        match self.hidden {
            None => Ok(kind),
            Some(ordinal) => self.pass_over(ordinal, kind),
        }
    }

    /// `kind`, or what comes behind the hidden element if it begins there.
    #[cold]
    fn pass_over(&mut self, hidden: u64, mut kind: Kind) -> Result<Kind, Error> {
        while matches!(kind, Kind::Start) && self.current().ordinal() == hidden {
            let depth = self.depth();
            while self.depth() >= depth {
                self.advance()?;
            }
            kind = self.advance()?;
        }
        Ok(kind)
    }

    // Once for each event: as a call of its own it shows.
    #[inline]
    fn advance(&mut self) -> Result<Kind, Error> {
        if !self.started {
            self.begin()?;
        }
        let lent = std::mem::take(&mut self.lent);
        self.source().skip(lent);
        self.state.leave();
        if std::mem::take(&mut self.end_is_due) {
            self.state.closing = true;
            return Ok(Kind::End);
        }
        self.source().set_mark();
        if let Some(kind) = self.read_text_run()? {
            return Ok(kind);
        }
        self.source().set_mark();
        if self.source().ready()?.is_empty() {
            return self.end_of_document();
        }
        self.read_tag()
    }

    fn end_of_document(&mut self) -> Result<Kind, Error> {
        let line = self.source().line();
        if self.state.depth() > 0 {
            return Err(Error::Truncated { line });
        }
        if !self.state.seen_root {
            return Err(Error::Syntax { line, rule: "there is no root element" });
        }
        Ok(Kind::Eof)
    }

    /// A comment, the beginning of a CDATA section, or a DOCTYPE, which is refused before it is read.
    /// A comment that is wanted is returned, after the text before it.
    fn read_declaration(&mut self) -> Result<Option<Kind>, Error> {
        let inside = self.state.depth() > 0;
        let source = self.tokens.get_mut();
        let line = source.line();
        let bytes = source.at_least(CDATA_START.len())?;
        if bytes.starts_with(CDATA_START) {
            if !inside {
                return Err(outside_root(line));
            }
            source.skip(CDATA_START.len());
            self.in_cdata = true;
            return Ok(None);
        }
        if bytes.len() >= 3 && bytes[2].eq_ignore_ascii_case(&b'D') {
            return Err(Error::Doctype { line });
        }
        if self.with_markup && !self.text.is_empty() {
            return Ok(Some(Kind::TextCollected));
        }
        let with_markup = self.with_markup;
        let comment = match self.next_token(OTHER_TOKEN_BYTES)? {
            Token::Comment(comment) => with_markup.then(|| comment.to_string()),
            _ => return Err(Error::Syntax { line, rule: "unknown markup" }),
        };
        let Some(comment) = comment else { return Ok(None) };
        self.text = comment;
        Ok(Some(Kind::Comment))
    }

    /// A processing instruction; it is returned like a comment.
    fn read_instruction(&mut self) -> Result<Option<Kind>, Error> {
        let line = self.source().line();
        if self.with_markup && !self.text.is_empty() {
            return Ok(Some(Kind::TextCollected));
        }
        let with_markup = self.with_markup;
        let wanted = match self.next_token(OTHER_TOKEN_BYTES)? {
            Token::PI(instruction) => {
                let target = instruction.target();
                if !names::is_ncname(target) || target.eq_ignore_ascii_case("xml") {
                    return Err(Error::Syntax { line, rule: "a processing instruction has a bad name" });
                }
                with_markup.then(|| (instruction.to_string(), target.len()))
            }
            _ => return Err(Error::Syntax { line, rule: "an XML declaration that is not at the beginning" }),
        };
        let Some((instruction, target)) = wanted else { return Ok(None) };
        self.text = instruction;
        Ok(Some(Kind::Instruction(target)))
    }

    /// The beginning of the document: byte order mark and XML declaration (XML 1.0 section 2.8).
    fn begin(&mut self) -> Result<(), Error> {
        self.started = true;
        self.source().skip_bom()?;
        let bytes = self.source().at_least(6)?;
        if !bytes.starts_with(b"<?xml") || !bytes[5..].first().is_some_and(u8::is_ascii_whitespace) {
            return Ok(());
        }
        match self.next_token(OTHER_TOKEN_BYTES)? {
            Token::Decl(declaration) => check_declaration(&declaration[3..]),
            _ => Err(Error::Syntax { line: 1, rule: "the XML declaration is malformed" }),
        }
    }

    fn read_tag(&mut self) -> Result<Kind, Error> {
        let line = HERE;
        self.token.clear();
        self.tokens.get_mut().allow_token(self.limits.attribute_bytes.max(1));
        let token = self.tokens.read_event_into(&mut self.token);
        let (tag, is_empty) = match token {
            Ok(Token::Start(tag)) => (tag, false),
            Ok(Token::Empty(tag)) => (tag, true),
            Ok(Token::End(_)) => {
                self.state.closing = true;
                return Ok(Kind::End);
            }
            Ok(_) => return Err(Error::Syntax { line, rule: "unknown markup" }),
            Err(error) => return Err(token_error(error, self.tokens.get_mut(), line)),
        };
        if self.state.seen_root && self.state.depth() == 0 {
            return Err(Error::Syntax { line, rule: "there is more than one root element" });
        }
        if tag.len() > self.limits.attribute_bytes {
            return Err(Error::Limit { line, limit: "size of a tag or comment" });
        }
        self.state.read_tag(tag.name().as_ref(), tag.attributes_raw(), &self.limits)?;
        self.end_is_due = is_empty;
        Ok(Kind::Start)
    }

    fn next_token(&mut self, limit: usize) -> Result<Token<'_>, Error> {
        self.token.clear();
        self.tokens.get_mut().allow_token(limit);
        match self.tokens.read_event_into(&mut self.token) {
            Ok(token) => Ok(token),
            Err(error) => {
                let line = self.tokens.get_ref().line();
                Err(token_error(error, self.tokens.get_mut(), line))
            }
        }
    }
}

fn outside_root(line: u64) -> Error {
    Error::Syntax { line, rule: "text outside the root element" }
}

fn token_error<R: BufRead>(error: TokenError, source: &mut Source<R>, line: u64) -> Error {
    let syntax = |rule| Error::Syntax { line, rule };
    match error {
        TokenError::Io(_) => source.take_fault(),
        TokenError::Encoding(_) => Error::Encoding { line },
        TokenError::IllFormed(IllFormedError::UnclosedReference) => Error::Entity { line },
        TokenError::IllFormed(IllFormedError::DoubleHyphenInComment) => syntax("-- in a comment"),
        TokenError::IllFormed(_) => syntax("an end tag does not match the open element"),
        TokenError::Syntax(SyntaxError::InvalidBangMarkup) => syntax("malformed markup"),
        // All others are about markup that is not closed before the input ends.
        TokenError::Syntax(_) => Error::Truncated { line },
        _ => syntax("malformed markup"),
    }
}
