//! The answer to an order: its XML, our signature, and the envelope of encryption if the order came in one
//! (OSCI-Transport 1.2, sections 3.2, 4.1 and 5).

use std::io::Write;

use seal::xmlenc::Plaintext;
use soap::fault::Fault;
use soap::mime::{self, Boundary, NewPart};

use super::backend::{Backend, Dialog};
use super::{CIPHER, Intermediary, OAEP, Receiver, dialog};
use crate::Result;
use crate::code::{Code, Level};
use crate::content::write::NewContent;
use crate::letter::{Carried, Handed, Letter};
use crate::message::{Answer, Body, Certificates, Chunk, Feedback, IntermediaryCertificates, Message, Named};
use crate::names::{Kind, OSCI, Order};
use crate::transport::{Limits, Sealing};

/// `Id` of our signature certificate in an answer.
const SIGNER: &str = "intermed_signature";

/// What is answered.
pub(super) struct Said {
    pub(super) answer: Answer,
    /// A delivery that is handed out.
    pub(super) handed: Option<Handed>,
    /// A chunk of one.
    pub(super) chunk: Option<NewContent>,
    /// The order that is answered, if not the one that came.
    pub(super) order: Option<Order>,
    language: &'static str,
}

impl Said {
    pub(super) fn only(codes: &[Code], language: &'static str) -> Self {
        let (answer, handed, chunk, order) = (Answer::default(), None, None, None);
        Said { answer, handed, chunk, order, language }.and(codes)
    }

    /// The same with further entries of feedback. What was told already is not told again.
    pub(super) fn and(mut self, codes: &[Code]) -> Self {
        for entry in codes.iter().map(|code| Feedback::of(*code, self.language)) {
            if !self.answer.feedback.contains(&entry) {
                self.answer.feedback.push(entry);
            }
        }
        self
    }

    /// The answer; of chunks it says something, whatever went wrong.
    fn answer(&self, order: &Message) -> Answer {
        let mut answer = self.answer.clone();
        let nothing = Chunk { number: Some(0), total_chunks: Some(0), ..Chunk::default() };
        match order.kind.order().filter(|_| self.order.is_none()) {
            Some(Order::PartialStoreDelivery) => {
                answer.chunk.get_or_insert(Chunk { received: Some(Vec::new()), ..nothing });
            }
            Some(Order::PartialFetchDelivery) => {
                answer.chunk.get_or_insert(Chunk { total_chunks: None, ..nothing });
            }
            _ => {}
        }
        answer
    }

    fn carried(&self) -> Carried<'_> {
        let chunk = self.chunk.as_ref().map(Carried::Own);
        self.handed.as_ref().map(Carried::Handed).or(chunk).unwrap_or(Carried::Nothing)
    }
}

impl<B: Backend> Intermediary<B> {
    /// The answer as a package, encrypted if there is somebody to encrypt it for.
    pub(super) fn reply_to(
        &self,
        order: &Message,
        dialog: Option<&Dialog>,
        receiver: Option<Receiver>,
        said: Said,
    ) -> Result<Plaintext> {
        let settings = &self.settings;
        // Who speaks of chunks must say what he can do.
        let features = order.features.is_some() || order.kind.order().is_some_and(Order::is_partial);
        let signer = Named { id: SIGNER.to_owned(), certificate: settings.signer.certificate().clone() };
        let message = Message {
            kind: said.order.or(order.kind.order()).map_or(order.kind, Kind::Answer),
            control: dialog::answer(&self.backend, order, dialog)?,
            languages: Vec::new(),
            time_stamps: Vec::new(),
            body: Body::Answer(Box::new(said.answer(order))),
            intermediary: IntermediaryCertificates { cipher: None, signature: Some(signer) },
            certificates: Certificates::default(),
            features: features.then(|| settings.features.clone()),
            custom: Vec::new(),
            content: None,
            namespaces: Vec::new(),
        };
        let letter = Letter {
            message: &message,
            carried: said.carried(),
            signer: Some((&settings.signer, settings.method, SIGNER)),
            limits: &settings.limits,
        };
        let boundary = Boundary::from_random(self.backend.random()?);
        let Some(receiver) = receiver else { return letter.write(boundary) };
        let sealing = Sealing {
            receiver: &receiver.certificate,
            cipher: CIPHER,
            oaep: OAEP,
            knows_short_iv: receiver.knows_short_iv,
        };
        let outer = Boundary::from_random(self.backend.random()?);
        letter.write_sealed(boundary, &sealing, &settings.policy, outer)
    }
}

/// A SOAP fault as a package: never encrypted, never signed.
pub(crate) fn fault(random: [u8; 24], code: Code, limits: &Limits) -> Result<Plaintext> {
    let whose = match code.level() {
        Level::ServerFault => soap::fault::Code::Receiver,
        _ => soap::fault::Code::Sender,
    };
    let mut fault = Fault::new(whose, code.text("de"));
    fault.detail = format!("<osci:Code xmlns:osci=\"{OSCI}\">{code}</osci:Code>");
    let boundary = Boundary::from_random(random);
    let mut writer = mime::Writer::osci(limits.staging(), boundary)?;
    writer.begin(&NewPart::osci_message())?;
    let mut xml = Vec::new();
    fault.write(soap::envelope::Version::Soap11, &mut xml)?;
    writer.write_all(&xml)?;
    Ok(writer.finish()?.finish())
}
