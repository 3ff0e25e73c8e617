//! A real provider (npm `oidc-provider`), a browser that follows its pages, and clients of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use identity::{Pauses, Provider, ProviderSettings, Signing};
use model::SystemClock;
use model::outbound::ChosenBy;
use net::{Answer, Client, Egress, Method, Request, Settings};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub const REDIRECT: &str = "https://amtsbote.example/console/oidc/back";
pub const AUDIENCE: &str = "https://amtsbote.example/api";

/// A provider that runs until it is dropped.
pub struct Bed {
    pub issuer: String,
    pub client: Client,
    _process: Child,
}

impl Bed {
    pub async fn start() -> Bed {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/provider.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .args([REDIRECT, AUDIENCE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is needed, see ./dev");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = loop {
            let line = lines.next_line().await.unwrap().expect("oidc-provider is needed, see ./dev");
            if line.starts_with("http://") {
                break line;
            }
        };
        Bed { issuer, client: client(), _process: process }
    }

    /// The gateway as it is registered there.
    pub fn provider(&self) -> Provider {
        provider_at(&self.issuer)
    }

    /// An access token by client credentials.
    pub async fn token(&self, id: &str, scope: &str, certificate: Option<&str>) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={id}&client_secret=geheimnis-der-maschine&scope={scope}"
        );
        let mut headers = vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        headers.extend(certificate.map(|it| ("X-Cert".to_owned(), it.to_owned())));
        let url = format!("{}/token", self.issuer);
        let answer = send(&self.client, Method::POST, &url, headers, Some(form)).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }
}

/// The provider at an address, as the gateway is registered there.
pub fn provider_at(issuer: &str) -> Provider {
    let settings = ProviderSettings {
        issuer: issuer.to_owned(),
        client_id: "amtsbote".into(),
        client_secret: Some("geheimnis:des/hauses".into()),
        scopes: ["profile", "email", "groups"].map(str::to_owned).to_vec(),
        redirect: REDIRECT.into(),
        after_sign_out: "https://amtsbote.example/console/sign-in".into(),
        algorithms: vec![Signing::Es256],
        groups_claim: "groups".into(),
    };
    Provider::new(settings, client(), Arc::new(SystemClock), Pauses::default())
}

pub fn client() -> Client {
    let egress = Egress::new::<&str>(&[]).unwrap().with_plain_http();
    Client::new(egress, Settings::default(), Arc::new(SystemClock))
}

pub async fn send(
    client: &Client,
    method: Method,
    url: &str,
    headers: Vec<(String, String)>,
    body: Option<String>,
) -> Answer {
    let request = Request {
        method,
        url: url.to_owned(),
        chosen_by: ChosenBy::Administrator,
        headers,
        body: body.map(|it| it.into_bytes().into()),
        within: Duration::from_secs(20),
        most_answer: 1 << 20,
    };
    client.send(request).await.unwrap()
}

/// Follows the provider's pages as a browser does: redirects, cookies, forms.
pub struct Browser<'a> {
    bed: &'a Bed,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub fn new(bed: &'a Bed) -> Self {
        Browser { bed, cookies: BTreeMap::new() }
    }

    /// Goes to the provider's page, signs in as `login` and agrees; gives the query that it is sent back with.
    pub async fn sign_in(&mut self, url: &str, login: &str) -> String {
        let mut answer = self.go(Method::GET, url, None).await;
        for _ in 0..12 {
            if let Some(location) = answer.headers.get("location") {
                let location = location.to_str().unwrap().to_owned();
                if let Some(query) = location.strip_prefix(&format!("{REDIRECT}?")) {
                    return query.to_owned();
                }
                let url = if location.starts_with('/') {
                    format!("{}{location}", self.bed.issuer)
                } else {
                    location
                };
                answer = self.go(Method::GET, &url, None).await;
                continue;
            }
            let page = String::from_utf8_lossy(&answer.body).into_owned();
            let action =
                between(&page, "action=\"", "\"").unwrap_or_else(|| panic!("{} {page}", answer.status));
            let prompt = if page.contains("name=\"login\"") { "login" } else { "consent" };
            let form = format!("prompt={prompt}&login={login}&password=irgendeins");
            let url = if action.starts_with('/') {
                format!("{}{action}", self.bed.issuer)
            } else {
                action.to_owned()
            };
            answer = self.go(Method::POST, &url, Some(form)).await;
        }
        panic!("the provider never sent the browser back");
    }

    async fn go(&mut self, method: Method, url: &str, form: Option<String>) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut headers = vec![("Cookie".to_owned(), cookies.join("; "))];
        if form.is_some() {
            headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        }
        let answer = send(&self.bed.client, method, url, headers, form).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match value.is_empty() {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> Option<&'t str> {
    text.split_once(begin)?.1.split_once(end).map(|(found, _)| found)
}
