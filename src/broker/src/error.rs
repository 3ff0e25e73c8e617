//! Why the broker did not do what it was asked.

use model::{Failure, FailureKind};

/// Why the broker did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A rule of the case model refuses.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// The store failed or a precondition did not hold.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Evidence could not be sealed or written.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// A standard or directory failed.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The idempotency key was used for something else.
    #[error("the key was used for another request")]
    KeyReused,
    /// The same request was carried out before, and its answer was a secret that is kept nowhere.
    #[error("the answer was given once and is kept nowhere")]
    AnswerNotKept {
        /// What had come into being.
        subject: model::Id,
    },
    /// The message's own id was used with other bytes.
    #[error("this message id was used with other content")]
    IdReused,
    /// Mended bytes belong to another message than the one that came.
    #[error("the content is another message")]
    OtherMessage,
    /// The message has been at that authority, or was sent by it.
    #[error("the message has been at this authority")]
    ForwardLoop,
    /// More bytes than allowed.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The scanner says that the content is harmful.
    #[error("the content is harmful")]
    Harmful,
    /// The body broke off.
    #[error("the body ended early")]
    Interrupted,
    /// The bytes do not have the digest that the sender announced.
    #[error("the content does not have the announced digest")]
    DigestMismatch,
    /// No directory knows the authority.
    #[error("no directory knows this authority")]
    UnknownAuthority,
    /// A file of directory entries is not as it should be.
    #[error("not a file of directory entries of this version; look at {place}")]
    DirectoryDocument {
        /// Where it is wrong.
        place: String,
    },
    /// The recipient reads no version that can be written.
    #[error("the recipient reads no version of a standard that can be written")]
    NoCommonStandard,
    /// The caller acts for no authority, so it has no mailbox.
    #[error("the token belongs to no authority")]
    NoAuthority,
    /// The unit is not one of the tenant's.
    #[error("there is no such unit")]
    UnknownUnit,
    /// No adapter carries dispatches of this way for the records' unit and service.
    #[error("no adapter carries dispatches of this way here")]
    UnknownWay,
    /// This way carries documents, and a notice without any makes no letter.
    #[error("this way carries documents alone")]
    NoLetter,
    /// An inbox entry is not the caller's to confirm or return (any more).
    #[error("the lease of the inbox entry is not the caller's or has run out")]
    NotLeased,
    /// The token has as many subscriptions as it may have.
    #[error("the token has too many subscriptions")]
    TooManySubscriptions,
    /// Time stamps are overdue, and the house takes nothing in without them.
    #[error("time stamps over the evidence are overdue")]
    TimeStampOverdue,
    /// A content has been erased or quarantined.
    #[error("the content is not available")]
    ContentUnavailable,
    /// The disk has no room for the body.
    #[error("the disk has no room for this")]
    DiskFull,
    /// The token or its tenant has too many requests under way.
    #[error("too many requests are under way")]
    TooManyRequests,
    /// Too many bodies, or bytes of them, are under way.
    #[error("too many bodies are under way")]
    TooManyBodies,
    /// Too many accepted messages of the tenant wait for their processing.
    #[error("too many accepted messages wait")]
    TooManyWaiting,
    /// A part of an upload does not begin where the upload stands.
    #[error("the upload stands at another offset")]
    UploadOffset {
        /// Where it stands, in bytes.
        offset: u64,
    },
    /// An upload has more or fewer bytes than was announced, or was announced differently before.
    #[error("the upload does not have the announced length")]
    UploadLength,
    /// Another request goes on with the upload.
    #[error("another request goes on with the upload")]
    UploadSuperseded,
    /// Too many uploads, or bytes of them, are under way.
    #[error("too many uploads are under way")]
    UploadQuota,
    /// What was kept of an upload is lost.
    #[error("what was kept of the upload is lost")]
    UploadLost,
    /// A conversation has ended, or another request went on with it.
    #[error("the conversation is not as the request expects it")]
    ConversationChanged,
    /// A chosen id is taken.
    #[error("this id is taken")]
    RelayIdTaken,
    /// A message id was not issued here to whoever uses it, was used before, or its time is over.
    #[error("this message id may not be used")]
    TicketRefused,
    /// Too much waits in the mailbox.
    #[error("too much waits in the mailbox")]
    MailboxFull,
    /// The gateway takes no payments.
    #[error("no payments are configured")]
    PaymentsNotConfigured,
    /// No account of the tenant fits, or several do and none was named.
    #[error("no account fits, or several do: name one")]
    NoAccount,
    /// The account has no provider for online payments.
    #[error("the account has no provider for online payments")]
    NoProvider,
    /// Another payment towards the claim is open.
    #[error("another payment towards this claim is under way")]
    PaymentUnderWay {
        /// The payment.
        payment: model::Id,
    },
    /// The provider does not offer this.
    #[error("the payment provider does not offer this")]
    PaymentNotOffered,
    /// Another claim has the Kassenzeichen.
    #[error("another claim has this Kassenzeichen")]
    ReferenceTaken,
    /// The account has no bank account.
    #[error("the account has no bank account")]
    NoBankAccount,
    /// The claim has no Kassenzeichen yet.
    #[error("the claim has no Kassenzeichen yet")]
    NoCashReference,
    /// The payer may not be sent on to this address.
    #[error("the payer may not be sent on to this address")]
    ReturnHost,
    /// The account's numbers are used up.
    #[error("the numbers of the account are used up")]
    NumbersUsedUp,
    /// There are no citizens' pages.
    #[error("no pages for citizens are configured")]
    CitizensNotConfigured,
    /// Number and secret of a citizen do not belong together, or the session is over.
    #[error("number and secret do not belong together, or the session is over")]
    CitizenRefused,
    /// Somebody has tried too often.
    #[error("this was tried too often")]
    CitizenLater,
    /// What a link was made for is over, or it never was one.
    #[error("the link is not valid, or not any more")]
    LinkOver,
    /// A file is none of those that are taken.
    #[error("files of this type are not taken")]
    FileType,
    /// The house wants a second person for this.
    #[error("a second person has to agree")]
    ApprovalNeeded,
    /// It was decided before, or its time is over.
    #[error("this was decided before, or its time is over")]
    ApprovalOver,
    /// Nobody has agreed that the content may be read, or the time is over.
    #[error("the content is not released, or not any more")]
    NotReleased,
    /// Login, password or code are not right, or signing in is barred for now: which of them nobody is told.
    #[error("login, password or code are not right, or signing in is barred for now")]
    SignInRefused,
    /// Too many are signing in at once.
    #[error("too many are signing in at once")]
    SignInLater,
    /// An initial secret is none, was used, or its time is over; or what was begun with it was not ended in time.
    #[error("the initial secret is not valid, or not any more")]
    SetUpOver,
    /// A password has fewer than twelve characters, or hardly any different ones.
    #[error("the password is too short or too uniform")]
    PasswordShort,
    /// A password holds the login or the name.
    #[error("the password holds the login or the name")]
    PasswordPersonal,
    /// Many people have this password, or it is the one before.
    #[error("the password is a common one, or the one before")]
    PasswordCommon,
    /// A code is not the one of this time, or was used.
    #[error("the code is not the one of this time, or was used")]
    CodeWrong,
    /// The roles of the user need codes.
    #[error("the roles of this user need codes")]
    CodesNeeded,
    /// Somebody else has this login.
    #[error("somebody else has this login")]
    LoginTaken,
    /// Nobody changes the own rights.
    #[error("nobody changes the own rights")]
    OwnRights,
    /// It gives rights to a user: a second person has to agree.
    #[error("a second person has to agree to this change of a user")]
    UserNeedsApproval,
    /// A thread of the gateway ended unexpectedly.
    #[error("an internal task ended unexpectedly")]
    Internal,
}

