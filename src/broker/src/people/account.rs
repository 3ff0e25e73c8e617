//! What users change of their own account. Whatever opens it says the password once more, and guesses count as those of signing in.

use model::{Id, Timestamp};
use serde_json::json;
use store::{Person, PersonSession, SessionStage, Work};

use super::guard::Places;
use super::{SignedIn, TotpOffer, actor, totp};
use crate::{Broker, Error};

/// One of the user's sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSession {
    /// Identifier.
    pub id: Id,
    /// When it began.
    pub begun: Timestamp,
    /// When something was done last, to the minute.
    pub seen: Timestamp,
    /// When it ends whatever is done.
    pub ends: Timestamp,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

impl Broker {
    /// The user's sessions, oldest first.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn own_sessions(&self, who: &SignedIn) -> Result<Vec<OwnSession>, Error> {
        let now = self.now();
        let all = self.store().sessions_of(who.user.id, now).await?;
        let lasts = |it: &PersonSession| it.seen.plus(self.people_settings.idle) > now;
        let open = all.into_iter().filter(|it| it.stage == SessionStage::Open && lasts(it));
        Ok(open
            .map(|it| OwnSession {
                id: it.id,
                begun: it.begun,
                seen: it.seen,
                ends: it.ends,
                is_this: it.id == who.session,
            })
            .collect())
    }

    /// Ends the user's other sessions.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn end_other_sessions(&self, who: &SignedIn) -> Result<(), Error> {
        let person = self.own_account(who).await?;
        let mut work = Work::new();
        self.ends_sessions(&mut work, &person, Some(&who.hash));
        self.store().commit(work).await?;
        self.people.seen.forget();
        Ok(())
    }

    /// Another password; the user's other sessions end.
    ///
    /// # Errors
    /// `SignInRefused` if the password is not the one of now; what speaks against the new one.
    pub async fn change_password(&self, who: &SignedIn, now: &str, new: &str) -> Result<(), Error> {
        let _turn = self.people.guard.turn().await.ok_or(Error::SignInLater)?;
        let person = self.proven(who, now).await?;
        let mut next = self.next_of(&person);
        self.set_password(&mut next, new).await?;
        self.change_own(who, &next, Work::new(), "password").await
    }

    /// What codes can be made of from now on, once one of them was right: [`Broker::confirm_totp`].
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn offer_totp(&self, who: &SignedIn) -> Result<TotpOffer, Error> {
        let (session, person) = self.own_session(who).await?;
        self.offer(&session, &person).await
    }

    /// Takes what was offered; gives recovery codes, which are shown once. The user's other sessions end.
    ///
    /// # Errors
    /// `SignInRefused` if the password is not right, `CodeWrong`.
    pub async fn confirm_totp(
        &self,
        who: &SignedIn,
        password: &str,
        code: &str,
    ) -> Result<Vec<String>, Error> {
        let _turn = self.people.guard.turn().await.ok_or(Error::SignInLater)?;
        let person = self.proven(who, password).await?;
        let (session, _) = self.own_session(who).await?;
        let mut next = self.next_of(&person);
        let mut work = Work::new();
        let recovery = self.take_draft(&session, &mut next, code, &mut work)?;
        // What codes are made of now is shown to nobody again.
        work.session_draft(&session.hash, None);
        self.change_own(who, &next, work, "codes").await?;
        Ok(recovery)
    }

    /// New recovery codes instead of those before; they are shown once.
    ///
    /// # Errors
    /// `SignInRefused` if the password is not right, `CodesNeeded` if there are no codes to be recovered.
    pub async fn new_recovery_codes(&self, who: &SignedIn, password: &str) -> Result<Vec<String>, Error> {
        let _turn = self.people.guard.turn().await.ok_or(Error::SignInLater)?;
        let person = self.proven(who, password).await?;
        if person.totp.is_none() {
            return Err(Error::CodesNeeded);
        }
        let (codes, kept) = totp::recovery_codes()?;
        let next = Person { recovery: kept, ..self.next_of(&person) };
        self.change_own(who, &next, Work::new(), "recovery").await?;
        Ok(codes)
    }

    /// Signs in without codes from now on.
    ///
    /// # Errors
    /// `SignInRefused` if the password is not right, `CodesNeeded` if the roles need codes.
    pub async fn remove_totp(&self, who: &SignedIn, password: &str) -> Result<(), Error> {
        let _turn = self.people.guard.turn().await.ok_or(Error::SignInLater)?;
        let person = self.proven(who, password).await?;
        if self.needs_totp(&person.terms.roles) {
            return Err(Error::CodesNeeded);
        }
        let next = Person { totp: None, recovery: vec![], ..self.next_of(&person) };
        self.change_own(who, &next, Work::new(), "codes-removed").await
    }

    async fn own_account(&self, who: &SignedIn) -> Result<Person, Error> {
        let found = self.store().person(&who.user.tenant, who.user.id).await?;
        found.filter(|it| self.may_sign_in(it)).ok_or(Error::SignInRefused)
    }

    async fn own_session(&self, who: &SignedIn) -> Result<(PersonSession, Person), Error> {
        self.store().session(&who.hash).await?.ok_or(Error::SignInRefused)
    }

    /// The user, if the password is right. For whoever has a turn.
    async fn proven(&self, who: &SignedIn, password: &str) -> Result<Person, Error> {
        let person = self.own_account(who).await?;
        let places = Places::of(&person.login, None);
        let tries = self.not_waiting(places).await?;
        if self.is_password(Some(&person), password).await? {
            return Ok(person);
        }
        Err(self.sign_in_failed(places, tries, Some((person.tenant, person.id))).await?)
    }

    fn next_of(&self, person: &Person) -> Person {
        let mut next = Person { version: person.version + 1, ..person.clone() };
        next.terms.changed_at = self.now();
        next
    }

    /// Writes what the user has changed; the other sessions end.
    async fn change_own(
        &self,
        who: &SignedIn,
        next: &Person,
        mut work: Work,
        what: &str,
    ) -> Result<(), Error> {
        work.put_person(next).end_sessions(next.id, Some(&who.hash));
        let detail = json!({ "changed": what });
        work.insert_event(&self.user_changed(&next.tenant, next.id, &actor(next.id), detail));
        let outcome = self.store().commit(work).await.map_err(Error::from);
        self.people.seen.forget();
        match outcome {
            Err(error) if error.is_conflict("person") => Err(model::Error::VersionConflict.into()),
            Err(error) if error.is_conflict("totp") => Err(Error::CodeWrong),
            outcome => outcome,
        }
    }
}
