//! A store that was stolen: whoever reads all of it has nothing that lets anybody in.

use broker::PeopleSettings;
use model::Role;

use super::bed::{Bed, PASSWORD, base_32};

#[tokio::test(flavor = "multi_thread")]
async fn no_password_session_code_or_initial_secret_can_be_read_in_the_store() {
    let bed = Bed::new(None, PeopleSettings::default()).await;
    let waiting = bed.invites("erika", &[Role::Clerk]).await;
    let (offer, open, recovery) = bed.with_codes("olaf", &[Role::Operator]).await;
    let half = bed.broker.sign_in("olaf", PASSWORD, None).await.unwrap();
    let invited = bed.invites("uwe", &[Role::Operator]).await;
    let setting_up = bed.broker.begin_set_up(&invited.secret).await.unwrap();
    let offered = bed.broker.set_up_wanted(&setting_up.token).await.unwrap().totp.unwrap();

    // As they are shown, and what codes are made of as the bytes that it is.
    let texts = [&waiting.secret, &invited.secret, &open.token, &half.token, &setting_up.token];
    let texts = texts.into_iter().chain(&recovery).chain([&offer.secret, &offered.secret]);
    let mut secrets: Vec<Vec<u8>> = texts.map(|text| text.as_bytes().to_vec()).collect();
    secrets.extend(recovery.iter().map(|code| code.replace('-', "").into_bytes()));
    secrets.extend([base_32(&offer.secret), base_32(&offered.secret), PASSWORD.as_bytes().to_vec()]);
    let stored = bed.stored();
    let holds = |wanted: &[u8]| stored.windows(wanted.len()).any(|window| window == wanted);
    assert!(holds(b"olaf") && holds(b"uwe") && holds(b"$argon2id$"), "what is kept is looked into");
    for secret in &secrets {
        assert!(secret.len() >= 8 && !holds(secret), "{}", String::from_utf8_lossy(secret));
    }
    // It still lets in whom it belongs to.
    assert!(bed.broker.visit(&open.token).await.unwrap().is_some());
}
