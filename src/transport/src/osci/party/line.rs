//! Orders to an intermediary within one explicit dialog (OSCI-Transport 1.2, section 3.3), over HTTP.

use std::io;

use ::osci::client::{Answered, Client, Dialog, NewOrder};
use ::osci::code::Code;
use ::osci::content::write::NewContent;
use ::osci::intermediary::backend::Call;
use ::osci::message::{Answer, Body, Certificates};
use ::osci::transport::Limits;
use ::osci::{Error, Result};
use model::Failure;
use seal::algorithm::Policy;
use seal::identity::Identity;
use tokio::runtime::Handle;

use super::vetting::Vetting;
use super::{Line, Party, random};
use crate::osci::callee::Callee;

/// What all lines have in common.
pub(super) struct Lines {
    pub(super) callee: Callee,
    pub(super) limits: Limits,
    pub(super) policy: Policy,
    pub(super) vetting: Vetting,
    pub(super) runtime: Handle,
}

/// Why an order has no answer that can be believed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nothing was sent.
    NotReached,
    /// Something was sent, and no whole answer came.
    NoAnswer,
    /// A fault, which nobody signs.
    Fault(Code),
    /// An answer that is not in order.
    Answer(Error),
    /// The order could not be made.
    Order(Error),
    /// A certificate of the intermediary is no longer good. Nothing was sent.
    Certificate(Failure),
}

/// A dialog. Ended by [`Session::close`]; dropped, it is left to its time-out.
pub(super) struct Session<'a> {
    client: Client<'a>,
    lines: &'a Lines,
    url: &'a str,
    dialog: Option<Dialog>,
}

impl<'a> Session<'a> {
    /// Opens a dialog of an authority, as the owner of one of its cipher certificates.
    pub(super) fn open(
        lines: &'a Lines,
        line: &'a Line,
        party: &'a Party,
        cipher: &'a Identity,
    ) -> std::result::Result<Self, Trouble> {
        for certificate in [&line.certificate].into_iter().chain(&line.answers_by) {
            lines.vetting.demand(certificate).map_err(Trouble::Certificate)?;
        }
        let client = Client {
            cipher,
            signer: Some((&party.signer, party.method)),
            intermediary: Some(&line.certificate),
            answers_by: line.answers_by.as_ref(),
            policy: lines.policy,
            limits: lines.limits.clone(),
            random: &random,
        };
        let mut session = Session { client, lines, url: &line.url, dialog: None };
        let answered = session.order(&NewOrder::InitDialog, Certificates::default(), None)?;
        match (said(&answered).1, session.dialog.is_some()) {
            (None, true) => Ok(session),
            (Some(code), _) => Err(Trouble::Fault(code)),
            (None, false) => Err(Trouble::Answer(Error::Refused(Code::DIALOG))),
        }
    }

    /// Gives an order and takes the answer, whatever it says.
    pub(super) fn order(
        &mut self,
        order: &NewOrder,
        certificates: Certificates,
        content: Option<&NewContent>,
    ) -> std::result::Result<Answered, Trouble> {
        let ordered =
            self.client.order(self.dialog.as_ref(), order, certificates, content).map_err(Trouble::Order)?;
        let call = self.lines.runtime.block_on(self.lines.callee.call_known(self.url, &ordered.package));
        let answer = match call.map_err(Trouble::Order)? {
            Call::Answered(answer) => answer,
            Call::NotReached => return Err(Trouble::NotReached),
            Call::Unknown => return Err(Trouble::NoAnswer),
        };
        let answered = self.client.answer(&ordered, answer.open()).map_err(|error| match error {
            Error::Refused(code) => Trouble::Fault(code),
            error => Trouble::Answer(error),
        })?;
        self.dialog.clone_from(&answered.dialog);
        Ok(answered)
    }

    /// Ends the dialog. What becomes of that is of no interest: the intermediary forgets it by itself.
    pub(super) fn close(mut self) {
        if let Err(trouble) = self.order(&NewOrder::ExitDialog, Certificates::default(), None) {
            tracing::debug!(?trouble, "a dialog was not ended");
        }
    }
}

/// What an answer says, and the code of its feedback if the order was not carried out. The last entry decides.
pub(super) fn said(answered: &Answered) -> (Option<&Answer>, Option<Code>) {
    let Body::Answer(answer) = &answered.message.body else { return (None, Some(Code::ORDER_INTERNAL)) };
    let refused = !answered.message.was_carried_out();
    let last = answer.feedback.last().and_then(|entry| Code::parse(&entry.code));
    (Some(answer), refused.then(|| last.unwrap_or(Code::ORDER_INTERNAL)))
}

/// Runs something that blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::Io(io::ErrorKind::Other.into()))
}
