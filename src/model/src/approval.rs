//! Approvals (Vier-Augen-Prinzip): what one person asks for and another agrees to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rights::Action;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ApprovalKind {
    /// To see the content of one message or document for a time.
    ContentRelease,
    /// To erase what an event says, or the bytes of a payload.
    Erase,
    /// To send a message on to somebody whom it was not addressed to.
    Forward,
    /// To change a user, a token or their rights.
    Account,
    /// To change how a partner is reached and known.
    PartnerKey,
}

impl ApprovalKind {
    /// All kinds.
    pub const ALL: [ApprovalKind; 5] = [
        ApprovalKind::ContentRelease,
        ApprovalKind::Erase,
        ApprovalKind::Forward,
        ApprovalKind::Account,
        ApprovalKind::PartnerKey,
    ];

    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            ApprovalKind::ContentRelease => "content-release",
            ApprovalKind::Erase => "erase",
            ApprovalKind::Forward => "forward",
            ApprovalKind::Account => "account",
            ApprovalKind::PartnerKey => "partner-key",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        ApprovalKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What whoever agrees must be allowed to do.
    pub fn decided_with(self) -> Action {
        match self {
            ApprovalKind::ContentRelease => Action::ReleaseContent,
            ApprovalKind::Erase => Action::Erase,
            ApprovalKind::Forward => Action::RepairMessages,
            ApprovalKind::Account => Action::ManageUsers,
            ApprovalKind::PartnerKey => Action::ManagePartners,
        }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalState {
    /// Waits for a second person.
    Open,
    /// A second person has agreed, and it was carried out.
    Agreed,
    /// A second person has refused.
    Refused,
    /// Whoever asked does not want it any more.
    Withdrawn,
    /// Nobody has decided in time.
    Expired,
}

impl ApprovalState {
    /// All states.
    pub const ALL: [ApprovalState; 5] = [
        ApprovalState::Open,
        ApprovalState::Agreed,
        ApprovalState::Refused,
        ApprovalState::Withdrawn,
        ApprovalState::Expired,
    ];

    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            ApprovalState::Open => "open",
            ApprovalState::Agreed => "agreed",
            ApprovalState::Refused => "refused",
            ApprovalState::Withdrawn => "withdrawn",
            ApprovalState::Expired => "expired",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        ApprovalState::ALL.into_iter().find(|state| state.name() == name)
    }
}