impl Error {
    /// Stable code, documented under `docs/errors/`.
    pub fn code(&self) -> &str {
        match self {
            Error::Model(error) => error.code(),
            Error::Store(error) => error.code(),
            Error::Seal(error) => error.code(),
            Error::Failure(failure) => &failure.code,
            Error::KeyReused => "broker.key-reused",
            Error::AnswerNotKept { .. } => "broker.answer-not-kept",
            Error::IdReused => "broker.id-reused",
            Error::OtherMessage => "broker.other-message",
            Error::ForwardLoop => "broker.forward-loop",
            Error::TooLarge { .. } => "broker.too-large",
            Error::Harmful => "virus.found",
            Error::Interrupted => "broker.interrupted",
            Error::DigestMismatch => "broker.digest-mismatch",
            Error::UnknownAuthority => "broker.unknown-authority",
            Error::DirectoryDocument { .. } => "directory.document",
            Error::NoCommonStandard => "broker.no-common-standard",
            Error::NoAuthority => "broker.no-authority",
            Error::UnknownUnit => "broker.unknown-unit",
            Error::UnknownWay => "broker.unknown-way",
            Error::NoLetter => "broker.no-letter",
            Error::NotLeased => "broker.not-leased",
            Error::TooManySubscriptions => "webhook.too-many",
            Error::TimeStampOverdue => "broker.time-stamp-overdue",
            Error::ContentUnavailable => "broker.content-unavailable",
            Error::DiskFull => "broker.disk-full",
            Error::TooManyRequests => "broker.too-many-requests",
            Error::TooManyBodies => "broker.too-many-bodies",
            Error::TooManyWaiting => "broker.too-many-waiting",
            Error::UploadOffset { .. } => "broker.upload-offset",
            Error::UploadLength => "broker.upload-length",
            Error::UploadSuperseded => "broker.upload-superseded",
            Error::UploadQuota => "broker.upload-quota",
            Error::UploadLost => "broker.upload-lost",
            Error::ConversationChanged => "relay.conversation-changed",
            Error::RelayIdTaken => "relay.id-taken",
            Error::TicketRefused => "relay.ticket-refused",
            Error::MailboxFull => "relay.mailbox-full",
            Error::PaymentsNotConfigured => "payment.not-configured",
            Error::NoAccount => "payment.no-account",
            Error::NoProvider => "payment.no-provider",
            Error::PaymentUnderWay { .. } => "payment.under-way",
            Error::PaymentNotOffered => "payment.not-offered",
            Error::ReferenceTaken => "payment.reference-taken",
            Error::NoBankAccount => "payment.no-bank-account",
            Error::NoCashReference => "payment.no-cash-reference",
            Error::ReturnHost => "payment.return-host",
            Error::NumbersUsedUp => "payment.numbers-used-up",
            Error::CitizensNotConfigured => "citizen.not-configured",
            Error::CitizenRefused => "citizen.refused",
            Error::CitizenLater => "citizen.later",
            Error::LinkOver => "citizen.link-over",
            Error::FileType => "citizen.file-type",
            Error::ApprovalNeeded => "broker.approval-needed",
            Error::ApprovalOver => "broker.approval-over",
            Error::NotReleased => "broker.not-released",
            Error::SignInRefused => "user.refused",
            Error::SignInLater => "user.later",
            Error::SetUpOver => "user.set-up-over",
            Error::PasswordShort => "user.password-short",
            Error::PasswordPersonal => "user.password-personal",
            Error::PasswordCommon => "user.password-common",
            Error::CodeWrong => "user.code-wrong",
            Error::CodesNeeded => "user.codes-needed",
            Error::LoginTaken => "user.login-taken",
            Error::OwnRights => "user.own-rights",
            Error::UserNeedsApproval => "user.needs-approval",
            Error::Internal => "broker.internal",
        }
    }

