//! The passive recipient: an intermediary hands a delivery over and waits (AcceptDelivery, ProcessDelivery:
//! OSCI-Transport 1.2, sections 4.2.3 and 4.2.4). It is accepted once it is durably taken in.

use std::io::{Read, Write};

use ::osci::code::Code;
use ::osci::content::write::NewContent;
use ::osci::message::{Body, Certificates, IntermediaryCertificates};
use ::osci::recipient::{self, Recipient, Reply};
use ::osci::transport::receivers;
use ::osci::{Error, Result};
use model::{Actor, Caller, Message, Role, Scope};
use seal::algorithm::Policy;
use seal::x509::Certificate;
use seal::xmlenc::{Plaintext, Staging};

use super::acknowledgement;
use super::arrivals::Delivered;
use super::line::Lines;
use super::unpack::Rule;
use super::{Parties, Party, random};
use crate::osci::door::Host;

/// Authorities that may be called.
pub(super) struct Called {
    parties: Parties,
}

impl Called {
    /// `None` if nobody may call.
    pub(super) fn new(parties: Parties) -> Option<Self> {
        parties.0.recipient.as_ref()?;
        Some(Called { parties })
    }

    /// The door itself, as the broker counts its bodies.
    pub(super) fn door(&self) -> Option<Caller> {
        let (authorities, _) = self.parties.0.recipient.as_ref()?;
        let party = authorities.iter().find_map(|authority| self.parties.0.own.get(authority))?;
        Some(Caller {
            actor: Actor { kind: "gateway".to_owned(), id: "osci-recipient".to_owned() },
            roles: vec![Role::System],
            scope: Scope::tenant(&party.tenant),
            authority: None,
        })
    }

    /// The authority that a call is encrypted for. Nobody is called in the clear: anybody could read along.
    fn party(&self, call: &Plaintext) -> Result<(&Party, &[Certificate])> {
        let (authorities, intermediaries) =
            self.parties.0.recipient.as_ref().ok_or(Error::Refused(Code::NOT_OUR_KEY))?;
        let receivers = receivers(call.open(), &self.parties.0.lines.limits)?;
        if receivers.is_empty() {
            return Err(Error::Refused(Code::NO_ORDER));
        }
        let is_meant = |party: &&Party| party.cipher.iter().any(|own| receivers.contains(own.certificate()));
        let parties = authorities.iter().filter_map(|authority| self.parties.0.own.get(authority));
        let party = parties.map(AsRef::as_ref).find(is_meant).ok_or(Error::Refused(Code::NOT_OUR_KEY))?;
        Ok((party, intermediaries))
    }

    fn answer_or_fault(&self, call: &mut dyn Read) -> Result<Plaintext> {
        let lines = &self.parties.0.lines;
        let mut staging = Staging::new(lines.limits.memory, lines.limits.package);
        copy(call, &mut staging)?;
        let call = staging.finish();
        let (party, intermediaries) = self.party(&call)?;
        let recipient = Recipient {
            cipher: &party.cipher,
            signer: &party.signer,
            method: party.method,
            intermediaries,
            policy: Policy::default(),
            limits: lines.limits.clone(),
            random: &random,
        };
        let called = recipient.take(call.open())?;
        let caller = called.message.intermediary.signature.as_ref();
        let doubt = caller.map_or(Ok(None), |named| lines.vetting.refuses(&named.certificate))?;
        let Some(message) = self.take(party, &called, doubt) else {
            return recipient.answer(&called, Code::RECIPIENT_INTERNAL, None);
        };
        let said = match called.message.body {
            Body::Process { .. } => said(lines, party, &called, &message),
            _ => None,
        };
        let reply = said.as_ref().map(|(content, certificates)| Reply {
            content,
            subject: None,
            certificates: certificates.clone(),
        });
        recipient.answer(&called, Code::DIALOG_CLOSED, reply)
    }

