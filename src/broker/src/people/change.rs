//! What administrators say of a user, as data: applied at once, or after a second person has agreed.

use std::collections::BTreeSet;

use model::rights::Within;
use model::{Authority, Role};
use serde::{Deserialize, Deserializer, Serialize};
use store::{Person, UserState};

use super::User;
use crate::Error;

/// A user that an administrator wants.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Login name: 2 to 64 letters, digits and `.`, `-`, `_`, `@`, `+`. Capital letters are taken as small ones.
    pub login: String,
    /// Name for people.
    pub name: String,
    /// Address of e-mail.
    pub email: Option<String>,
    /// Roles.
    pub roles: Vec<Role>,
    /// Units that the user sees.
    pub units: Within,
    /// Public services that the user sees.
    pub services: Within,
    /// Authority that the user acts for.
    pub authority: Option<Authority>,
}

/// A change of a user. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UserChange {
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address of e-mail; `Some(None)` removes it.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub email: Option<Option<String>>,
    /// Roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
    /// Units that the user sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<Within>,
    /// Public services that the user sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<Within>,
    /// Authority that the user acts for; `Some(None)` removes it.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub authority: Option<Option<Authority>>,
    /// Whether the user may sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<UserState>,
    /// Who else knows the user: issuer and subject, who then signs in there alone, without password and codes of before; `Some(None)`
    /// removes it.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub identity: Option<Option<(String, String)>>,
    /// Whether password and codes are taken away: the user sets them up anew with an initial secret.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
}

/// A field that is there, though it may say `null`.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl UserChange {
    /// Whether the user may do more by it, or somebody else gets to be the user: with four eyes a second person has to agree.
    pub fn raises(&self, user: &User) -> bool {
        let wider = |new: &Option<Within>, old: &Within| new.as_ref().is_some_and(|new| !old.includes(new));
        let more_roles = self.roles.as_ref().is_some_and(|new| new.iter().any(|it| !user.roles.contains(it)));
        let authority = self.authority.as_ref().is_some_and(|new| new.is_some() && *new != user.authority);
        // By whichever step: from being locked, anybody would be let in again by one alone.
        let back =
            user.state == UserState::Disabled && self.state.is_some_and(|new| new != UserState::Disabled);
        let known = self.identity.as_ref().is_some_and(|new| new.is_some() && *new != user.identity);
        // Whoever has this address at the provider of identities may become the user by it.
        let linked = self.email.as_ref().is_some_and(|new| new.is_some() && *new != user.email)
            && user.identity.is_none();
        // What a user without roles sees counts as well: it holds as soon as roles are agreed to that were asked for before.
        more_roles
            || wider(&self.units, &user.units)
            || wider(&self.services, &user.services)
            || authority
            || back
            || known
            || linked
            || self.reset
    }

    /// Whether it says anything of what the user may do.
    pub fn is_of_rights(&self) -> bool {
        let names =
            UserChange { name: self.name.clone(), email: self.email.clone(), ..UserChange::default() };
        *self != names
    }

    /// The user as it is then.
    pub(super) fn apply(&self, person: &mut Person) {
        let terms = &mut person.terms;
        terms.name = self.name.clone().unwrap_or_else(|| terms.name.clone());
        terms.email = self.email.clone().unwrap_or_else(|| terms.email.clone());
        terms.roles = self.roles.clone().unwrap_or_else(|| terms.roles.clone());
        terms.units = self.units.clone().unwrap_or_else(|| terms.units.clone());
        terms.services = self.services.clone().unwrap_or_else(|| terms.services.clone());
        terms.authority = self.authority.clone().unwrap_or_else(|| terms.authority.clone());
        person.state = self.state.unwrap_or(person.state);
        if let Some(identity) = &self.identity {
            person.identity.clone_from(identity);
        }
        // Who is known by a provider signs in there: whatever opened the account before may be somebody else's, who set it up or has
        // the initial secret.
        let is_linked = self.identity.as_ref().is_some_and(Option::is_some);
        if self.reset || is_linked {
            (person.password, person.totp, person.invite) = (None, None, None);
            person.recovery.clear();
        }
        terms.roles = BTreeSet::from_iter(terms.roles.iter().copied()).into_iter().collect();
    }

    /// What the user is now, for whoever judges the change: all rights, names only where they change.
    pub(crate) fn instead_of(&self, user: &User) -> UserChange {
        let User { roles, units, services, authority, state, .. } = user.clone();
        UserChange {
            name: self.name.as_ref().map(|_| user.name.clone()),
            email: self.email.as_ref().map(|_| user.email.clone()),
            roles: Some(roles),
            units: Some(units),
            services: Some(services),
            authority: Some(authority),
            state: Some(state),
            identity: self.identity.as_ref().map(|_| user.identity.clone()),
            reset: false,
        }
    }

    /// What changes, for an event: no names of people.
    pub(super) fn named(&self) -> serde_json::Value {
        let told = UserChange { name: None, email: None, identity: None, ..self.clone() };
        let mut told = serde_json::to_value(told).unwrap_or_default();
        if self.name.is_some() || self.email.is_some() {
            told["named"] = true.into();
        }
        if let Some(identity) = &self.identity {
            told["identity"] = identity.is_some().into();
        }
        told
    }
}

