//! The content of a delivery as its readers see it: OSCI-Transport 1.2, section 4.1.3 (ContentPackage,
//! ContentContainer). Containers are opened with the reader's keys, and the signatures of their authors verified; a
//! container is given out only if each of its signatures is right and covers all that is in it.

mod attachments;
mod draft;
mod verify;
pub mod write;

use seal::algorithm::{BlockCipher, Policy};
use seal::identity::Identity;
use seal::x509::Certificate;
use seal::xmldsig::{Elements, Survey};
use seal::xmlenc::{ContentKey, Plaintext};
use xml::Start;

use crate::message::Message;
use crate::names::{OSCI, XENC};
use crate::package::Package;
use crate::transport::Limits;
use crate::{Error, Result};
use draft::{Draft, DraftPart};

/// Containers within each other, encrypted or not.
const NESTING: usize = 16;

/// A container that was opened and verified.
#[derive(Debug)]
pub struct Container {
    /// Its `Id`.
    pub id: String,
    /// Who signed it. Whether they are to be trusted is another question.
    pub authors: Vec<Certificate>,
    /// What is in it.
    pub parts: Vec<Part>,
}

/// Something in a container, or in the package itself.
#[derive(Debug)]
pub enum Part {
    /// Content within the XML.
    Inline {
        /// Its `Id`.
        id: String,
        /// Its bytes.
        bytes: Plaintext,
    },
    /// Content in a part of the MIME package; see [`Reader::open_attachment`].
    Attachment(Attached),
    /// A container.
    Container(Container),
    /// A container that was encrypted for us; what is in it.
    Opened(Vec<Part>),
    /// A container that is encrypted for others.
    Locked,
}

/// Content in a part of the MIME package.
#[derive(Debug, Clone)]
pub struct Attached {
    /// `Id` of the content.
    pub id: String,
    /// Content-ID of the part.
    pub content_id: String,
    /// Cipher, length of the IV and key, if the part is encrypted.
    pub(crate) key: Option<(BlockCipher, usize, ContentKey)>,
}

/// Somebody who reads a delivery.
pub struct Reader<'a> {
    /// The package.
    pub package: &'a Package,
    /// Its message, verified.
    pub message: &'a Message,
    /// The reader's key pairs.
    pub keys: &'a [Identity],
    /// Which algorithms are taken.
    pub policy: &'a Policy,
    /// How much is taken.
    pub limits: &'a Limits,
}

impl Reader<'_> {
    /// Opens and verifies everything that is for this reader.
    ///
    /// # Errors
    /// [`Error::Malformed`] or [`Error::Security`] if something is not as it should be: then nothing may be used.
    pub fn read(&self) -> Result<Vec<Part>> {
        self.document(&self.package.xml, in_package, 0)
    }

    /// Reads the containers of one XML: the message's own, or one that was encrypted.
    fn document(
        &self,
        xml: &Plaintext,
        choose: fn(usize, &Start<'_>) -> bool,
        depth: usize,
    ) -> Result<Vec<Part>> {
        if depth == NESTING {
            return Err(Error::Malformed("containers lie too deep in each other"));
        }
        let limits = xml::Limits { total_bytes: self.limits.package, ..xml::Limits::default() };
        let survey = Survey::read(xml.open(), limits)?;
        let mut elements = Elements::unverified(xml.open(), limits, choose);
        let mut drafts = Vec::new();
        while let Some(mut element) = elements.next()? {
            drafts.push(self.draft(element.reader()?)?);
        }
        verify::Document { reader: self, survey: &survey, xml }.release(drafts, depth)
    }

    /// An attachment's bytes, decrypted if it was encrypted.
    ///
    /// # Errors
    /// If it is not there or cannot be decrypted.
    pub fn open_attachment(&self, attached: &Attached) -> Result<Plaintext> {
        attachments::open(self, attached)
    }
}

/// Children of the ContentPackage: Envelope, Body, ContentPackage, and these.
fn in_package(depth: usize, start: &Start<'_>) -> bool {
    depth == 4 && (start.is(OSCI, "ContentContainer") || start.is(XENC, "EncryptedData"))
}

/// The root of what was encrypted.
fn root(depth: usize, start: &Start<'_>) -> bool {
    depth == 1 && start.is(OSCI, "ContentContainer")
}

impl DraftPart {
    fn is_attachment_key(&self) -> bool {
        matches!(self, DraftPart::AttachmentKey { .. })
    }
}

impl Draft {
    /// The key of a part of the package, if one of the container's is for it.
    fn key_of(&self, wanted: &str) -> Option<(BlockCipher, usize, ContentKey)> {
        self.parts.iter().find_map(|part| match part {
            DraftPart::AttachmentKey { content_id, cipher, iv_bytes, key } if content_id == wanted => {
                Some((*cipher, *iv_bytes, key.clone()))
            }
            _ => None,
        })
    }
}
