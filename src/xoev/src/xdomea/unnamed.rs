//! Files of a container that no record names. They belong to the message alone; their list is kept as a
//! file of JSON lines, because there may be as many of them as a container holds.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};

use model::PayloadRef;
use model::standard::Intake;

use crate::Error;

/// Name and payload.
pub(crate) type Unnamed = (String, PayloadRef);

/// Stores the list; nothing if it is empty.
pub(crate) fn store(
    files: impl Iterator<Item = Unnamed>,
    intake: &mut dyn Intake,
) -> Result<Option<PayloadRef>, Error> {
    let mut files = files.peekable();
    if files.peek().is_none() {
        return Ok(None);
    }
    Ok(Some(intake.file("message.files.jsonl", &mut Lines { files, line: VecDeque::new() })?))
}

/// Reads the list one file at a time.
pub(crate) fn each(
    content: &mut dyn Read,
    mut then: impl FnMut(Unnamed) -> Result<(), Error>,
) -> Result<(), Error> {
    for line in BufReader::new(content).lines() {
        then(serde_json::from_str(&line?).map_err(|_| Error::Extension)?)?;
    }
    Ok(())
}

/// The list as it is read, one line in memory.
struct Lines<I> {
    files: I,
    line: VecDeque<u8>,
}

impl<I: Iterator<Item = Unnamed>> Read for Lines<I> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.line.is_empty()
            && let Some(file) = self.files.next()
        {
            self.line.extend(serde_json::to_vec(&file)?);
            self.line.push_back(b'\n');
        }
        self.line.read(into)
    }
}
