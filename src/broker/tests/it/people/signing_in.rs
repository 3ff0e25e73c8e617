//! Signing in: whoever guesses learns nothing, has to wait, and a code is used once.

use std::time::Duration;

use broker::{Next, PeopleSettings, TotpPolicy, UserChange, UserState};
use model::{Clock, EventKind, Role};
use serde_json::json;

use super::bed::{Bed, MINUTE, PASSWORD, code, command_line};
use crate::engines::on_every_engine;

fn state(state: UserState) -> UserChange {
    UserChange { state: Some(state), ..UserChange::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_gets_the_same_answer_for_the_same_work_whatever_is_wrong() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database, PeopleSettings::default()).await;
        let mut users = vec![];
        for login in ["right", "locked", "disabled"] {
            users.push(bed.clerk(login).await.0);
        }
        bed.invites("invited", &[Role::Clerk]).await;
        for (at, wanted) in [(1, UserState::Locked), (2, UserState::Disabled)] {
            let user = bed.broker.user(&bed.admin(), users[at].id).await.unwrap();
            bed.broker.change_user(&bed.admin(), user.id, user.version, &state(wanted)).await.unwrap();
        }
        let mut seen = vec![];
        for (login, password) in [
            ("nobody", PASSWORD),
            ("right", "wrong"),
            ("locked", PASSWORD),
            ("locked", "wrong"),
            ("disabled", PASSWORD),
            ("invited", PASSWORD),
            ("invited", ""),
            ("a'b\"%", "x"),
        ] {
            let before = (bed.broker.times_asked(), bed.broker.times_hashed());
            let said = code(bed.broker.sign_in(login, password, Some("10.0.0.7")).await);
            seen.push((said, bed.broker.times_asked() - before.0, bed.broker.times_hashed() - before.1));
        }
        assert!(seen.iter().all(|it| *it == seen[0]), "{seen:?}");
        assert_eq!((seen[0].0.as_str(), seen[0].2), ("user.refused", 1));
        assert_eq!(bed.broker.sign_in(" Right ", PASSWORD, None).await.unwrap().next, Next::Open);
        let told = bed.told(EventKind::UserRefused).await;
        assert!(told.len() == 6 && told.iter().all(|it| it["user"].is_string()), "{told:?}");
        // Of whom nobody knows who it was, the first tenant of the house is told.
        let told = bed.told_in("lippstadt", EventKind::UserRefused).await;
        assert!(told.len() == 2 && told.iter().all(|it| it["user"].is_null()), "{told:?}");
        assert!(!format!("{told:?}").contains("nobody"), "{told:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_waits_longer_each_time_whether_there_is_one_or_not_and_an_administrator_lifts_it() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database, PeopleSettings::default()).await;
        let (user, _) = bed.clerk("erika").await;
        for login in ["erika", "nobody"] {
            for _ in 0..5 {
                assert_eq!(code(bed.broker.sign_in(login, "wrong", None).await), "user.refused");
            }
            let before = (bed.broker.times_asked(), bed.broker.times_hashed());
            assert_eq!(code(bed.broker.sign_in(login, PASSWORD, None).await), "user.refused");
            let after = (bed.broker.times_asked() - before.0, bed.broker.times_hashed() - before.1);
            assert_eq!(after, (1, 0), "{login}: whoever has to wait makes no work");
        }
        // Another node knows, too; and others are not kept out.
        assert_eq!(code(bed.other_node().sign_in("erika", PASSWORD, None).await), "user.refused");
        bed.clerk("max").await;
        assert_eq!(code(bed.broker.sign_in("max", PASSWORD, None).await), "done");
        bed.clock.advance(Duration::from_secs(31));
        assert_eq!(code(bed.broker.sign_in("erika", "wrong", None).await), "user.refused");
        bed.clock.advance(Duration::from_secs(31));
        assert_eq!(code(bed.broker.sign_in("erika", PASSWORD, None).await), "user.refused", "now a minute");
        assert!(bed.broker.user_waits(&bed.admin(), user.id).await.unwrap().is_some());
        bed.broker.lift_waiting(&bed.admin(), user.id).await.unwrap();
        assert_eq!(code(bed.broker.sign_in("erika", PASSWORD, None).await), "done");
        assert_eq!(bed.broker.user_waits(&bed.admin(), user.id).await.unwrap(), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_guesses_at_the_same_time_gain_nothing() {
    let bed = Bed::new(None, PeopleSettings::default()).await;
    bed.clerk("erika").await;
    let before = bed.broker.times_hashed();
    let guesses = (0..40).map(|_| bed.broker.sign_in("erika", "wrong", None));
    let all = futures::future::join_all(guesses).await;
    assert!(all.iter().all(Result::is_err));
    let hashed = bed.broker.times_hashed() - before;
    assert!(hashed <= 9, "{hashed} passwords were looked at");
    assert_eq!(bed.told(EventKind::UserLockedOut).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_tries_very_many_logins_waits_and_others_do_not() {
    let bed = Bed::new(None, PeopleSettings::default()).await;
    bed.clerk("erika").await;
    for guess in 0..50 {
        bed.broker.sign_in(&format!("guess{guess}"), "x", Some("10.6.6.6")).await.unwrap_err();
    }
    assert_eq!(code(bed.broker.sign_in("erika", PASSWORD, Some("10.6.6.6")).await), "user.refused");
    assert_eq!(code(bed.broker.sign_in("erika", PASSWORD, Some("10.0.0.7")).await), "done");
    let told = bed.told_in("lippstadt", EventKind::UserLockedOut).await;
    assert!(told.len() == 1 && told[0]["place"] == "origin" && told[0]["user"].is_null(), "{told:?}");
    assert!(!format!("{told:?}").contains("10.6.6.6"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_begins_is_told_once_and_takes_the_same_work_whether_there_is_such_a_login_or_not() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database, PeopleSettings::default()).await;
        let (user, _) = bed.clerk("erika").await;
        let mut seen = vec![];
        for login in ["erika", "nobody"] {
            let before = (bed.broker.times_asked(), bed.broker.times_hashed());
            for _ in 0..9 {
                assert_eq!(code(bed.broker.sign_in(login, "wrong", None).await), "user.refused");
            }
            seen.push((bed.broker.times_asked() - before.0, bed.broker.times_hashed() - before.1));
        }
        assert_eq!(seen[0], seen[1]);
        let until = bed.clock.now().plus(Duration::from_secs(30));
        let told = bed.told(EventKind::UserLockedOut).await;
        assert_eq!(told, [json!({ "place": "login", "user": user.id, "until": until })]);
        let told = bed.told_in("lippstadt", EventKind::UserLockedOut).await;
        assert_eq!(told, [json!({ "place": "login", "user": null, "until": until })]);
        bed.clock.advance(Duration::from_secs(31));
        for _ in 0..3 {
            assert_eq!(code(bed.broker.sign_in("erika", "wrong", None).await), "user.refused");
        }
        assert_eq!(bed.told(EventKind::UserLockedOut).await.len(), 2, "the next wait is another one");
    })
    .await;
}

/// The password is looked at on the only thread for such work, which is held until the password is over.
#[test]
fn a_password_that_ends_while_it_is_looked_at_opens_nothing() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.max_blocking_threads(1).enable_all().build().unwrap().block_on(async {
        let bed = Bed::new(None, PeopleSettings::default()).await;
        let (user, _) = bed.clerk("erika").await;
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let held = tokio::task::spawn_blocking(move || wait.recv());
        let (broker, before) = (bed.broker.clone(), bed.broker.times_hashed());
        let signing_in = tokio::spawn(async move { broker.sign_in("erika", PASSWORD, None).await });
        while bed.broker.times_hashed() == before && !signing_in.is_finished() {
            tokio::task::yield_now().await;
        }
        bed.broker.reset_user_of("soest", user.id, &command_line()).await.unwrap();
        drop(go);
        assert!(held.await.unwrap().is_err(), "nothing was said, it was only let go");
        assert_eq!(code(signing_in.await.unwrap()), "user.refused");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_follows_the_password_is_taken_once_and_a_recovery_code_does_as_well() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database, PeopleSettings::default()).await;
        let (offer, first, recovery) = bed.with_codes("olaf", &[Role::Operator]).await;
        assert!(bed.broker.visit(&first.token).await.unwrap().is_some());
        let begin = async || {
            let begun = bed.broker.sign_in("olaf", PASSWORD, None).await.unwrap();
            assert_eq!(begun.next, Next::Code);
            begun.token
        };
        let token = begin().await;
        assert!(bed.broker.visit(&token).await.unwrap().is_none(), "the password alone opens nothing");
        // The code of setting up was taken.
        let used = bed.code(&offer);
        assert_eq!(code(bed.broker.sign_in_code(&token, &used, None).await), "user.refused");
        bed.clock.advance(Duration::from_secs(30));
        let fresh = bed.code(&offer);
        // Two browsers with the same code at the same time: one gets in.
        let other = begin().await;
        let both = tokio::join!(
            bed.broker.sign_in_code(&token, &fresh, None),
            bed.broker.sign_in_code(&other, &fresh, None),
        );
        assert_eq!(u8::from(both.0.is_ok()) + u8::from(both.1.is_ok()), 1);
        let open = both.0.or(both.1).unwrap();
        assert!(open.token != token && open.token != other, "a new session, whatever there was before");
        assert!(bed.broker.visit(&open.token).await.unwrap().is_some());
        for wanted in ["done", "user.refused"] {
            let token = begin().await;
            let said = bed.broker.sign_in_code(&token, &recovery[3].to_lowercase(), None).await;
            assert_eq!(code(said), wanted);
        }
        let token = begin().await;
        bed.clock.advance(5 * MINUTE);
        let late = bed.code(&offer);
        assert_eq!(code(bed.broker.sign_in_code(&token, &late, None).await), "user.refused", "five minutes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_guessed_no_more_often_than_passwords() {
    let bed = Bed::new(None, PeopleSettings::default()).await;
    let (offer, ..) = bed.with_codes("olaf", &[Role::Operator]).await;
    bed.clock.advance(Duration::from_secs(30));
    let token = bed.broker.sign_in("olaf", PASSWORD, None).await.unwrap().token;
    for _ in 0..5 {
        assert_eq!(code(bed.broker.sign_in_code(&token, "12345x", None).await), "user.refused");
    }
    let right = bed.code(&offer);
    assert_eq!(code(bed.broker.sign_in_code(&token, &right, None).await), "user.refused");
    assert_eq!(code(bed.broker.sign_in("olaf", PASSWORD, None).await), "user.refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_initial_secret_opens_the_set_up_until_it_is_done_or_its_time_is_over() {
    on_every_engine(|database| async move {
        let bed = Bed::new(database, PeopleSettings::default()).await;
        let invited = bed.invites("olaf", &[Role::Operator]).await;
        assert_eq!(code(bed.broker.begin_set_up("ami_x").await), "user.set-up-over");
        let token = bed.broker.begin_set_up(&invited.secret).await.unwrap().token;
        assert!(bed.broker.visit(&token).await.unwrap().is_none());
        let wanted = bed.broker.set_up_wanted(&token).await.unwrap();
        let offer = wanted.totp.unwrap();
        assert!(
            wanted.password && offer.uri.starts_with("otpauth://totp/soest:olaf?secret="),
            "{}",
            offer.uri
        );
        let right = bed.code(&offer);
        for (password, said, wanted) in [
            ("kurz", right.as_str(), "user.password-short"),
            ("olaf geht baden", right.as_str(), "user.password-personal"),
            ("Passwort2026!", right.as_str(), "user.password-common"),
            (PASSWORD, "12345x", "user.code-wrong"),
        ] {
            assert_eq!(code(bed.broker.set_up(&token, password, said).await), wanted);
        }
        // It was interrupted, and is begun again.
        let again = bed.broker.begin_set_up(&invited.secret).await.unwrap().token;
        assert_ne!(bed.broker.set_up_wanted(&again).await.unwrap().totp.unwrap().secret, offer.secret);
        let (open, recovery) = bed.broker.set_up(&token, PASSWORD, &right).await.unwrap();
        assert_eq!((open.next, recovery.len()), (Next::Open, 10));
        assert_eq!(code(bed.broker.set_up_wanted(&again).await), "user.set-up-over");
        assert_eq!(code(bed.broker.begin_set_up(&invited.secret).await), "user.set-up-over");
        let late = bed.invites("spaet", &[Role::Clerk]).await;
        bed.clock.advance(72 * 60 * MINUTE);
        assert_eq!(code(bed.broker.begin_set_up(&late.secret).await), "user.set-up-over");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_roles_need_codes_sets_them_up_when_signing_in_next_unless_the_house_wants_none() {
    let bed = Bed::new(None, PeopleSettings::default()).await;
    let (user, _) = bed.clerk("erika").await;
    let user = bed.broker.user(&bed.admin(), user.id).await.unwrap();
    let change = UserChange { roles: Some(vec![Role::Clerk, Role::Auditor]), ..UserChange::default() };
    bed.broker.change_user(&bed.admin(), user.id, user.version, &change).await.unwrap();
    let begun = bed.broker.sign_in("erika", PASSWORD, None).await.unwrap();
    assert_eq!(begun.next, Next::SetUp);
    let wanted = bed.broker.set_up_wanted(&begun.token).await.unwrap();
    assert!(!wanted.password && wanted.totp.is_some());
    let optional = PeopleSettings { totp: TotpPolicy::Optional, ..PeopleSettings::default() };
    let lenient = bed.other_node().with_people(optional);
    assert_eq!(lenient.sign_in("erika", PASSWORD, None).await.unwrap().next, Next::Open);
}
