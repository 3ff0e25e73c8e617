//! What the header of a request says: who calls, and the metadata of a message. Its blocks are read where they stand, before it is known
//! what they are for, and judged when they are asked for.

use std::io::{self, BufRead};

use xml::Reader;

use crate::deviations::{Deviations, Rules};
use crate::model::{MetaData, Party, Version};
use crate::v3::names::META;
use crate::v5::names::{CORE, current};
use crate::{Error, Result, v3, v5};

/// What the blocks of a header say.
pub(super) struct Said {
    version: Version,
    /// `Author` in version 3, `Party` in version 5.
    pub(super) party: Block<Party>,
    /// `MessageMetaData`.
    pub(super) meta: Block<MetaData>,
}

/// A block, if it is there, or what is wrong with it.
pub(super) struct Block<T>(Option<Result<Read<T>>>);

/// What was read, by rules that were not known yet.
pub(super) struct Read<T> {
    /// What it says.
    pub(super) value: T,
    deviations: Deviations,
}

impl Said {
    pub(super) fn new(version: Version) -> Self {
        Said { version, party: Block(None), meta: Block(None) }
    }

    /// Takes the block whose start was read last; those that are not known are skipped.
    ///
    /// # Errors
    /// If the document is broken, or its source fails.
    pub(super) fn take<R: BufRead>(&mut self, reader: &mut Reader<R>) -> soap::Result<()> {
        let start = reader.current();
        match (self.version, start.namespace().map(current), start.local()) {
            (Version::V3, Some(META), "Author") => self.party.take(reader, v3::metadata::read_party),
            (Version::V3, Some(META), "MessageMetaData") => self.meta.take(reader, v3::metadata::read),
            (Version::V5, Some(CORE), "Party") => {
                self.party.take(reader, |reader, _| v5::metadata::read_party(reader))
            }
            (Version::V5, Some(CORE), "MessageMetaData") => self.meta.take(reader, v5::metadata::read),
            _ => Ok(()),
        }
    }
}

impl<T> Block<T> {
    /// What is wrong with a block is not told before it is asked for; a document that cannot be read on, at once.
    fn take<R: BufRead>(
        &mut self,
        reader: &mut Reader<R>,
        read: impl FnOnce(&mut Reader<R>, &Deviations) -> Result<T>,
    ) -> soap::Result<()> {
        // Of two, others could read the other one.
        if self.0.is_some() {
            self.0 = Some(Err(Error::Malformed("a header block stands twice")));
            return Ok(());
        }
        let deviations = Deviations::default();
        self.0 = match (read(reader, &deviations), reader.has_failed()) {
            (Ok(value), _) => Some(Ok(Read { value, deviations })),
            (Err(error), false) => Some(Err(error)),
            (Err(Error::Xml(error)), true) => return Err(error.into()),
            (Err(error), true) => return Err(io::Error::from(error).into()),
        };
        Ok(())
    }

    /// What it says, if it is there; it is asked for once.
    ///
    /// # Errors
    /// What is wrong with it by any rules; that it stands twice.
    pub(super) fn said(&mut self) -> Result<Option<Read<T>>> {
        self.0.take().transpose()
    }
}

impl<T> Read<T> {
    /// What it says, if it follows the rules.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub(super) fn judged(self, rules: Rules) -> Result<T> {
        self.deviations.judge(rules)?;
        Ok(self.value)
    }
}