    /// What the call became; nothing if our own store fails.
    fn take(&self, party: &Party, called: &recipient::Called, doubt: Option<Rule>) -> Option<Message> {
        let card = match &called.message.body {
            Body::Accept(card) => Some(card),
            Body::Process { card, .. } => card.as_ref(),
            _ => None,
        };
        let intermediary = intermediary(&called.message.intermediary);
        let delivered = Delivered {
            party,
            intermediary: &intermediary,
            package: &called.package,
            message: &called.message,
            message_id: card
                .map_or_else(|| without_id(&called.message.control.challenge), |it| it.message_id.clone()),
            answers: None,
            doubt,
        };
        match self.parties.0.arrivals.take(&self.parties.0.lines, &delivered) {
            Ok(message) => Some(message),
            Err(error) => {
                tracing::warn!(code = error.code(), "a delivery was not accepted");
                None
            }
        }
    }
}

/// The content of the answer to a request. It has arrived in any case: without content the intermediary tells that (9806).
fn said(
    lines: &Lines,
    party: &Party,
    called: &recipient::Called,
    message: &Message,
) -> Option<(NewContent, Certificates)> {
    let made = acknowledgement::content(lines, party, &called.message, message);
    made.inspect_err(|error| tracing::warn!(code = error.code(), "a request was not acknowledged")).ok()
}

impl Host for Called {
    fn answer(&self, order: &mut dyn Read) -> Result<Plaintext> {
        match self.answer_or_fault(order) {
            Err(Error::Refused(code)) => recipient::fault(code, &self.parties.0.lines.limits, random()),
            outcome => outcome,
        }
    }

    fn fault(&self) -> Result<Plaintext> {
        recipient::fault(Code::INTERNAL, &self.parties.0.lines.limits, random())
    }
}

/// Who calls, by its certificate; the signature was verified against those that may.
fn intermediary(certificates: &IntermediaryCertificates) -> String {
    let named = certificates.cipher.as_ref().or(certificates.signature.as_ref());
    named.map(|named| named.certificate.fingerprint().to_owned()).unwrap_or_default()
}

/// A request without protocol has no id. Its challenge is its intermediary's own.
fn without_id(challenge: &Option<String>) -> String {
    format!("challenge.{}", challenge.as_deref().unwrap_or_default())
}

/// What breaks off is no message.
fn copy(call: &mut dyn Read, staging: &mut Staging) -> Result<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let count = call.read(&mut piece).map_err(|_| Error::Refused(Code::NO_MESSAGE))?;
        let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else { return Ok(()) };
        staging.write_all(read)?;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use seal::algorithm::{DigestMethod, Scheme, SignatureMethod};
    use seal::identity::Identity;

    use super::*;
    use crate::osci::party::PartySettings;
    use crate::test_ca::TestCa;
    use crate::test_house::{Gateway, SetClock, soest};

    fn party() -> Party {
        let ca = TestCa::build();
        let read = |name: &str| std::fs::read(ca.path().join(name)).unwrap();
        let identity = || Identity::from_pem(&[read("good.key"), read("good.pem")].concat(), "").unwrap();
        Party {
            tenant: "soest".to_owned(),
            authority: soest(),
            cipher: vec![identity()],
            signer: identity(),
            method: SignatureMethod { scheme: Scheme::RsaPkcs1, digest: DigestMethod::Sha256 },
        }
    }

    #[tokio::test]
    async fn nobody_is_called_in_the_clear() {
        let clock = Arc::new(SetClock::default());
        let Gateway { broker, folder: _folder } = Gateway::on(None, clock.clone()).await;
        let recipient = Some((vec![soest()], vec![]));
        let settings = PartySettings { own: vec![party()], recipient, ..PartySettings::default() };
        let called = Called::new(Parties::new(&broker, settings, clock).unwrap()).unwrap();
        let clear = "MIME-Version: 1.0\r\nContent-Type: Multipart/Related; boundary=b; type=text/xml\r\n\r\n--b\r\n\
            Content-Type: text/xml; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\
            Content-ID: <osci@message>\r\n\r\n\
            <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"></s:Envelope>\r\n--b--\r\n";
        let mut staging = Staging::new(1 << 16, 1 << 20);
        staging.take(clear.as_bytes()).unwrap();
        let refused = called.party(&staging.finish()).map(|_| ());
        assert!(matches!(refused, Err(Error::Refused(Code::NO_ORDER))), "{refused:?}");
    }
}
