//! Signing in and what follows, over HTTP with real sessions: what browsers send, and what those send who mean harm.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use broker::{Broker, LinkBy, NewUser, PeopleSettings, TotpPolicy};
use console::{Console, Elsewhere, Sessions, Settings};
use identity::{Pauses, Provider, ProviderSettings, Signing};
use model::rights::Within;
use model::{Actor, Role, SystemClock};
use net::{Client, Egress};

use crate::bed::Bed;
use crate::desk::value_of;
use crate::gateway::{Answer, Call, Gateway};

const PASSWORD: &str = "sieben Ampeln am Deich";

/// A gateway whose visitors have to sign in.
pub(crate) struct House {
    broker: Broker,
    pages: Router,
    _gateway: Gateway,
}

impl House {
    pub(crate) async fn start() -> House {
        House::with_console(|console| console).await
    }

    async fn with_console(change: impl FnOnce(Console) -> Console) -> House {
        let gateway = Gateway::start().await;
        let settings = PeopleSettings { totp: TotpPolicy::Optional, ..PeopleSettings::default() };
        let broker = gateway.broker.clone().with_people(settings);
        let sessions = Arc::new(Sessions(broker.clone()));
        let pages = console::router(change(Console::new(broker.clone(), sessions, Settings::default())));
        House { broker, pages, _gateway: gateway }
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        Gateway::ask(&self.pages, request).await
    }

    pub(crate) async fn see(&self, session: &str, path: &str) -> Answer {
        self.ask(Request::get(path).header("cookie", cookie(session)).body(Body::empty()).unwrap()).await
    }

    /// A form from here.
    async fn send(&self, session: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send_with(session, path, fields, &[("sec-fetch-site", "same-origin")]).await
    }

