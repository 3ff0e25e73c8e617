//! The start of an envelope and its header (SOAP 1.2 Part 1 sections 5.1, 5.2 and 2.2 to 2.4).

use std::io::BufRead;

use xml::{Event, Reader};

use crate::addressing::Addressing;
use crate::envelope::{SOAP_12, Version};
use crate::{Error, Result};

/// Roles that whoever answers a request plays (section 2.2).
const OUR_ROLES: [&str; 2] = [
    "http://www.w3.org/2003/05/soap-envelope/role/next",
    "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
];

/// Reads a block in its place: it is shown the start of each that is for the ultimate receiver and not of WS-Addressing. `true`: the block
/// is read, and what was left of it is skipped; `false`: nothing was read.
pub(super) type TakeBlock<'a, R> = &'a mut dyn FnMut(&mut Reader<R>) -> Result<bool>;

/// The header of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The blocks of WS-Addressing.
    pub addressing: Addressing,
    /// All others that are for the ultimate receiver, in their order.
    pub blocks: Vec<Block>,
}

/// A header block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Namespace; a block has one.
    pub namespace: String,
    /// Local name.
    pub local: String,
    /// It must be understood, or the message refused.
    pub must_understand: bool,
    /// The element: it stands alone and declares its namespaces. Empty if whoever read the header has taken it there.
    pub xml: String,
}

impl Header {
    /// The first block with this name.
    pub fn block(&self, namespace: &str, local: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.is(namespace, local))
    }

    /// Refuses a block that must be understood and is none of these, by namespace and local name.
    pub fn check_understood(&self, known: &[(&str, &str)]) -> Result<()> {
        let is_known = |block: &Block| known.iter().any(|(namespace, local)| block.is(namespace, local));
        match self.blocks.iter().find(|block| block.must_understand && !is_known(block)) {
            Some(Block { namespace, local, .. }) => {
                Err(Error::MustUnderstand { namespace: namespace.clone(), local: local.clone() })
            }
            None => Ok(()),
        }
    }

    /// Reads an envelope up to and with the start of its body; `take` reads blocks in their places.
    pub(super) fn read<R: BufRead>(
        reader: &mut Reader<R>,
        most_bytes: usize,
        take: TakeBlock<'_, R>,
    ) -> Result<Self> {
        open_envelope(reader)?;
        let mut header = Header::default();
        let mut next = next_child(reader)?;
        if next == Child::Header {
            // So that no block is read, or skipped, much farther than a header may go.
            reader.limit_ahead(Some(most_bytes as u64));
            header.read_blocks(reader, most_bytes, take)?;
            reader.limit_ahead(None);
            next = next_child(reader)?;
        }
        match next {
            Child::Body => Ok(header),
            _ => Err(Error::Message { rule: "an envelope has one Body, and at most one Header before it" }),
        }
    }

    fn read_blocks<R: BufRead>(
        &mut self,
        reader: &mut Reader<R>,
        most_bytes: usize,
        take: TakeBlock<'_, R>,
    ) -> Result<()> {
        let begin = reader.consumed();
        // What the blocks take in memory, which may be more than on the wire: each repeats its namespace, or all in scope.
        let mut held = 0;
        loop {
            let next = next_child(reader)?;
            if held > most_bytes || reader.consumed() - begin > most_bytes as u64 {
                return Err(Error::Limit { limit: "size of the header" });
            }
            if next == Child::None {
                return Ok(());
            }
            if !self.addressing_takes(reader)? {
                let block = read_block(reader, most_bytes.saturating_sub(held), take)?;
                held += block.as_ref().map_or(0, Block::bytes);
                self.blocks.extend(block);
            }
        }
    }

    fn addressing_takes<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<bool> {
        match is_for_us(reader) {
            true => self.addressing.take(reader),
            false => Ok(false),
        }
    }
}

impl Block {
    /// What it takes in memory.
    fn bytes(&self) -> usize {
        self.namespace.len() + self.local.len() + self.xml.len()
    }

    fn is(&self, namespace: &str, local: &str) -> bool {
        self.namespace == namespace && self.local == local
    }
}

/// Whether the block whose start was read last is meant for the ultimate receiver.
fn is_for_us<R: BufRead>(reader: &Reader<R>) -> bool {
    let role = reader.current().attribute_ns(SOAP_12, "role");
    role.is_none_or(|role| role.is_empty() || OUR_ROLES.contains(&role))
}

/// Reads the block whose start was read last. One for others is passed over.
fn read_block<R: BufRead>(
    reader: &mut Reader<R>,
    most_bytes: usize,
    take: TakeBlock<'_, R>,
) -> Result<Option<Block>> {
    let start = reader.current();
    let namespace = start.namespace().ok_or(Error::Message { rule: "a header block without a namespace" })?;
    let (namespace, local) = (namespace.to_owned(), start.local().to_owned());
    let must_understand = match start.attribute_ns(SOAP_12, "mustUnderstand").map(str::trim) {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return Err(Error::Message { rule: "mustUnderstand is neither true nor false" }),
    };
    if !is_for_us(reader) {
        reader.skip()?;
        return Ok(None);
    }
    let mut block = Block { namespace, local, must_understand, xml: String::new() };
    if !taken(reader, take)? {
        block.xml = reader.copy_element(most_bytes)?;
    }
    Ok(Some(block))
}

/// Whether `take` has read the block whose start was read last. Then its end was read, too.
fn taken<R: BufRead>(reader: &mut Reader<R>, take: TakeBlock<'_, R>) -> Result<bool> {
    let depth = reader.depth();
    let fence = reader.confine();
    let is_taken = take(reader)?;
    while is_taken && reader.depth() >= depth {
        reader.next()?;
    }
    reader.release(fence);
    Ok(is_taken)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Child {
    Header,
    Body,
    Other,
    /// The end of the element.
    None,
}

fn open_envelope<R: BufRead>(reader: &mut Reader<R>) -> Result<()> {
    let Event::Start(start) = reader.next()? else { return Err(NO_ENVELOPE) };
    if start.local() != "Envelope" {
        return Err(NO_ENVELOPE);
    }
    match start.namespace().and_then(Version::of_namespace) {
        Some(Version::Soap12) => Ok(()),
        _ => Err(Error::VersionMismatch),
    }
}

const NO_ENVELOPE: Error = Error::Message { rule: "the root element is no Envelope" };

/// The next child of the innermost open element; only white space may stand between children.
fn next_child<R: BufRead>(reader: &mut Reader<R>) -> Result<Child> {
    loop {
        match reader.next()? {
            Event::Start(start) if start.is(SOAP_12, "Header") => return Ok(Child::Header),
            Event::Start(start) if start.is(SOAP_12, "Body") => return Ok(Child::Body),
            Event::Start(_) => return Ok(Child::Other),
            Event::End | Event::Eof => return Ok(Child::None),
            Event::Text(text) if is_white(text) => {}
            Event::Text(_) => {
                return Err(Error::Message { rule: "text between the elements of an envelope" });
            }
        }
    }
}

pub(super) fn is_white(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}
