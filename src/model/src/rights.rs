//! Who may do what: role × action × tenant × organisational unit × public service.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::Actor;
use crate::{Authority, Error};

/// What a caller wants to do. Every route and every command names exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Action {
    /// See case files, cases, documents and their metadata.
    ReadCases,
    /// Create and change them.
    WriteCases,
    /// Read the bytes of documents and messages.
    ReadContent,
    /// See and work on tasks.
    WorkTasks,
    /// Start an exchange with another authority, lock what was handed over.
    Exchange,
    /// Fetch from and confirm in the authority's mailbox.
    UseInbox,
    /// Say that the record-keeping system has imported an object.
    ConfirmImport,
    /// Appraise what was offered to an archive of ours.
    Appraise,
    /// Bar records from destruction, and lift that.
    HoldRecords,
    /// Destroy records that were disposed of.
    DestroyRecords,
    /// Create and cancel claims, start payments towards them.
    WriteClaims,
    /// Decide about money: refunds, contradictions.
    DecideMoney,
    /// Keep the cash office's books: bank statements, files for the cash system, reconciliation.
    KeepCash,
    /// Bring in a raw message.
    SendMessages,
    /// See messages: metadata, states, findings.
    ReadMessages,
    /// Decide about a single message of one's own units: resend, park, mend, return it, forward it.
    ClearMessages,
    /// See to messages beyond one: many at once, lanes of deliveries, what adapters could not be told.
    RepairMessages,
    /// Read the event feed.
    ReadEvents,
    /// Export and verify evidence.
    ReadEvidence,
    /// Erase what an event says or the bytes of a payload.
    Erase,
    /// See partners.
    ReadPartners,
    /// Change partners.
    ManagePartners,
    /// Create and revoke tokens.
    ManageTokens,
    /// Have events sent by webhooks; see and end such subscriptions.
    Subscribe,
    /// See how the gateway stands: adapters, schema packs, figures; test connections and alerts.
    Operate,
    /// Read the audit log: who did what.
    ReadAudit,
    /// Create, change and lock users.
    ManageUsers,
    /// Allow somebody else to see contents for a time, with a reason.
    ReleaseContent,
    /// Export what is known of a person (GDPR articles 15 and 20).
    ExportPersons,
}

/// What somebody is in the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Case worker (Sachbearbeitung).
    Clerk,
    /// A county system such as a portal or a line-of-business system (Fachverfahren).
    System,
    /// The system that keeps the records (aktenführendes System, DMS).
    RecordKeeping,
    /// Is responsible for keeping and disposing of records (Schriftgutverwaltung), or for an archive.
    RecordsManager,
    /// The cash office (Kasse), or the cash system (HKR).
    Cashier,
    /// Runs the gateway: sees metadata, never content.
    Operator,
    /// Reads evidence.
    Auditor,
    /// Manages partners and tokens, and erases.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 8] = [
        Role::Clerk,
        Role::System,
        Role::RecordKeeping,
        Role::RecordsManager,
        Role::Cashier,
        Role::Operator,
        Role::Auditor,
        Role::Admin,
    ];

    /// The actions that the role allows.
    pub fn actions(self) -> &'static [Action] {
        use Action::*;
        match self {
            Role::Clerk => &[
                ReadCases,
                WriteCases,
                WriteClaims,
                ReadContent,
                WorkTasks,
                Exchange,
                ReadMessages,
                ClearMessages,
                ReadEvents,
                ReadPartners,
            ],
            Role::System => &[
                ReadCases,
                WriteCases,
                WriteClaims,
                ReadContent,
                WorkTasks,
                Exchange,
                UseInbox,
                SendMessages,
                ReadMessages,
                ReadEvents,
                ReadPartners,
                Subscribe,
            ],
            Role::RecordKeeping => &[
                ReadCases,
                WriteCases,
                ReadContent,
                WorkTasks,
                Exchange,
                UseInbox,
                ConfirmImport,
                Appraise,
                ReadMessages,
                ReadEvents,
                ReadPartners,
                Subscribe,
            ],
            Role::RecordsManager => &[
                ReadCases,
                Exchange,
                Appraise,
                HoldRecords,
                DestroyRecords,
                ReleaseContent,
                ExportPersons,
                WorkTasks,
                ReadMessages,
                ReadEvents,
                ReadPartners,
            ],
            Role::Cashier => {
                &[ReadCases, WriteClaims, DecideMoney, KeepCash, WorkTasks, ReadEvents, Subscribe]
            }
            Role::Operator => {
                &[ReadMessages, ClearMessages, RepairMessages, ReadEvents, ReadPartners, Operate, ReadAudit]
            }
            Role::Auditor => &[ReadCases, ReadMessages, ReadEvents, ReadEvidence, ReadAudit],
            Role::Admin => &[
                Erase,
                ReadPartners,
                ManagePartners,
                ManageTokens,
                Subscribe,
                ReadAudit,
                ManageUsers,
                ReleaseContent,
                ExportPersons,
            ],
        }
    }
}

