//! What can be asked for: pure changes that are carried out as they were asked for, once somebody else has agreed.

use model::approval::ApprovalKind;
use model::rights::Action;
use model::{Authority, Id};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Partner, TokenRow};

use crate::UserChange;

/// Longest time that a content is released for, in minutes.
pub const LONGEST_RELEASE: u32 = 8 * 60;

/// What is carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Act {
    /// Whoever asks may read the bytes of a message.
    ReleaseMessage {
        /// The message.
        message: Id,
        /// Its bytes as they are when it is asked for: those of a mended one have to be asked for anew. Found then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload: Option<Id>,
        /// For how long, from 1 to [`LONGEST_RELEASE`].
        minutes: u32,
    },
    /// Whoever asks may read a file of a document.
    ReleaseDocument {
        /// The document.
        document: Id,
        /// Its version; that which is the newest when it is asked for, if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// The file's name; the last of the version if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        /// Topmost record of its tree, whose evidence proves the release; found when it is asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        root: Option<Id>,
        /// For how long, from 1 to [`LONGEST_RELEASE`].
        minutes: u32,
    },
    /// What an event says is erased.
    EraseEvent {
        /// Topmost record of the tree whose evidence it belongs to, or the approval whose reason it is.
        root: Id,
        /// The event.
        event: Id,
    },
    /// The bytes of a payload are erased.
    ErasePayload {
        /// Topmost record of the tree whose evidence it belongs to.
        root: Id,
        /// The payload.
        payload: Id,
    },
    /// A message goes on to another authority.
    Forward {
        /// The message.
        message: Id,
        /// To whom.
        to: Authority,
        /// How it stands when it is asked for, with the digest of its bytes: nobody agrees to anything else. Found then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<String>,
    },
    /// A token is valid from then on.
    AddToken {
        /// Its row, with the digest of its secret.
        token: Box<TokenRow>,
    },
    /// A partner is created or changed.
    PutPartner {
        /// As it shall be.
        partner: Box<Partner>,
        /// As it was when it was asked for, for whoever judges; absent if it was not there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Box<Partner>>,
    },
    /// A user is changed.
    User {
        /// The user.
        user: Id,
        /// The change.
        change: Box<UserChange>,
        /// What the user was when it was asked for, for whoever judges; absent in what was asked for before this was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Box<UserChange>>,
    },
}

impl Act {
    /// What kind of thing it is.
    pub fn kind(&self) -> ApprovalKind {
        match self {
            Act::ReleaseMessage { .. } | Act::ReleaseDocument { .. } => ApprovalKind::ContentRelease,
            Act::EraseEvent { .. } | Act::ErasePayload { .. } => ApprovalKind::Erase,
            Act::Forward { .. } => ApprovalKind::Forward,
            Act::AddToken { .. } | Act::User { .. } => ApprovalKind::Account,
            Act::PutPartner { .. } => ApprovalKind::PartnerKey,
        }
    }

    /// What whoever asks must be allowed to do. Who asks for contents sees the metadata.
    pub(crate) fn asked_with(&self) -> Action {
        match self {
            Act::ReleaseMessage { .. } | Act::ReleaseDocument { .. } => Action::ReadMessages,
            Act::EraseEvent { .. } | Act::ErasePayload { .. } => Action::Erase,
            Act::Forward { .. } => Action::ClearMessages,
            Act::AddToken { .. } => Action::ManageTokens,
            Act::PutPartner { .. } => Action::ManagePartners,
            Act::User { .. } => Action::ManageUsers,
        }
    }

    /// Kind and identifier of what it is about.
    pub fn subject(&self) -> (&'static str, String) {
        match self {
            Act::ReleaseMessage { message, .. } | Act::Forward { message, .. } => {
                ("message", message.to_string())
            }
            Act::ReleaseDocument { document, .. } => ("document", document.to_string()),
            Act::EraseEvent { event, .. } => ("event", event.to_string()),
            Act::ErasePayload { payload, .. } => ("payload", payload.to_string()),
            Act::AddToken { token } => ("token", token.id.to_string()),
            Act::PutPartner { partner, .. } => ("partner", partner.id.clone()),
            Act::User { user, .. } => ("user", user.to_string()),
        }
    }

    /// As it may be shown: without digests of secrets.
    pub fn shown(detail: &Value) -> Value {
        let mut shown = detail.clone();
        if let Some(token) = shown.get_mut("token").and_then(Value::as_object_mut) {
            token.remove("hash");
        }
        shown
    }

    /// For how long contents are released, if they are.
    pub(crate) fn minutes(&self) -> Option<u32> {
        match self {
            Act::ReleaseMessage { minutes, .. } | Act::ReleaseDocument { minutes, .. } => Some(*minutes),
            _ => None,
        }
    }
}
