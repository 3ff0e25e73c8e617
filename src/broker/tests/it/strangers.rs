//! People whom a provider of identities knows: linked once, made by their groups, and never somebody else.

use std::sync::Arc;

use broker::{GivenRights, LinkBy, NewUser, Stranger, UserFilter};
use model::rights::Within;
use model::{Actor, Role};

use crate::engines::on_every_engine;
use crate::house::{Gateway, SetClock, caller};

fn erika(rights: Option<GivenRights>) -> Stranger {
    Stranger {
        issuer: "https://sso.example".into(),
        subject: "4711".into(),
        email: Some("Erika@kreis.example".into()),
        login: Some("erika".into()),
        name: Some("Erika M.".into()),
        rights,
    }
}

fn user(login: &str, email: Option<&str>) -> NewUser {
    NewUser {
        login: login.into(),
        name: login.to_uppercase(),
        email: email.map(str::to_owned),
        roles: vec![Role::Clerk],
        units: Within::one("63"),
        services: Within::All,
        authority: None,
    }
}

#[tokio::test]
async fn a_person_is_linked_once_and_only_to_who_has_no_identity() {
    on_every_engine(async |database: Option<String>| {
        let gateway = Gateway::on(database, Arc::new(SetClock::default())).await;
        let broker = &gateway.broker;
        let gateway_itself = Actor::gateway();
        let made = broker
            .add_user("soest", user("mueller", Some("erika@kreis.example")), &gateway_itself)
            .await
            .unwrap();
        for link in [LinkBy::Nothing, LinkBy::Login] {
            let refused = broker.sign_in_stranger("soest", &erika(None), link).await.unwrap_err();
            assert_eq!(refused.code(), "user.refused", "{link:?}");
        }
        let unverified = Stranger { email: None, ..erika(None) };
        assert!(broker.sign_in_stranger("soest", &unverified, LinkBy::Email).await.is_err());
        assert!(broker.sign_in_stranger("lippstadt", &erika(None), LinkBy::Email).await.is_err());
        broker.sign_in_stranger("soest", &erika(None), LinkBy::Email).await.unwrap();
        // From then on the subject counts, whatever else the provider says, and nobody else is this user.
        let moved = Stranger { email: None, login: None, ..erika(None) };
        broker.sign_in_stranger("soest", &moved, LinkBy::Nothing).await.unwrap();
        let thief = Stranger { subject: "666".into(), ..erika(None) };
        assert!(broker.sign_in_stranger("soest", &thief, LinkBy::Email).await.is_err());
        assert!(broker.sign_in_stranger("lippstadt", &erika(None), LinkBy::Email).await.is_err());
        // Two users with one address are nobody.
        for login in ["eins", "zwei"] {
            broker.add_user("soest", user(login, Some("team@kreis.example")), &gateway_itself).await.unwrap();
        }
        let team = Stranger { subject: "5".into(), email: Some("team@kreis.example".into()), ..erika(None) };
        assert!(broker.sign_in_stranger("soest", &team, LinkBy::Email).await.is_err());
        let mut admin = caller("soest", "63");
        admin.scope.units = Within::All;
        let known = broker.user(&admin, made.user.id).await.unwrap();
        assert_eq!(known.identity, Some(("https://sso.example".into(), "4711".into())));
    })
    .await;
}

#[tokio::test]
async fn groups_make_a_user_change_its_rights_and_shut_it_out() {
    let gateway = Gateway::on(None, Arc::new(SetClock::default())).await;
    let broker = &gateway.broker;
    let rights = |roles: &[Role], unit: &str| {
        Some(GivenRights { roles: roles.to_vec(), units: Within::one(unit), services: Within::All })
    };
    let none = rights(&[], "63");
    assert!(broker.sign_in_stranger("soest", &erika(none.clone()), LinkBy::Nothing).await.is_err());
    broker.sign_in_stranger("soest", &erika(rights(&[Role::Clerk], "63")), LinkBy::Nothing).await.unwrap();
    let mut admin = caller("soest", "63");
    admin.scope.units = Within::All;
    let found = async || broker.users(&admin, &UserFilter::default()).await.unwrap().items;
    let made = found().await;
    assert_eq!(
        (made.len(), made[0].login.as_str(), made[0].roles.as_slice()),
        (1, "erika", &[Role::Clerk][..])
    );
    assert!(!made[0].has_password);
    broker.sign_in_stranger("soest", &erika(rights(&[Role::Cashier], "70")), LinkBy::Nothing).await.unwrap();
    let changed = found().await;
    assert_eq!((changed[0].roles.as_slice(), &changed[0].units), (&[Role::Cashier][..], &Within::one("70")));
    assert!(broker.sign_in_stranger("soest", &erika(none), LinkBy::Nothing).await.is_err());
    // Somebody else who is called the same there does not get this login.
    let other = Stranger { subject: "2".into(), email: None, ..erika(rights(&[Role::Clerk], "63")) };
    assert!(broker.sign_in_stranger("soest", &other, LinkBy::Nothing).await.is_err());
}
