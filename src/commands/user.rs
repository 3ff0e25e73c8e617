//! `amtsbote user …`: users of the console. Whoever reaches the store's keys may do everything, so there is no second person here.

use std::process::ExitCode;

use broker::{Invited, NewUser, User, UserChange, UserFilter, UserState};
use cli::{OneUser, UserCommand};
use output::{print, table};
use serde_json::{Value, json};

use crate::commands::{OnStore, Outcome, within};

impl OnStore {
    /// `amtsbote user …`
    pub(crate) async fn user(&self, command: UserCommand) -> Outcome {
        match command {
            UserCommand::Add { login, name, email, roles, units, services, authority, of } => {
                let caller = self.caller(&of)?;
                let (units, services) = (within(units)?, within(services)?);
                let new = NewUser { login, name, email, roles, units, services, authority };
                let broker = &self.gateway.broker;
                self.invited(&broker.add_user(&caller.scope.tenant, new, &caller.actor).await?);
            }
            UserCommand::List { search, of } => {
                let users = json!({ "items": self.all_users(search.unwrap_or_default(), &of).await? });
                print(self.as_json, &users, |list| {
                    table(&list["items"], &["login", "name", "roles", "units", "services", "state", "id"])
                });
            }
            UserCommand::Show(one) => {
                let (user, _) = self.one_user(&one).await?;
                self.shown(&user);
            }
            UserCommand::Lock(one) => self.set_state(&one, UserState::Locked).await?,
            UserCommand::Unlock(one) => self.set_state(&one, UserState::Active).await?,
            UserCommand::Disable(one) => self.set_state(&one, UserState::Disabled).await?,
            UserCommand::Reset(one) => {
                let (user, caller) = self.one_user(&one).await?;
                let broker = &self.gateway.broker;
                self.invited(&broker.reset_user_of(&user.tenant, user.id, &caller.actor).await?);
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn all_users(&self, search: String, of: &cli::OfTenant) -> Result<Vec<User>, crate::error::Error> {
        let caller = self.caller(of)?;
        let mut filter = UserFilter { search, after: None };
        let mut all = vec![];
        loop {
            let page = self.gateway.broker.users(&caller, &filter).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => filter.after = Some(next),
                None => return Ok(all),
            }
        }
    }

    async fn one_user(&self, one: &OneUser) -> Result<(User, model::Caller), crate::error::Error> {
        let caller = self.caller(&one.of)?;
        let user = self.gateway.broker.user_by_login(&caller.scope.tenant, &one.login).await?;
        Ok((user, caller))
    }

    async fn set_state(&self, one: &OneUser, state: UserState) -> Result<(), crate::error::Error> {
        let (user, caller) = self.one_user(one).await?;
        let change = UserChange { state: Some(state), ..UserChange::default() };
        let broker = &self.gateway.broker;
        self.shown(&broker.change_user_of(&user.tenant, user.id, &change, &caller.actor).await?);
        Ok(())
    }

    fn shown(&self, user: &User) {
        print(self.as_json, &json!(user), |user| {
            let line = |(name, value): (&String, &Value)| format!("{name}: {}", plain(value));
            let lines = user.as_object().into_iter().flatten().map(line);
            lines.collect::<Vec<_>>().join("\n")
        });
    }

    fn invited(&self, invited: &Invited) {
        let mut shown = json!(invited.user);
        shown["secret"] = json!(invited.secret);
        print(self.as_json, &shown, |_| {
            format!(
                "{}  {}\nTo be entered once at /console/welcome, within the time that [people] invite_hours gives.",
                invited.user.login, invited.secret
            )
        });
    }
}

/// A value for people: texts without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