    /// Whether it is nothing that the caller can mend: the store or something else of the gateway fails.
    pub fn is_ours(&self) -> bool {
        match self {
            Error::Store(error) => !matches!(
                error,
                store::Error::NotFound { .. }
                    | store::Error::Erased
                    | store::Error::Nul
                    | store::Error::Conflict { .. }
            ),
            Error::Internal | Error::TimeStampOverdue | Error::DiskFull => true,
            _ => false,
        }
    }

    /// Whether a precondition named `what` did not hold, that is: somebody else was quicker.
    pub(crate) fn is_conflict(&self, what: &str) -> bool {
        matches!(self, Error::Store(store::Error::Conflict { what: lost }) if *lost == what)
    }

    /// Whether the same request may succeed later without anybody mending it.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Error::Store(store::Error::NotFound { .. } | store::Error::Erased | store::Error::Nul) => false,
            Error::Store(_) | Error::Internal | Error::TimeStampOverdue | Error::DiskFull => true,
            Error::TooManyWaiting | Error::TooManyBodies | Error::TooManyRequests => true,
            Error::Model(error) => *error == model::Error::VersionConflict,
            Error::Failure(failure) => failure.kind == FailureKind::Transient,
            _ => false,
        }
    }

    /// How the worker treats it.
    pub(crate) fn into_failure(self) -> Failure {
        let passes = match &self {
            Error::Failure(failure) => return failure.clone(),
            Error::Store(store::Error::Conflict { .. }) | Error::Interrupted => true,
            // Of a store that is broken a human has to hear.
            Error::Store(error) => error.is_transient(),
            error => error.is_passing(),
        };
        let kind = if passes { FailureKind::Transient } else { FailureKind::Permanent };
        let code = self.code().to_owned();
        let detail = self.to_string();
        Failure { kind, code: code.into(), detail, retry_after: None, alone: false, findings: vec![] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_tried_again() {
        let conflict = || Error::from(store::Error::Conflict { what: "record" });
        for error in [
            Error::TooManyWaiting,
            Error::TooManyBodies,
            Error::TooManyRequests,
            Error::TimeStampOverdue,
            Error::DiskFull,
            Error::Interrupted,
            Error::Internal,
            model::Error::VersionConflict.into(),
            store::Error::Busy.into(),
            conflict(),
        ] {
            let code = error.code().to_owned();
            assert_eq!(error.into_failure().kind, FailureKind::Transient, "{code}");
        }
        for error in [Error::UnknownUnit, model::Error::Forbidden.into(), store::Error::Erased.into()] {
            let code = error.code().to_owned();
            assert_eq!(error.into_failure().kind, FailureKind::Permanent, "{code}");
        }
    }
}
