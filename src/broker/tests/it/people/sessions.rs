//! Sessions: how they end, and that rights count at once.

use broker::{PeopleSettings, TotpPolicy, UserChange, UserState};
use model::{Action, EventKind, Role};

use super::bed::{Bed, MINUTE, PASSWORD, code};
use crate::engines::on_every_engine;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lives_on_any_node_until_nothing_is_done_in_it_or_a_day_is_over() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database, PeopleSettings::default()).await;
        let (user, open) = bed.clerk("erika").await;
        let visit = bed.other_node().visit(&open.token).await.unwrap().unwrap();
        assert_eq!(
            (visit.caller.actor.kind.as_str(), visit.caller.actor.id),
            ("person", user.id.to_string())
        );
        assert_eq!((visit.user.login.as_str(), visit.form.len()), ("erika", 43));
        let strange = ["".to_owned(), "x".to_owned(), "A".repeat(43), format!("{}x", open.token)];
        for token in strange {
            assert!(bed.broker.visit(&token).await.unwrap().is_none());
        }
        // What renews itself keeps nobody signed in.
        for _ in 0..3 {
            bed.clock.advance(9 * MINUTE);
            assert!(bed.other_node().glance(&open.token).await.unwrap().is_some());
        }
        bed.clock.advance(4 * MINUTE);
        assert!(bed.broker.visit(&open.token).await.unwrap().is_none());
        let open = bed.broker.sign_in("erika", PASSWORD, None).await.unwrap();
        for _ in 0..23 {
            bed.clock.advance(25 * MINUTE);
            assert!(bed.other_node().visit(&open.token).await.unwrap().is_some());
        }
        bed.clock.advance(25 * MINUTE);
        assert!(bed.broker.visit(&open.token).await.unwrap().is_none(), "ten hours");
        assert_eq!(bed.told(EventKind::UserSignedIn).await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_disabling_and_other_rights_end_sessions_at_once() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database, PeopleSettings::default()).await;
        let (user, open) = bed.clerk("erika").await;
        let opens = async || bed.broker.sign_in("erika", PASSWORD, None).await.unwrap().token;
        let is_open = async |token: &str| bed.broker.visit(token).await.unwrap().is_some();
        let other = opens().await;
        assert!(is_open(&open.token).await && is_open(&other).await);
        bed.broker.sign_out(&open.token).await.unwrap();
        bed.broker.sign_out(&open.token).await.unwrap();
        assert!(!is_open(&open.token).await && is_open(&other).await);
        let change = async |change: UserChange| {
            let version = bed.broker.user(&bed.admin(), user.id).await.unwrap().version;
            bed.broker.change_user(&bed.admin(), user.id, version, &change).await.unwrap()
        };
        change(UserChange { name: Some("Erika Muster".into()), ..UserChange::default() }).await;
        assert!(is_open(&other).await, "a name is no right");
        let visit = bed.broker.visit(&other).await.unwrap().unwrap();
        assert!(visit.caller.may(Action::WriteCases).is_ok());
        change(UserChange { roles: Some(vec![Role::Cashier]), ..UserChange::default() }).await;
        assert!(!is_open(&other).await);
        let token = opens().await;
        let visit = bed.broker.visit(&token).await.unwrap().unwrap();
        assert!(visit.caller.may(Action::WriteCases).is_err() && visit.caller.may(Action::KeepCash).is_ok());
        change(UserChange { state: Some(UserState::Disabled), ..UserChange::default() }).await;
        assert!(!is_open(&token).await);
        change(UserChange { state: Some(UserState::Active), ..UserChange::default() }).await;
        let token = opens().await;
        bed.broker.end_user_sessions(&bed.admin(), user.id).await.unwrap();
        assert!(!is_open(&token).await);
        let told = bed.told(EventKind::UserChanged).await;
        assert!(!format!("{told:?}").contains("Muster"), "{told:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_the_other_sessions_and_guessing_the_old_one_counts() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database, PeopleSettings::default()).await;
        let (_, open) = bed.clerk("erika").await;
        let other = bed.broker.sign_in("erika", PASSWORD, None).await.unwrap().token;
        let who = bed.broker.visit(&open.token).await.unwrap().unwrap();
        assert_eq!(bed.broker.own_sessions(&who).await.unwrap().len(), 2);
        let change = async |now: &str, new: &str| code(bed.broker.change_password(&who, now, new).await);
        assert_eq!(change(PASSWORD, PASSWORD).await, "user.password-common");
        assert_eq!(change(PASSWORD, "kurz").await, "user.password-short");
        assert_eq!(change("wrong", "acht Boote im Nebel").await, "user.refused");
        assert_eq!(change(PASSWORD, "acht Boote im Nebel").await, "done");
        assert!(bed.broker.visit(&other).await.unwrap().is_none());
        assert!(bed.broker.visit(&open.token).await.unwrap().is_some());
        assert_eq!(code(bed.broker.sign_in("erika", PASSWORD, None).await), "user.refused");
        let third = bed.broker.sign_in("erika", "acht Boote im Nebel", None).await.unwrap().token;
        bed.broker.end_other_sessions(&who).await.unwrap();
        assert!(bed.broker.visit(&third).await.unwrap().is_none());
        for _ in 0..5 {
            assert_eq!(change("wrong", "neun Boote im Nebel").await, "user.refused");
        }
        assert_eq!(change("acht Boote im Nebel", "neun Boote im Nebel").await, "user.refused", "has to wait");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_renewed_with_the_password_and_removed_only_where_nobody_needs_them() {
    let bed = Bed::new(None, PeopleSettings::default()).await;
    let (_, open) = bed.clerk("erika").await;
    let who = bed.broker.visit(&open.token).await.unwrap().unwrap();
    assert_eq!(code(bed.broker.new_recovery_codes(&who, PASSWORD).await), "user.codes-needed");
    let offer = bed.broker.offer_totp(&who).await.unwrap();
    let right = bed.code(&offer);
    assert_eq!(code(bed.broker.confirm_totp(&who, "wrong", &right).await), "user.refused");
    assert_eq!(bed.broker.confirm_totp(&who, PASSWORD, &right).await.unwrap().len(), 10);
    let next = bed.broker.offer_totp(&who).await.unwrap();
    assert_ne!(next.secret, offer.secret, "what codes are made of is shown once");
    assert_eq!(bed.broker.new_recovery_codes(&who, PASSWORD).await.unwrap().len(), 10);
    bed.broker.remove_totp(&who, PASSWORD).await.unwrap();
    let all = PeopleSettings { totp: TotpPolicy::All, ..PeopleSettings::default() };
    let strict = bed.other_node().with_people(all);
    assert_eq!(code(strict.remove_totp(&who, PASSWORD).await), "user.codes-needed");
}
