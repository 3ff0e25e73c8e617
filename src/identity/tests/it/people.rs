//! People sign in at a real provider, by its own pages.

use identity::{Back, Error, Pending};

use crate::bed::{Bed, Browser, provider_at};

fn back(query: &str) -> Back {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let mut back = Back::default();
    for (name, value) in pairs {
        match name.as_ref() {
            "code" => back.code = Some(value.into_owned()),
            "state" => back.state = Some(value.into_owned()),
            "iss" => back.iss = Some(value.into_owned()),
            "error" => back.error = Some(value.into_owned()),
            _ => {}
        }
    }
    back
}

#[tokio::test]
async fn a_person_signs_in_at_a_provider_and_nobody_else_can_use_the_answer() {
    let bed = Bed::start().await;
    let provider = bed.provider();
    let started = provider.start().await.unwrap();
    let answer = back(&Browser::new(&bed).sign_in(&started.url, "erika").await);
    assert_eq!(answer.iss.as_deref(), Some(bed.issuer.as_str()), "this provider names itself");

    // What a sign-in was begun with survives its cookie, and nothing that was cut or lengthened does.
    let cookie = started.pending.to_cookie();
    assert_eq!(Pending::from_cookie(&cookie), Some(started.pending.clone()));
    for wrong in ["", &cookie[1..], &format!("{cookie}.x"), &cookie.replace('.', "")] {
        assert_eq!(Pending::from_cookie(wrong), None, "{wrong}");
    }

    // Another browser has begun another sign-in: a code that was put upon it is of no use.
    let other = provider.start().await.unwrap().pending;
    assert_eq!(provider.back(&other, &answer).await.unwrap_err(), Error::State);
    let forced = Back { state: Some(other.to_cookie()[..43].to_owned()), ..answer.clone() };
    assert_eq!(
        provider.back(&other, &forced).await.unwrap_err(),
        Error::Refused,
        "PKCE: the verifier is another"
    );

    // The provider takes a code that somebody else tried for spent, so a fresh one is needed.
    let started = provider.start().await.unwrap();
    let answer = back(&Browser::new(&bed).sign_in(&started.url, "erika").await);
    for (iss, why) in [(Some("https://other.example".to_owned()), "another issuer"), (None, "none is named")]
    {
        let mixed = Back { iss, ..answer.clone() };
        assert_eq!(provider.back(&started.pending, &mixed).await.unwrap_err(), Error::Issuer, "{why}");
    }
    let failed = Back { error: Some("<script>".into()), ..answer.clone() };
    assert_eq!(provider.back(&started.pending, &failed).await.unwrap_err(), Error::Refused);

    let known = provider.back(&started.pending, &answer).await.unwrap();
    assert_eq!((known.issuer.as_str(), known.subject.as_str()), (bed.issuer.as_str(), "erika"));
    assert_eq!(known.email.as_deref(), Some("erika@kreis.example"));
    assert_eq!((known.login.as_deref(), known.name.as_deref()), (Some("erika"), Some("Erika M.")));
    assert_eq!(known.groups, ["bauamt"]);
    assert_eq!(
        provider.back(&started.pending, &answer).await.unwrap_err(),
        Error::Refused,
        "a code is good once"
    );

    let out = provider.sign_out_url().await.unwrap();
    assert!(out.starts_with(&format!("{}/session/end?", bed.issuer)), "{out}");
}

#[tokio::test]
async fn an_address_that_was_not_verified_is_nobody_s() {
    let bed = Bed::start().await;
    let provider = bed.provider();
    let started = provider.start().await.unwrap();
    let answer = back(&Browser::new(&bed).sign_in(&started.url, "otto").await);
    let known = provider.back(&started.pending, &answer).await.unwrap();
    assert_eq!((known.email, known.groups.len()), (None, 0));

    // Metadata of another issuer than the one that is configured are not taken.
    let confused = provider_at(&format!("{}/", bed.issuer));
    assert_eq!(confused.start().await.unwrap_err(), Error::Issuer);
}