/// A login as it is kept and looked for.
pub(super) fn folded(login: &str) -> String {
    login.trim().to_lowercase()
}

/// A login name, a name and an address as they are kept.
///
/// # Errors
/// `Invalid` naming the field.
pub(super) fn check_names(login: &str, name: &str, email: Option<&str>) -> Result<(), Error> {
    let invalid = |field| Err(model::Error::Invalid { field }.into());
    let of_login = |it: char| it.is_ascii_alphanumeric() || ".-_@+".contains(it);
    if !(2..=64).contains(&login.len()) || !login.chars().all(of_login) {
        return invalid("login");
    }
    if !(1..=200).contains(&name.trim().chars().count()) || name.chars().any(char::is_control) {
        return invalid("name");
    }
    let is_email = |it: &str| {
        let parts = it.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
        parts && it.len() <= 254 && !it.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    if email.is_some_and(|it| !is_email(it)) { invalid("email") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use store::PersonTerms;

    use super::*;

    fn person() -> Person {
        let now = Timestamp::from_micros(0);
        let terms = PersonTerms {
            name: "Erika Beispiel".into(),
            email: Some("e@amt.example".into()),
            roles: vec![Role::Clerk],
            units: Within::one("63"),
            services: Within::All,
            authority: None,
            created_at: now,
            changed_at: now,
            password_changed_at: None,
        };
        Person {
            id: model::Id::nil(),
            tenant: "soest".into(),
            login: "erika".into(),
            version: 1,
            state: UserState::Active,
            identity: None,
            password: Some("x".into()),
            totp: None,
            totp_step: 0,
            recovery: vec![],
            invite: None,
            terms,
        }
    }

    #[test]
    fn what_gives_more_or_makes_somebody_else_the_user_raises_and_nothing_else_does() {
        let user = User::of(&person());
        let none = UserChange::default;
        for raises in [
            UserChange { roles: Some(vec![Role::Clerk, Role::Cashier]), ..none() },
            UserChange { roles: Some(vec![Role::Operator]), ..none() },
            UserChange { units: Some(Within::All), ..none() },
            UserChange { units: Some(Within::one("70")), ..none() },
            UserChange { authority: Some(Some("bab:1".parse().unwrap())), ..none() },
            UserChange { identity: Some(Some(("i".into(), "s".into()))), ..none() },
            UserChange { reset: true, ..none() },
            UserChange { roles: Some(vec![]), units: Some(Within::All), ..none() },
        ] {
            assert!(raises.raises(&user) && raises.is_of_rights(), "{raises:?}");
        }
        let other = UserChange { email: Some(Some("m@amt.example".into())), ..none() };
        assert!(other.raises(&user), "an address may be what somebody is known by");
        let known = User { identity: Some(("i".into(), "s".into())), ..user.clone() };
        assert!(!other.raises(&known));
        for harmless in [
            none(),
            UserChange { roles: Some(vec![]), ..none() },
            UserChange { services: Some(Within::one("abfall")), ..none() },
            UserChange { state: Some(UserState::Disabled), ..none() },
            UserChange { name: Some("Erika Muster".into()), email: Some(None), ..none() },
        ] {
            assert!(!harmless.raises(&user), "{harmless:?}");
        }
        let gone = User { state: UserState::Disabled, ..user };
        for back in [UserState::Active, UserState::Locked] {
            assert!(UserChange { state: Some(back), ..none() }.raises(&gone), "{back:?}");
        }
        assert!(!UserChange { name: Some("x".into()), email: Some(None), ..none() }.is_of_rights());
    }

    #[test]
    fn a_change_is_the_same_after_it_was_kept_and_an_event_has_no_names() {
        let change = UserChange {
            name: Some("Erika Muster".into()),
            email: Some(None),
            roles: Some(vec![Role::Clerk]),
            authority: Some(None),
            ..UserChange::default()
        };
        let kept = serde_json::to_string(&change).unwrap();
        assert_eq!(serde_json::from_str::<UserChange>(&kept).unwrap(), change);
        let told = change.named().to_string();
        assert!(!told.contains("Erika") && told.contains("\"named\":true"), "{told}");
        assert!(serde_json::from_str::<UserChange>(r#"{"rolls":[]}"#).is_err());
        let before = change.instead_of(&User::of(&person()));
        assert_eq!(
            (before.name.as_deref(), &before.units),
            (Some("Erika Beispiel"), &Some(Within::one("63")))
        );
        assert_eq!((before.email, before.identity), (Some(Some("e@amt.example".into())), None));
    }

    #[test]
    fn names_are_checked() {
        let code = |login, name, email| check_names(login, name, email).is_ok();
        assert!(code("e.beispiel", "Erika", Some("e@amt.example")) && code("ab", "E", None));
        for (login, name, email) in [
            ("a", "E", None),
            ("a b", "E", None),
            ("ä.b", "E", None),
            ("ab", " ", None),
            ("ab", "E\n", None),
            ("ab", "E", Some("amt.example")),
            ("ab", "E", Some("a@b c.d")),
        ] {
            assert!(!code(login, name, email), "{login} {name}");
        }
    }
}
