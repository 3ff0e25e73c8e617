//! A real provider of identities (npm `oidc-provider`): a system calls with its access tokens, a person signs in by its pages; all of it over HTTP.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::Value;

use crate::installation::{Installation, on_free_ports};

const ORIGIN: &str = "https://amtsbote.example";
const AUDIENCE: &str = "https://amtsbote.example/api";

struct Provider {
    issuer: String,
    process: Child,
}

impl Provider {
    fn start() -> Provider {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/identity/tests/provider.mjs");
        let mut process = Command::new("node")
            .args([script, &format!("{ORIGIN}/console/oidc/back"), AUDIENCE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = lines.map(Result::unwrap).find(|line| line.starts_with("http://"));
        Provider { issuer: issuer.expect("oidc-provider is needed, see ./dev"), process }
    }

    async fn token(&self, id: &str, certificate: &str) -> String {
        let body = format!(
            "grant_type=client_credentials&client_id={id}&client_secret=geheimnis-der-maschine&scope=send"
        );
        let asked =
            Client::new().post(format!("{}/token", self.issuer)).body(body).header("x-cert", certificate);
        let form = "application/x-www-form-urlencoded";
        let answer: Value = asked.header("content-type", form).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    fn configuration(&self) -> String {
        let issuer = &self.issuer;
        format!(
            r#"
[[oauth]]
id = "sso"
issuer = "{issuer}"
audience = "{AUDIENCE}"
algorithms = ["ES256"]
[[oauth.client]]
id = "portal"
tenant = "musterkreis"
roles = ["system"]
units = ["63"]
[[oauth.client]]
id = "bound"
tenant = "musterkreis"
roles = ["system"]
units = ["63"]
mtls = true

[oidc]
issuer = "{issuer}"
label = "Konto der Kreisverwaltung"
client_id = "amtsbote"
client_secret = "file:oidc-secret"
scopes = ["openid", "profile", "email", "groups"]
redirect = "{ORIGIN}"
algorithms = ["ES256"]
tenant = "musterkreis"
[[oidc.role]]
group = "bauamt"
roles = ["clerk"]
units = ["63"]
"#
        )
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A browser with cookies that follows nothing by itself.
struct Browser {
    client: Client,
    /// Where the console really is.
    internal: String,
    issuer: String,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new(internal: &str, issuer: &str) -> Browser {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Browser { client, internal: internal.into(), issuer: issuer.into(), cookies: BTreeMap::new() }
    }

    async fn go(&mut self, url: &str, form: Option<&str>) -> Response {
        let url = url.replacen(ORIGIN, &self.internal, 1);
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = match form {
            None => self.client.get(&url),
            Some(form) => {
                let kind = "application/x-www-form-urlencoded";
                let request = self.client.post(&url).header("content-type", kind);
                request.header("sec-fetch-site", "same-origin").body(form.to_owned())
            }
        };
        let answer = request.header(COOKIE, cookies.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            match value.is_empty() {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    /// From the button to the address of the console that the provider sends the browser back to.
    async fn by_way_of_the_provider(&mut self) -> String {
        let start = format!("{ORIGIN}/console/oidc/start?lang=de");
        let mut answer = self.go(&start, None).await;
        for _ in 0..12 {
            if let Some(location) = answer.headers().get(LOCATION) {
                let location = location.to_str().unwrap().to_owned();
                if location.starts_with(ORIGIN) {
                    return location;
                }
                let url = self.at_the_provider(&location);
                answer = self.go(&url, None).await;
                continue;
            }
            let page = answer.text().await.unwrap();
            let action = page.split_once("action=\"").and_then(|(_, rest)| rest.split_once('"'));
            let url = self.at_the_provider(action.unwrap_or_else(|| panic!("{page}")).0);
            let prompt = if page.contains("name=\"login\"") { "login" } else { "consent" };
            answer = self.go(&url, Some(&format!("prompt={prompt}&login=erika&password=x"))).await;
        }
        panic!("the provider never sent the browser back");
    }

    fn at_the_provider(&self, location: &str) -> String {
        if location.starts_with('/') { format!("{}{location}", self.issuer) } else { location.to_owned() }
    }
}

#[tokio::test]
async fn a_system_and_a_person_come_by_a_real_provider() {
    let provider = Provider::start();
    let installation = Installation::new();
    let secret = installation.folder().join("oidc-secret");
    std::fs::write(&secret, "geheimnis:des/hauses\n").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    installation.configure(|example| {
        let proxies = r#"trusted_proxies = ["127.0.0.1"]"#;
        let example = example.replace(&format!("# {proxies}"), proxies);
        on_free_ports(&example) + &provider.configuration()
    });
    let running = installation.start();

    let url = format!("{}/api/v1/messages", running.internal);
    let call = async |token: &str, certificate: Option<&str>| {
        let request = Client::new().get(&url).bearer_auth(token);
        let request =
            certificate.iter().fold(request, |it, der| it.header("client-cert", format!(":{der}:")));
        request.send().await.unwrap().status().as_u16()
    };
    let portal = provider.token("portal", "AAAA").await;
    assert_eq!(call(&portal, None).await, 200);
    let (head, signature) = portal.rsplit_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    assert_eq!(call(&format!("{head}.{turned}"), None).await, 401);
    let bound = provider.token("bound", "AQIDBAUG").await;
    for (certificate, status) in [(Some("AQIDBAUG"), 200), (Some("AQIDBAUH"), 401), (None, 401)] {
        assert_eq!(call(&bound, certificate).await, status, "{certificate:?}");
    }

    let mut erika = Browser::new(&running.internal, &provider.issuer);
    let sign_in = erika.go(&format!("{ORIGIN}/console/sign-in"), None).await.text().await.unwrap();
    assert!(sign_in.contains("Konto der Kreisverwaltung"), "{sign_in}");
    let back = erika.by_way_of_the_provider().await;
    // The address alone, in another browser, is nothing; nor is what somebody writes into it shown.
    let mut other = Browser::new(&running.internal, &provider.issuer);
    assert_eq!(other.go(&back, None).await.status(), 403);
    let made_up = format!("{ORIGIN}/console/oidc/back?error=%3Cscript%3Ealert(1)%3C/script%3E&state=x");
    let page = other.go(&made_up, None).await.text().await.unwrap();
    assert!(!page.contains("alert(1)"), "{page}");
    assert!(!other.cookies.keys().any(|name| name.contains("console")));

    let answer = erika.go(&back, None).await;
    let location = answer.headers()[LOCATION].to_str().unwrap().to_owned();
    assert!(location.starts_with("/console/"), "{location}");
    // The start page leads on to what concerns her.
    let start = erika.go(&format!("{ORIGIN}{location}"), None).await;
    let location = start.headers()[LOCATION].to_str().unwrap().to_owned();
    assert!(location.starts_with("/console/desk"), "{location}");
    let first = erika.go(&format!("{ORIGIN}{location}"), None).await;
    assert_eq!(first.status(), 200);
    let first = first.text().await.unwrap();
    assert!(first.contains("Erika M."));
    // Her group gives her the desk, and no more.
    assert_eq!(erika.go(&format!("{ORIGIN}/console/users"), None).await.status(), 403);
    assert_eq!(erika.go(&format!("{ORIGIN}/console/approvals"), None).await.status(), 200);
    assert_eq!(erika.go(&back, None).await.status(), 403, "what a sign-in was begun with is gone");
    // Signing out here leaves the way to sign out there, too.
    let (_, form) = first.split_once("name=\"form\" value=\"").unwrap();
    let form = format!("form={}", form.split('"').next().unwrap());
    let out = erika.go(&format!("{ORIGIN}/console/sign-out"), Some(&form)).await;
    let location = out.headers()[LOCATION].to_str().unwrap().to_owned();
    let page = erika.go(&format!("{ORIGIN}{location}"), None).await.text().await.unwrap();
    assert!(page.contains("/console/oidc/out"), "{location} {page}");
    let out = erika.go(&format!("{ORIGIN}/console/oidc/out"), None).await;
    let there = out.headers()[LOCATION].to_str().unwrap().to_owned();
    assert!(there.starts_with(&format!("{}/session/end?", provider.issuer)), "{there}");

    let (code, log) = running.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    for secret in [portal.as_str(), bound.as_str(), "erika@kreis.example", "geheimnis"] {
        assert!(!log.contains(secret), "the log tells {secret}");
    }
}