    async fn send_with(
        &self,
        session: &str,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path).header("cookie", cookie(session));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
        self.ask(request.body(Body::from(text)).unwrap()).await
    }

    /// Adds somebody, who sets a password: the session.
    pub(crate) async fn with(&self, login: &str, roles: &[Role]) -> String {
        let new = NewUser {
            login: login.into(),
            name: format!("Erika {login}"),
            email: None,
            roles: roles.to_vec(),
            units: Within::All,
            services: Within::All,
            authority: None,
        };
        let by = Actor { kind: "system".into(), id: "cli".into() };
        let secret = self.broker.add_user("soest", new, &by).await.unwrap().secret;
        let welcomed = self.send("", "/console/welcome", &[("secret", &secret)]).await.is(303);
        let session = session_of(&welcomed);
        let page = self.see(&session, "/console/set-up").await.is(200);
        assert!(text(&page).contains(login));
        let fields = [("new", PASSWORD), ("again", PASSWORD)];
        session_of(&self.send(&session, "/console/set-up", &fields).await.is(303))
    }

    async fn signs_in(&self, login: &str, password: &str, to: &str) -> Answer {
        let fields = [("login", login), ("password", password), ("to", to)];
        self.send("", "/console/sign-in", &fields).await
    }

    /// What forms of a session carry.
    async fn form(&self, session: &str) -> String {
        let page = self.see(session, "/console/account").await.is(200);
        let text = text(&page);
        let (_, rest) = text.split_once("name=\"form\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

fn cookie(session: &str) -> String {
    format!("__Host-amtsbote-console={session}")
}

/// The session that an answer gives, in a cookie as it should be.
fn session_of(answer: &Answer) -> String {
    let set = answer.header("set-cookie");
    let (session, rest) = set.split_once('=').and_then(|(_, it)| it.split_once(';')).unwrap();
    assert_eq!(rest, " Secure; HttpOnly; SameSite=Lax; Path=/");
    session.to_owned()
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_sees_the_same_page_whatever_is_wrong() {
    let house = House::start().await;
    house.with("erika", &[Role::Clerk]).await;
    let mut seen = vec![];
    for (login, password) in [("erika", "wrong"), ("nobody", PASSWORD), ("", ""), ("erika", "")] {
        let answer = house.signs_in(login, password, "").await;
        assert_eq!(answer.header("set-cookie"), "");
        seen.push((answer.status, text(&answer)));
    }
    assert!(seen.iter().all(|it| *it == seen[0]), "{seen:?}");
    assert!(seen[0].1.contains("user.refused") && !seen[0].1.contains("nobody"));
    house.signs_in("erika", PASSWORD, "").await.is(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_gives_a_new_session_and_an_old_one_stays_what_it_was() {
    let house = House::start().await;
    let first = house.with("erika", &[Role::Clerk]).await;
    let fields = [("login", "erika"), ("password", PASSWORD)];
    let planted = "A".repeat(43);
    let second = session_of(&house.send(&planted, "/console/sign-in", &fields).await.is(303));
    assert!(second != planted && second != first);
    house.see(&planted, "/console/account").await.is(303);
    house.see(&first, "/console/account").await.is(200);
    house.see(&second, "/console/account").await.is(200);
    let form = house.form(&second).await;
    let out = house.send(&second, "/console/sign-out", &[("form", &form)]).await.is(303);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(out.header("location"), "/console/sign-in?out=1&lang=de");
    let page = text(&house.see("", "/console/sign-in?out=1").await.is(200));
    assert!(page.contains("Sie sind abgemeldet") && !page.contains("oidc"));
    house.see(&second, "/console/account").await.is(303);
    house.see(&first, "/console/account").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_signed_out_finds_the_way_to_sign_out_at_the_provider() {
    let house = House::with_console(|console| console.with_provider(elsewhere())).await;
    let page = text(&house.see("", "/console/sign-in").await.is(200));
    assert!(page.contains("/console/oidc/start") && !page.contains("/console/oidc/out"));
    let page = text(&house.see("", "/console/sign-in?out=1").await.is(200));
    assert!(page.contains("href=\"/console/oidc/out?lang=de\""));
}

/// A provider that nobody answers for.
fn elsewhere() -> Elsewhere {
    let settings = ProviderSettings {
        issuer: "https://sso.example".into(),
        client_id: "amtsbote".into(),
        client_secret: None,
        scopes: vec![],
        redirect: "https://amtsbote.example/console/oidc/back".into(),
        after_sign_out: "https://amtsbote.example/console/sign-in".into(),
        algorithms: vec![Signing::Es256],
        groups_claim: "groups".into(),
    };
    let clock = Arc::new(SystemClock);
    let client = Client::new(Egress::new::<&str>(&[]).unwrap(), net::Settings::default(), clock.clone());
    let provider = Arc::new(Provider::new(settings, client, clock, Pauses::default()));
    let (label, tenant) = ("Konto der Kreisverwaltung".into(), "soest".into());
    Elsewhere { provider, label, tenant, link: LinkBy::Nothing, groups: vec![] }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_one_may_decide_waits_for_one() {
    let bed = Bed::start().await;
    let sent = Call::post("/messages").with("content-type", "application/xml");
    let sent = bed.gateway.call(&bed.token, sent.bytes("<who-knows/>")).await.is(202).json();
    let fields = [("message", sent["id"].as_str().unwrap()), ("minutes", "30"), ("reason", "Störung")];
    let asked = bed.send("operator", "/approvals/release", &fields).await.is(303);
    let path = asked.header("location").split('?').next().unwrap().strip_prefix("/console").unwrap();
    for (visitor, decides) in [("records-manager", true), ("auditor", false), ("operator", false)] {
        let list = text(&bed.see(visitor, "/approvals").await.is(200));
        assert_eq!(!list.contains("Nichts wartet auf Ihre Entscheidung"), decides, "{visitor}");
        assert_eq!(list.contains("Wartet auf andere"), visitor == "auditor", "{visitor}");
        let page = text(&bed.see(visitor, path).await.is(200));
        assert!(page.contains("Störung"));
        assert_eq!(page.contains("/agree"), decides, "{visitor}");
    }
    bed.see("clerk-unna", path).await.is(404);
    bed.see("operator", "/approvals/none").await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_goes_on_to_what_was_wanted_and_never_elsewhere() {
    let house = House::start().await;
    house.with("erika", &[Role::Clerk]).await;
    let wanted = house.see("", "/console/account?x=1").await.is(303);
    let expected = "/console/sign-in?lang=de&to=%2Fconsole%2Faccount%3Fx%3D1";
    assert_eq!(wanted.header("location"), expected);
    for (to, location) in [
        ("/console/account?x=1", "/console/account?x=1"),
        ("https://boese.example/", "/console/?lang=de"),
        ("//boese.example/console/", "/console/?lang=de"),
        ("/console/\\boese.example", "/console/?lang=de"),
        ("/\u{9}/boese.example", "/console/?lang=de"),
        ("javascript:alert(1)", "/console/?lang=de"),
    ] {
        let answer = house.signs_in("erika", PASSWORD, to).await.is(303);
        assert_eq!(answer.header("location"), location, "{to}");
    }
    let page = house.see("", "/console/sign-in?to=https://boese.example/").await.is(200);
    // The link to the other language keeps what was asked for, and the page looks at it again.
    assert!(!text(&page).contains("name=\"to\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_counts_only_from_here_and_of_this_session() {
    let house = House::start().await;
    let (erika, max) = (house.with("erika", &[Role::Clerk]).await, house.with("max", &[Role::Clerk]).await);
    let (own, other) = (house.form(&erika).await, house.form(&max).await);
    assert_ne!(own, other);
    let path = "/console/account/sessions/end";
    let here = ("sec-fetch-site", "same-origin");
    let origin = ("origin", "https://boese.example");
    for (fields, headers) in [
        (vec![], vec![here]),
        (vec![("form", "")], vec![here]),
        (vec![("form", other.as_str())], vec![here]),
        (vec![("form", own.as_str())], vec![("sec-fetch-site", "cross-site")]),
        (vec![("form", own.as_str())], vec![("host", "amt.example"), origin]),
        (vec![("form", own.as_str())], vec![("origin", "null")]),
    ] {
        house.send_with(&erika, path, &fields, &headers).await.is(403);
    }
    house.send(&erika, path, &[("form", &own)]).await.is(303);
    // Signing in is a form, too.
    let fields = [("login", "erika"), ("password", PASSWORD)];
    let answer = house.send_with("", "/console/sign-in", &fields, &[origin]).await.is(403);
    assert_eq!(answer.header("set-cookie"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_adds_a_user_who_then_may_do_what_the_role_allows_and_no_more() {
    let house = House::start().await;
    let admin = house.with("adam", &[Role::Admin]).await;
    let form = house.form(&admin).await;
    let empty = text(&house.see(&admin, "/console/users?q=nobody-here").await.is(200));
    assert!(empty.contains("class=\"empty\""));
    let fields = [
        ("form", form.as_str()),
        ("name", "Max <b>Muster</b>"),
        ("login", "max"),
        ("role", "cashier"),
        ("unit", "*"),
        ("services", "*"),
    ];
    let added = text(&house.send(&admin, "/console/users/new", &fields).await.is(200));
    let (_, rest) = added.split_once("ami_").unwrap();
    let secret = format!("ami_{}", rest.split('<').next().unwrap());
    assert!(added.contains("Max &lt;b&gt;Muster") && !added.contains("<b>Muster"));
    let again = text(&house.send(&admin, "/console/users/new", &fields).await.is(422));
    assert!(again.contains("user.login-taken") && again.contains("value=\"max\""));
    let welcomed = house.send("", "/console/welcome", &[("secret", &secret)]).await.is(303);
    let session = session_of(&welcomed);
    let differ = house.send(&session, "/console/set-up", &[("new", PASSWORD), ("again", "x")]).await.is(422);
    assert!(text(&differ).contains("verschieden"));
    let fields = [("new", PASSWORD), ("again", PASSWORD)];
    let max = session_of(&house.send(&session, "/console/set-up", &fields).await.is(303));
    house.see(&max, "/console/users").await.is(403);
    house.see(&max, "/console/tokens/new").await.is(403);
    let account = text(&house.see(&max, "/console/account").await.is(200));
    assert!(account.contains("Kassenbücher führen") && !account.contains("Benutzer anlegen"));
    // The administrator takes the role away: the session ends at once.
    let list = text(&house.see(&admin, "/console/users?q=max").await.is(200));
    let (_, rest) =
        list.split_once("/console/users/").map(|_| list.rsplit_once("/console/users/").unwrap()).unwrap();
    let id = rest.split('?').next().unwrap();
    let page = format!("/console/users/{id}");
    assert!(text(&house.see(&admin, &page).await.is(200)).contains("max"));
    let version = house.broker.user_by_login("soest", "max").await.unwrap().version.to_string();
    let fields = [
        ("form", form.as_str()),
        ("version", version.as_str()),
        ("name", "Max Muster"),
        ("unit", "*"),
        ("services", "*"),
    ];
    house.send(&admin, &page, &fields).await.is(303);
    house.see(&max, "/console/account").await.is(303);
    let stale = house.send(&admin, &page, &fields).await.is(422);
    assert!(text(&stale).contains("model.version-conflict"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_ended() {
    let house = House::start().await;
    let admin = house.with("adam", &[Role::Admin]).await;
    let form = house.form(&admin).await;
    let fields = [
        ("form", form.as_str()),
        ("name", "Bauportal"),
        ("role", "system"),
        ("unit", "63"),
        ("services", "*"),
    ];
    let made = text(&house.send(&admin, "/console/tokens/new", &fields).await.is(200));
    assert!(made.contains("amt_"));
    let list = text(&house.see(&admin, "/console/tokens").await.is(200));
    assert!(list.contains("Bauportal") && !list.contains("amt_"));
    let (_, rest) = list
        .split_once("/console/tokens/")
        .map(|_| list.rsplit_once("action=\"/console/tokens/").unwrap())
        .unwrap();
    let id = rest.split('/').next().unwrap();
    house.send(&admin, &format!("/console/tokens/{id}/end"), &[("form", &form)]).await.is(303);
    let list = text(&house.see(&admin, "/console/tokens").await.is(200));
    assert!(list.contains("beendet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_a_token_that_comes_again_makes_no_second_one_and_names_the_first() {
    for (bed, at_once) in [(Bed::start().await, 1), (Bed::careful().await, 0)] {
        let once = value_of(&text(&bed.see("admin", "/tokens/new").await.is(200)), "once");
        let rest = [
            ("role", "system"),
            ("unit", "63"),
            ("services", "*"),
            ("reason", "Das Portal geht in Betrieb"),
            ("once", &*once),
        ];
        let fields = |name| [[("name", name)].as_slice(), &rest].concat();
        let made = text(&bed.send("admin", "/tokens/new", &fields("Bauportal")).await.is(200));
        let shown = |mark: &str| made.split_once(mark).unwrap().1.split('<').next().unwrap();
        let (id, secret) = (shown("Kennung</dt><dd><code>"), shown("id=\"secret\">"));
        assert!(secret.starts_with("amt_"), "{made}");
        let again = text(&bed.send("admin", "/tokens/new", &fields("Bauportal")).await.is(409));
        for said in ["broker.answer-not-kept", "Bauportal", id] {
            assert!(again.contains(said), "{said}: {again}");
        }
        assert!(!again.contains("amt_"), "{again}");
        let other = text(&bed.send("admin", "/tokens/new", &fields("Anderes")).await.is(422));
        assert!(other.contains("broker.key-reused") && !other.contains("amt_"), "{other}");
        let tokens = bed.gateway.broker.tokens("soest").await.unwrap();
        assert_eq!(tokens.iter().filter(|it| it.name == "Bauportal").count(), at_once);
        let waiting = text(&bed.see("admin-2", "/approvals").await.is(200));
        assert_eq!(waiting.matches("/console/approvals/").count(), 1 - at_once, "{waiting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_set_up_by_a_picture_and_asked_for_after_the_password() {
    let house = House::start().await;
    let session = house.with("olaf", &[Role::Clerk]).await;
    let page = text(&house.see(&session, "/console/account/codes").await.is(200));
    assert!(page.contains("<svg") && page.contains("role=\"img\"") && !page.contains("<?xml"));
    let form = house.form(&session).await;
    let fields = [("form", form.as_str()), ("password", PASSWORD), ("code", "12345x")];
    let wrong = text(&house.send(&session, "/console/account/codes", &fields).await.is(422));
    assert!(wrong.contains("user.code-wrong"));
    let page = text(&house.see("", "/console/sign-in/code?to=https://boese.example").await.is(200));
    assert!(page.contains("one-time-code") && !page.contains("name=\"to\""));
    house.send("", "/console/sign-in/code", &[("code", "123456")]).await.is(422);
}

/// The page of an approval that an answer led to.
async fn approval_page(bed: &Bed, (visitor, language): (&str, &str), answer: &Answer) -> String {
    let page = text(answer);
    let location = answer.header("location");
    let (_, rest) = if location.is_empty() { &page } else { location }.split_once("/approvals/").unwrap();
    let id = rest.get(..36).unwrap();
    text(&bed.see(visitor, &format!("/approvals/{id}?lang={language}")).await.is(200))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_an_account_says_in_words_who_gets_what() {
    let bed = Bed::careful().await;
    let user =
        [("name", "Max Muster"), ("login", "max"), ("role", "cashier"), ("unit", "63"), ("services", "*")];
    let refused = text(&bed.send("admin", "/users/new", &user).await.is(422));
    assert!(
        refused.contains("broker.approval-needed") && refused.contains("Begründung für die zweite Person")
    );
    let reason = ("reason", "Vertretung in der Kasse");
    let added = bed.send("admin", "/users/new", &[user.as_slice(), &[reason]].concat()).await.is(200);
    for visitor in ["admin-2", "auditor"] {
        let page = approval_page(&bed, (visitor, "de"), &added).await;
        for said in [
            "Max Muster",
            "Vertretung in der Kasse",
            "Kasse",
            "Kassenbücher führen",
            "63",
            "alle",
            "unverändert",
        ] {
            assert!(page.contains(said), "{visitor}: {said}: {page}");
        }
        assert!(!page.contains("&quot;do&quot;"), "{visitor}: {page}");
        assert_eq!(page.contains("/agree"), visitor == "admin-2");
    }
    let english = approval_page(&bed, ("auditor", "en"), &added).await;
    for said in ["Cash office", "keep the cash books", "unchanged", "none", "When it was asked for"] {
        assert!(english.contains(said), "{said}: {english}");
    }
    let token = [
        ("name", "Bauportal"),
        ("role", "system"),
        ("unit", "63"),
        ("services", "*"),
        ("expires", "2031-01-31"),
        ("reason", "Das Portal geht in Betrieb"),
    ];
    let made = bed.send("admin", "/tokens/new", &token).await.is(200);
    assert!(text(&made).contains("amt_"));
    let page = approval_page(&bed, ("admin-2", "de"), &made).await;
    for said in ["Bauportal", "Fachverfahren", "Nachrichten einliefern", "63", "Gilt bis", "2031"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("&quot;do&quot;") && !page.contains("hash"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_of_a_partner_says_which_settings_change_and_no_secret() {
    let bed = Bed::careful().await;
    let certificate = include_str!("../../../selftest/vectors/tsa-ca.pem");
    let fields = |settings: serde_json::Value, version: &str| {
        let settings = settings.to_string();
        [
            ("id", "unna".to_owned()),
            ("version", version.to_owned()),
            ("name", "Unna".to_owned()),
            ("authority", "bab:05978000".to_owned()),
            ("settings", settings),
            ("reason", "Umzug".to_owned()),
        ]
    };
    let send = async |path: &str, fields: &[(&str, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        bed.send("admin", path, &fields).await.is(303)
    };
    let first =
        serde_json::json!({ "mostBytes": 5_000_000, "address": "https://alt.example/", "stays": "same" });
    let asked = send("/partners/new", &fields(first, "")).await;
    assert!(asked.header("location").contains("done=asked"));
    let page = approval_page(&bed, ("admin-2", "de"), &asked).await;
    assert!(
        page.contains("bab:05978000") && page.contains("5,0 MB") && !page.contains("&quot;do&quot;"),
        "{page}"
    );
    let agree = asked.header("location").split('?').next().unwrap().replace("/console", "") + "/agree";
    bed.send("admin-2", &agree, &[]).await.is(303);
    let second = serde_json::json!({
        "mostBytes": 5_000_000, "address": "https://neu.example/", "stays": "same", "certificate": certificate,
        "clientSecret": "geheim-4711",
    });
    let asked = send("/partners/unna", &fields(second, "1")).await;
    let page = approval_page(&bed, ("auditor", "de"), &asked).await;
    let fingerprint = "4a8ac12c07d2da3e53590e8ff795282f3b0bbcd6ad1688299ef42768e3bed331";
    for said in [
        "https://alt.example/",
        "https://neu.example/",
        fingerprint,
        "gesetzt, wird nicht gezeigt",
        "unverändert",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    for unsaid in ["geheim-4711", "BEGIN CERTIFICATE", "stays", "&quot;do&quot;", "5,0 MB"] {
        assert!(!page.contains(unsaid), "{unsaid}: {page}");
    }
}
