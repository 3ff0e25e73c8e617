//! How a new user comes to a password and codes: with the initial secret that an administrator hands over. The same has to be done by
//! whoever signs in and lacks the codes that the roles need.

use model::EventKind;
use serde_json::json;
use store::{Person, PersonSession, SessionStage, Work};

use super::sign_in::{Next, SignIn};
use super::{actor, password, totp};
use crate::{Broker, Error};

/// What codes can be made of, as it is shown once.
#[derive(Clone)]
pub struct TotpOffer {
    /// The secret in base 32, for typing.
    pub secret: String,
    /// `otpauth://…`, for a QR code.
    pub uri: String,
}

/// Never the secret.
impl std::fmt::Debug for TotpOffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpOffer(…)")
    }
}

/// What has to be set up.
#[derive(Debug, Clone)]
pub struct SetUp {
    /// Login of the user.
    pub login: String,
    /// Name of the user.
    pub name: String,
    /// Whether a password is wanted.
    pub password: bool,
    /// What codes will be made of, if they are wanted.
    pub totp: Option<TotpOffer>,
}

impl Broker {
    /// Somebody says the initial secret. It holds until the set-up is done, so that an interrupted one can be begun again.
    ///
    /// # Errors
    /// `SetUpOver` if there is no such secret any more.
    pub async fn begin_set_up(&self, secret: &str) -> Result<SignIn, Error> {
        let person = self.store().person_by_invite(&invite_digest(secret.trim())).await?;
        let holds = |it: &Person| it.invite.as_ref().is_some_and(|(_, until)| *until > self.now());
        let person = person.filter(|it| holds(it) && self.may_sign_in(it)).ok_or(Error::SetUpOver)?;
        match self.admits(&person, Next::SetUp, "invite", Work::new()).await {
            Err(error) if error.is_conflict("person") => Err(Error::SetUpOver),
            outcome => outcome,
        }
    }

    /// What has to be set up in this session. The same each time as long as it lasts.
    ///
    /// # Errors
    /// `SetUpOver` if it has ended.
    pub async fn set_up_wanted(&self, token: &str) -> Result<SetUp, Error> {
        let (session, person) = self.set_up_session(token).await?;
        let (password, codes) = self.is_wanted(&person);
        let totp = match codes {
            true => Some(self.offer(&session, &person).await?),
            false => None,
        };
        Ok(SetUp { login: person.login, name: person.terms.name, password, totp })
    }

    async fn set_up_session(&self, token: &str) -> Result<(PersonSession, Person), Error> {
        self.session_at(token, SessionStage::SetUp).await?.ok_or(Error::SetUpOver)
    }

    /// What codes will be made of once one of them was right: that of the session, or a new one.
    pub(super) async fn offer(&self, session: &PersonSession, person: &Person) -> Result<TotpOffer, Error> {
        let draft = match &session.draft {
            Some(draft) => draft.clone(),
            None => {
                let draft = self.new_totp(&person.tenant, person.id)?;
                let mut work = Work::new();
                work.session_draft(&session.hash, Some(&draft));
                self.store().commit(work).await?;
                draft
            }
        };
        let secret = self.totp_secret(&person.tenant, person.id, &draft)?.text();
        let tenant = self.house().tenants().find(|known| known.id == person.tenant);
        let issuer = tenant.map_or("Amtsbote", |it| it.name.as_str());
        let (issuer, login) = (in_uri(issuer), in_uri(&person.login));
        let uri = format!(
            "otpauth://totp/{issuer}:{login}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
        );
        Ok(TotpOffer { secret, uri })
    }

    /// Sets up what is wanted, and signs in. Gives the recovery codes, if codes were set up: they are shown once.
    ///
    /// # Errors
    /// `SetUpOver` if the session has ended, what speaks against the password, `CodeWrong`.
    pub async fn set_up(
        &self,
        token: &str,
        password: &str,
        code: &str,
    ) -> Result<(SignIn, Vec<String>), Error> {
        let (session, person) = self.set_up_session(token).await?;
        let (wants_password, wants_codes) = self.is_wanted(&person);
        let mut next = Person { version: person.version + 1, invite: None, ..person.clone() };
        next.terms.changed_at = self.now();
        let mut work = Work::new();
        let mut recovery = vec![];
        if wants_codes {
            recovery = self.take_draft(&session, &mut next, code, &mut work)?;
        }
        if wants_password {
            let _turn = self.people.guard.turn().await.ok_or(Error::SignInLater)?;
            self.set_password(&mut next, password).await?;
        }
        work.put_person(&next).end_session(&session.hash).end_sessions(person.id, None);
        let detail = json!({ "password": wants_password, "codes": wants_codes });
        work.insert_event(&self.user_changed(&person.tenant, person.id, &actor(person.id), detail));
        let outcome = self.admits(&next, Next::Open, "set-up", work).await;
        self.people.seen.forget();
        match outcome {
            Err(error) if ["person", "session", "totp"].iter().any(|it| error.is_conflict(it)) => {
                Err(Error::SetUpOver)
            }
            outcome => Ok((outcome?, recovery)),
        }
    }

    /// Takes what was offered in a session if `code` is of it; gives recovery codes.
    pub(super) fn take_draft(
        &self,
        session: &PersonSession,
        person: &mut Person,
        code: &str,
        work: &mut Work,
    ) -> Result<Vec<String>, Error> {
        let draft = session.draft.as_ref().ok_or(Error::SetUpOver)?;
        let secret = self.totp_secret(&person.tenant, person.id, draft)?;
        let step = secret.step_of(code, self.now(), person.totp_step)?.ok_or(Error::CodeWrong)?;
        let (codes, kept) = totp::recovery_codes()?;
        person.totp = Some(draft.clone());
        person.recovery = kept;
        work.take_totp_step(person.id, step);
        Ok(codes)
    }

    /// Sets a password that nothing speaks against. For whoever has a turn.
    pub(super) async fn set_password(&self, person: &mut Person, password: &str) -> Result<(), Error> {
        password::check(password, &person.login, &person.terms.name)?;
        if self.is_password(Some(person), password).await? {
            return Err(Error::PasswordCommon);
        }
        person.password = Some(self.hashed(password).await?);
        person.terms.password_changed_at = Some(self.now());
        Ok(())
    }

    /// Ends the sessions of a user but for one, on this node at once.
    pub(super) fn ends_sessions(&self, work: &mut Work, person: &Person, but: Option<&str>) {
        work.end_sessions(person.id, but);
        let detail = json!({ "user": person.id, "sessions": if but.is_some() { "others" } else { "all" } });
        work.insert_event(&self.audit(&person.tenant, EventKind::UserSignedOut, &actor(person.id), detail));
    }
}

/// What an initial secret is known by.
pub(super) fn invite_digest(secret: &str) -> String {
    seal::sha256(&[b"invite:", secret.as_bytes()]).to_string()
}

/// Text as a part of an address (RFC 3986 section 2.3).
fn in_uri(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_addresses_is_written_otherwise() {
        assert_eq!(in_uri("Kreis Söst: a&b"), "Kreis%20S%C3%B6st%3A%20a%26b");
    }
}