/// Which units or services somebody may see: all of the tenant, or the named ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Within {
    /// All of the tenant.
    All,
    /// Only these.
    Only(BTreeSet<String>),
}

impl Within {
    /// Only the one named.
    pub fn one(name: &str) -> Self {
        Within::Only(BTreeSet::from([name.to_owned()]))
    }

    /// Whether `name` is covered. Something without a name is covered by `All` alone.
    pub fn covers(&self, name: Option<&str>) -> bool {
        match (self, name) {
            (Within::All, _) => true,
            (Within::Only(names), Some(name)) => names.contains(name),
            (Within::Only(_), None) => false,
        }
    }

    /// Whether everything that `other` covers is covered here too.
    pub fn includes(&self, other: &Within) -> bool {
        match (self, other) {
            (Within::All, _) => true,
            (Within::Only(_), Within::All) => false,
            (Within::Only(names), Within::Only(others)) => others.is_subset(names),
        }
    }
}

/// The part of the world a query sees. Every call of the store takes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Tenant (Mandant).
    pub tenant: String,
    /// Organisational units (Organisationseinheiten).
    pub units: Within,
    /// Public services (Leistungen).
    pub services: Within,
}

impl Scope {
    /// The whole tenant: for the gateway's own work.
    pub fn tenant(tenant: &str) -> Self {
        Scope { tenant: tenant.to_owned(), units: Within::All, services: Within::All }
    }

    /// Whether it is the whole tenant.
    pub fn is_whole(&self) -> bool {
        self.units == Within::All && self.services == Within::All
    }

    /// Whether something of this tenant, unit and service lies within.
    pub fn covers(&self, tenant: &str, unit: &str, service: Option<&str>) -> bool {
        self.tenant == tenant && self.units.covers(Some(unit)) && self.services.covers(service)
    }
}

/// Somebody who was recognised: who, in which roles, within which scope, for which authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Recorded with everything the caller does.
    pub actor: Actor,
    /// Roles held.
    pub roles: Vec<Role>,
    /// Where they are held.
    pub scope: Scope,
    /// The authority the caller acts for; its mailbox is the caller's inbox.
    pub authority: Option<Authority>,
}

impl Caller {
    /// The scope in which the caller may do `action`.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if none of the roles allows it.
    pub fn may(&self, action: Action) -> Result<&Scope, Error> {
        let allowed = self.roles.iter().any(|role| role.actions().contains(&action));
        if allowed { Ok(&self.scope) } else { Err(Error::Forbidden) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_its_own_tenant_unit_and_service_only() {
        let scope = Scope {
            tenant: "soest".into(),
            units: Within::one("63"),
            services: Within::one("baugenehmigung"),
        };
        assert!(scope.covers("soest", "63", Some("baugenehmigung")));
        assert!(!scope.covers("unna", "63", Some("baugenehmigung")));
        assert!(!scope.covers("soest", "70", Some("baugenehmigung")));
        assert!(!scope.covers("soest", "63", Some("abfall")));
        assert!(!scope.covers("soest", "63", None));
    }

    #[test]
    fn all_includes_everything_and_names_include_their_subsets() {
        let (one, both) = (Within::one("63"), Within::Only(BTreeSet::from(["63".into(), "70".into()])));
        assert!(Within::All.includes(&Within::All) && Within::All.includes(&both));
        assert!(both.includes(&one) && one.includes(&one));
        assert!(!one.includes(&both) && !both.includes(&Within::All));
    }

    #[test]
    fn an_operator_never_reads_content() {
        assert!(!Role::Operator.actions().contains(&Action::ReadContent));
        assert!(!Role::Operator.actions().contains(&Action::ReadCases));
    }
}
