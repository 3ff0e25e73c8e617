//! Administrators: nobody gives what he does not have, nobody changes himself, and with four eyes nothing is raised by one alone.

use broker::{
    Act, LinkBy, NewApproval, NewUser, PeopleSettings, Stranger, UserChange, UserFilter, UserState,
};
use model::rights::Within;
use model::{Action, Actor, Caller, EventKind, Id, Role, Scope};
use serde_json::json;
use store::Work;

use super::bed::{Bed, PASSWORD, code, command_line, new_user};
use crate::engines::on_every_engine;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_rights_that_he_does_not_have_or_sees_users_who_have_more() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database, PeopleSettings::default()).await;
        let all = bed.admin();
        let scope = Scope { units: Within::one("63"), ..Scope::tenant("soest") };
        let of_unit = Caller { scope, ..all.clone() };
        let foreign = Caller { scope: Scope::tenant("unna"), ..all.clone() };
        let new =
            |login: &str, unit: &str| NewUser { units: Within::one(unit), ..new_user(login, &[Role::Clerk]) };
        let mine = bed.broker.create_user(&of_unit, new("mine", "63")).await.unwrap().user;
        assert_eq!(code(bed.broker.create_user(&of_unit, new("other", "70")).await), "model.forbidden");
        let whole = NewUser { units: Within::All, ..new("whole", "63") };
        assert_eq!(code(bed.broker.create_user(&of_unit, whole).await), "model.forbidden");
        let other = bed.broker.create_user(&all, new("other", "70")).await.unwrap().user;
        assert_eq!(code(bed.broker.create_user(&foreign, new("mine", "63")).await), "user.login-taken");
        assert_eq!(code(bed.broker.create_user(&all, new("none", "64")).await), "broker.unknown-unit");
        let wider = UserChange { units: Some(Within::All), ..UserChange::default() };
        assert_eq!(code(bed.broker.change_user(&of_unit, mine.id, 1, &wider).await), "model.forbidden");
        assert_eq!(code(bed.broker.change_user(&all, mine.id, 7, &wider).await), "model.version-conflict");
        for caller in [&of_unit, &foreign] {
            assert_eq!(code(bed.broker.user(caller, other.id).await), "model.not-found");
            assert_eq!(code(bed.broker.reset_user(caller, other.id).await), "model.not-found");
            assert_eq!(code(bed.broker.end_user_sessions(caller, other.id).await), "model.not-found");
        }
        let clerk = Caller { roles: vec![Role::Clerk], ..all.clone() };
        assert_eq!(code(bed.broker.users(&clerk, &UserFilter::default()).await), "model.forbidden");
        let found = async |caller: &Caller, search: &str| {
            let filter = UserFilter { search: search.into(), after: None };
            let list = bed.broker.users(caller, &filter).await.unwrap();
            list.items.into_iter().map(|it| it.login).collect::<Vec<_>>()
        };
        assert_eq!(found(&all, "").await, ["mine", "other"]);
        assert_eq!(found(&of_unit, "").await, ["mine"]);
        assert_eq!(found(&foreign, "").await, [""; 0]);
        assert_eq!((found(&all, "BEISPIEL").await.len(), found(&all, "%").await.len()), (2, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_come_in_pages_by_login() {
    let bed = Bed::new(None, PeopleSettings::default()).await;
    for number in 0..51 {
        bed.invites(&format!("user{number:02}"), &[Role::Clerk]).await;
    }
    let first = bed.broker.users(&bed.admin(), &UserFilter::default()).await.unwrap();
    assert_eq!((first.items.len(), first.next.as_deref()), (50, Some("user49")));
    let rest = UserFilter { search: String::new(), after: first.next };
    let rest = bed.broker.users(&bed.admin(), &rest).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_users_are_full_and_end_at_users_who_are_seen() {
    let bed = Bed::new(None, PeopleSettings::default()).await;
    for number in 0..60 {
        for (login, unit) in [("elsewhere", "70"), ("mine", "63")] {
            let new = new_user(&format!("{login}{number:02}"), &[Role::Clerk]);
            let new = NewUser { units: Within::one(unit), ..new };
            bed.broker.add_user("soest", new, &command_line()).await.unwrap();
        }
    }
    let scope = Scope { units: Within::one("63"), ..Scope::tenant("soest") };
    let of_unit = Caller { scope, ..bed.admin() };
    let first = bed.broker.users(&of_unit, &UserFilter::default()).await.unwrap();
    assert_eq!((first.items.len(), first.next.as_deref()), (50, Some("mine49")));
    let rest = UserFilter { search: String::new(), after: first.next };
    let rest = bed.broker.users(&of_unit, &rest).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (10, None));
    let others = UserFilter { search: "elsewhere".into(), after: None };
    let others = bed.broker.users(&of_unit, &others).await.unwrap();
    assert_eq!((others.items.len(), others.next), (0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_the_own_rights() {
    let settings = PeopleSettings { totp: broker::TotpPolicy::Optional, ..PeopleSettings::default() };
    let bed = Bed::new(None, settings).await;
    let invited = bed.invites("adam", &[Role::Admin]).await;
    let begun = bed.broker.begin_set_up(&invited.secret).await.unwrap();
    let (open, _) = bed.broker.set_up(&begun.token, PASSWORD, "").await.unwrap();
    let adam = bed.broker.visit(&open.token).await.unwrap().unwrap();
    let (id, version) = (adam.user.id, adam.user.version);
    for change in [
        UserChange { roles: Some(vec![Role::Admin, Role::Cashier]), ..UserChange::default() },
        UserChange { state: Some(UserState::Disabled), ..UserChange::default() },
    ] {
        assert_eq!(code(bed.broker.change_user(&adam.caller, id, version, &change).await), "user.own-rights");
    }
    assert_eq!(code(bed.broker.reset_user(&adam.caller, id).await), "user.own-rights");
    let name = UserChange { name: Some("Adam Muster".into()), ..UserChange::default() };
    assert_eq!(code(bed.broker.change_user(&adam.caller, id, version, &name).await), "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_four_eyes_what_raises_rights_is_asked_for_and_then_carried_out() {
    let settings = PeopleSettings { four_eyes: true, ..PeopleSettings::default() };
    let bed = Bed::new(None, settings).await;
    let admin = bed.admin();
    let with_role = bed.broker.create_user(&admin, new_user("erika", &[Role::Clerk])).await;
    assert_eq!(code(with_role), "user.needs-approval");
    let user = bed.broker.create_user(&admin, new_user("erika", &[])).await.unwrap().user;
    let change = UserChange { roles: Some(vec![Role::Clerk]), ..UserChange::default() };
    assert_eq!(code(bed.broker.change_user(&admin, user.id, 1, &change).await), "user.needs-approval");
    assert_eq!(code(bed.broker.check_user_change(&admin, user.id, 1, &change).await), "done");
    assert_eq!(bed.broker.user(&admin, user.id).await.unwrap().roles, []);
    let mut work = Work::new();
    let agreed = (&change, None);
    bed.broker.carry_out_user(&mut work, "soest", user.id, agreed, &command_line()).await.unwrap();
    let foreign = bed.broker.carry_out_user(&mut work, "unna", user.id, agreed, &command_line()).await;
    assert_eq!(code(foreign), "model.not-found");
    // Less is done at once, and so is an initial secret for whoever has no password yet.
    assert_eq!(code(bed.broker.reset_user(&admin, user.id).await), "done");
    let (clerk, _) = bed.clerk("max").await;
    assert_eq!(code(bed.broker.reset_user(&admin, clerk.id).await), "user.needs-approval");
    let version = bed.broker.user(&admin, clerk.id).await.unwrap().version;
    let less = UserChange { roles: Some(vec![]), ..UserChange::default() };
    assert_eq!(code(bed.broker.change_user(&admin, clerk.id, version, &less).await), "done");
    assert!(admin.may(Action::ManageUsers).is_ok());
    assert_eq!(bed.told(EventKind::UserChanged).await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_four_eyes_nobody_alone_gets_to_be_whom_a_provider_knows() {
    let settings = PeopleSettings { four_eyes: true, ..PeopleSettings::default() };
    let bed = Bed::new(None, settings).await;
    let admin = bed.admin();
    let other = Caller { actor: Actor { kind: "person".into(), id: "other".into() }, ..admin.clone() };
    let invited = bed.invites("erika", &[Role::Clerk]).await;
    let id = invited.user.id;
    let identity = Some(("https://sso.example".to_owned(), "4711".to_owned()));
    let linked = UserChange { identity: Some(identity), ..UserChange::default() };
    bed.broker.change_user_of("soest", id, &linked, &command_line()).await.unwrap();
    // Whoever has handed over the initial secret knows it.
    assert_eq!(code(bed.broker.begin_set_up(&invited.secret).await), "user.set-up-over");
    assert_eq!(code(bed.broker.reset_user(&admin, id).await), "user.needs-approval");
    let of_unit =
        Caller { scope: Scope { units: Within::one("70"), ..admin.scope.clone() }, ..admin.clone() };
    let reset = UserChange { reset: true, ..UserChange::default() };
    let elsewhere = UserChange { units: Some(Within::one("64")), ..UserChange::default() };
    let asks = |change: &UserChange, reason: &str| {
        let act = Act::User { user: id, change: Box::new(change.clone()), before: None };
        NewApproval { act, reason: reason.into() }
    };
    for (who, change, refused) in
        [(&of_unit, &reset, "model.not-found"), (&admin, &elsewhere, "broker.unknown-unit")]
    {
        assert_eq!(code(bed.broker.ask_for(who, asks(change, "x"), None).await), refused);
    }
    let asked = bed.broker.ask_for(&admin, asks(&reset, "auch ohne Anbieter"), None).await.unwrap();
    // Whoever decides judges by what the user was.
    assert_eq!(asked.detail["before"]["roles"], json!(["clerk"]));
    bed.broker.agree_to(&other, asked.id).await.unwrap();
    let invited = bed.broker.reset_user(&admin, id).await.unwrap();
    assert_eq!(code(bed.broker.begin_set_up(&invited.secret).await), "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_set_an_account_up_before_it_was_linked_is_out_of_it() {
    let bed = Bed::new(None, PeopleSettings::default()).await;
    let (_, open, _) = bed.with_codes("olaf", &[Role::Operator]).await;
    let olaf = Stranger {
        issuer: "https://sso.example".into(),
        subject: "4711".into(),
        email: None,
        login: Some("olaf".into()),
        name: None,
        rights: None,
    };
    let known = bed.broker.sign_in_stranger("soest", &olaf, LinkBy::Login).await.unwrap();
    assert!(bed.broker.visit(&open.token).await.unwrap().is_none());
    assert_eq!(code(bed.broker.sign_in("olaf", PASSWORD, None).await), "user.refused");
    let user = bed.broker.visit(&known.token).await.unwrap().unwrap().user;
    assert_eq!((user.has_password, user.has_totp, user.recovery_left), (false, false, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_agreed_to_changes_a_user_only_as_it_was_shown() {
    let settings = PeopleSettings { four_eyes: true, ..PeopleSettings::default() };
    let bed = Bed::new(None, settings).await;
    let admin = bed.admin();
    let other = Caller { actor: Actor { kind: "person".into(), id: "other".into() }, ..admin.clone() };
    let id = bed.invites("erika", &[Role::Clerk]).await.user.id;
    let roles = |roles: &[Role]| UserChange { roles: Some(roles.to_vec()), ..UserChange::default() };
    let asked = async |change: UserChange| {
        let act = Act::User { user: id, change: Box::new(change), before: None };
        let new = NewApproval { act, reason: "Vertretung".into() };
        bed.broker.ask_for(&admin, new, None).await.unwrap().id
    };
    let agreed = async |approval: Id| code(bed.broker.agree_to(&other, approval).await);
    let user = async || bed.broker.user(&admin, id).await.unwrap();
    // Of two requests the second says nothing any more of whom the first has changed.
    let cashier = asked(roles(&[Role::Clerk, Role::Cashier])).await;
    let operator = asked(roles(&[Role::Clerk, Role::Operator])).await;
    assert_eq!(agreed(cashier).await, "done");
    assert_eq!(agreed(operator).await, "model.version-conflict");
    let changed = user().await;
    assert!(changed.roles.len() == 2 && changed.roles.contains(&Role::Cashier), "{changed:?}");
    // What was lowered since it was asked for does not come back.
    let more = asked(roles(&[Role::Clerk, Role::Cashier, Role::Operator])).await;
    bed.broker.change_user(&admin, id, changed.version, &roles(&[Role::Clerk])).await.unwrap();
    assert_eq!(agreed(more).await, "model.version-conflict");
    assert_eq!(user().await.roles, [Role::Clerk]);
}
