//! The DVDV: asked over real HTTP, from a simulator that was written from the description of its interface (v2, 2.15.0).

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use broker::Wanted;
use broker::directory::Registry;
use broker::house::Kind;
use model::Authority;
use seal::algorithm::{DigestMethod, Policy, Scheme, SignatureMethod};
use seal::identity::Identity;
use seal::x509::Certificate;
use serde_json::{Value, json};
use transport::dvdv::{Dvdv, PLACE, Service, Settings};

use crate::house::{Gateway, SetClock};

const HOUR: Duration = Duration::from_secs(3_600);
const OSCI_URI: &str = "http://www.osci.de/xbau23/xbau23Bab.wsdl";
const XTA_URI: &str = "urn:xta:dienst";

/// What the simulator knows, and what it has been asked.
struct Simulator {
    client: Certificate,
    pem: String,
    fails_with: AtomicU32,
    tokens: AtomicU32,
    asked: Mutex<Vec<String>>,
}

type Shared = Arc<Simulator>;

fn pem() -> (Identity, String) {
    let folder = tempfile::tempdir().unwrap();
    let arguments = "req -x509 -newkey rsa:3072 -nodes -subj /CN=amt -days 1 -keyout k.pem -out c.pem";
    let made =
        Command::new("openssl").args(arguments.split(' ')).current_dir(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let (key, certificate) = (read("k.pem"), read("c.pem"));
    (Identity::from_pem(format!("{key}{certificate}").as_bytes(), "").unwrap(), certificate)
}

/// `createToken`: the assertion must be a JWT that the client certificate has signed.
async fn token(State(simulator): State<Shared>, body: Bytes) -> Response {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let field = |name: &str| body.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
    assert_eq!(field("grant_type"), "client_credentials");
    assert_eq!(
        field("client_assertion_type"),
        "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    );
    let (signed, signature) = field("client_assertion").rsplit_once('.').unwrap();
    let (head, claims) = signed.split_once('.').unwrap();
    let read = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let head: Value = serde_json::from_slice(&read(head)).unwrap();
    let claims: Value = serde_json::from_slice(&read(claims)).unwrap();
    assert_eq!(head["alg"], "RS256");
    assert_eq!(claims["sub"], format!("fp:{}", simulator.client.sha1().unwrap()));
    let verified = simulator.client.verify(
        &Policy::default(),
        SignatureMethod { scheme: Scheme::RsaPkcs1, digest: DigestMethod::Sha256 },
        signed.as_bytes(),
        &read(signature),
    );
    assert!(verified.unwrap());
    let number = simulator.tokens.fetch_add(1, SeqCst);
    let given = json!({ "access_token": format!("t{number}"), "expires_in": 86_400, "token_type": "Bearer" });
    axum::Json(given).into_response()
}

/// A function of the directory.
async fn find(
    State(simulator): State<Shared>,
    axum::extract::Path(function): axum::extract::Path<String>,
    Query(query): Query<std::collections::HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let fails_with = simulator.fails_with.load(SeqCst);
    if fails_with != 0 {
        return StatusCode::from_u16(u16::try_from(fails_with).unwrap()).unwrap().into_response();
    }
    let present = format!("EmbeddedBearer t{}", simulator.tokens.load(SeqCst).wrapping_sub(1));
    if headers["authorization"] != present {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let request: Value = serde_json::from_str(&query["request_json"]).unwrap();
    simulator.asked.lock().unwrap().push(function.clone());
    match request["organizationKey"].as_str() {
        // Never answered.
        Some("bab:wait") => std::future::pending().await,
        Some("bab:garbled") => return "<html>".into_response(),
        Some("bab:large") => return vec![b' '; 5 << 20].into_response(),
        Some("bab:gone") => {
            let problem = json!({ "type": "problems/type/ENTITY_NOT_FOUND", "title": "Entität nicht gefunden", "status": 404 });
            return (StatusCode::NOT_FOUND, axum::Json(problem)).into_response();
        }
        _ => {}
    }
    let is_known = request["organizationKey"] == "bab:15088";
    match (function.as_str(), is_known) {
        ("findauthoritydescriptions", true) => axum::Json(json!([organization()])).into_response(),
        ("findauthoritydescriptions", false) => axum::Json(json!([])).into_response(),
        ("findservicedescription", true) => axum::Json(simulator.service(&request)).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn organization() -> Value {
    let service = |id: u32, uri: &str, from: &str, to: Value| {
        json!({
            "id": id, "validFrom": from, "validTo": to, "serviceDescriptionName": "dienst",
            "serviceSpecificationType": "WSDL_OSCI", "serviceSpecificationUri": uri,
        })
    };
    json!({
        "organization": {
            "id": 14_077, "validFrom": null, "validTo": null, "nameDe": "Kreis Soest", "nameEn": null,
            "category": "Bauaufsicht", "organizationKeys": ["bab:15088"], "clientCertificates": [],
            "services": [
                service(1, "urn:alt", "2014-10-31T23:00:00.000Z", json!("2019-12-01T22:59:59.000Z")),
                service(2, "urn:neu", "2099-10-31T23:00:00.000Z", Value::Null),
                service(3, OSCI_URI, "2019-10-31T23:00:00.000Z", Value::Null),
                service(4, XTA_URI, "2019-10-31T23:00:00.000Z", Value::Null),
                service(5, "urn:leer", "2019-10-31T23:00:00.000Z", Value::Null),
            ],
        },
        "representatives": [],
    })
}

impl Simulator {
    fn service(&self, request: &Value) -> Value {
        // As the interface's own example has it: base64 of the file.
        let der = STANDARD.encode(self.client.der());
        let certificate = json!({ "content": der, "algorithm": "SHA256withRSA" });
        let element = |kind: &str, more: Value| {
            let mut element = json!({ "serviceElementId": 1, "providerId": 1, "serviceElementType": kind });
            let members = more.as_object().unwrap().clone();
            element.as_object_mut().unwrap().extend(members);
            element
        };
        let uri = request["serviceSpecificationUri"].as_str().unwrap();
        let elements = match uri {
            OSCI_URI => json!([
                element(
                    "OSCI_INTERMEDIARY",
                    json!({ "serviceElementUri": "http://osci.example/in", "cipherCertificate": certificate,
                        "signatureCertificate": certificate })
                ),
                element("OSCI_ADDRESSEE", json!({ "cipherCertificate": certificate })),
                element("TEXT", json!({ "serviceElementText": "Hinweis" })),
            ]),
            XTA_URI => json!([element("WEBSERVER", json!({ "serviceElementUri": "https://xta.example/" }))]),
            _ => json!([element("TEXT", json!({}))]),
        };
        json!({
            "id": 3, "serviceDescriptionName": "dienst", "serviceSpecificationType": "WSDL_OSCI",
            "serviceSpecificationUri": uri, "serviceSpecificationDocument": "<wsdl/>", "serviceElements": elements,
        })
    }
}

struct Bed {
    simulator: Shared,
    clock: Arc<SetClock>,
    dvdv: Dvdv,
    _gateway: Gateway,
}

impl Bed {
    async fn new() -> Bed {
        let (identity, pem) = pem();
        let simulator = Arc::new(Simulator {
            client: identity.certificate().clone(),
            pem,
            fails_with: AtomicU32::new(0),
            tokens: AtomicU32::new(0),
            asked: Mutex::default(),
        });
        let router = Router::new()
            .route("/token", post(token))
            .route("/directory/v2/{function}", get(find))
            .with_state(Arc::clone(&simulator));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let clock = Arc::new(SetClock::default());
        let gateway = Gateway::on(None, clock.clone()).await;
        let service = |uri: &str, xta: bool| Service {
            uri: uri.to_owned(),
            service: (!xta).then(|| "baugenehmigung".to_owned()),
            xta: xta.then(|| ("/m".to_owned(), "/s".to_owned())),
            reads: vec![("toy".to_owned(), "1".to_owned())],
            most_bytes: 1_000,
        };
        let settings = Settings {
            url: format!("{at}/directory"),
            token_url: Some(format!("{at}/token")),
            identity,
            trust: None,
            cache: 12 * HOUR,
            stale: 48 * HOUR,
            services: vec![
                service("urn:alt", false),
                service("urn:neu", false),
                service(OSCI_URI, false),
                service(XTA_URI, true),
                service("urn:leer", false),
            ],
            clock: clock.clone(),
        };
        let dvdv = Dvdv::new(settings, gateway.broker.notebook(PLACE)).unwrap();
        Bed { simulator, clock, dvdv, _gateway: gateway }
    }

    async fn look_up(&self, key: &str) -> Result<bool, String> {
        let authority: Authority = key.parse().unwrap();
        let found = self.dvdv.look_up(&authority).await;
        found.map(|entry| entry.is_some()).map_err(|failure| failure.code.into_owned())
    }

    fn fail(&self, status: u32) {
        self.simulator.fails_with.store(status, SeqCst);
    }

    /// How often the directory was asked.
    fn asked(&self) -> usize {
        self.simulator.asked.lock().unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_services_of_an_organisation_that_are_valid_and_wanted_are_ways_to_it() {
    let bed = Bed::new().await;
    let entry = bed.dvdv.look_up(&"bab:15088".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((entry.name.as_str(), entry.ways.len()), ("Kreis Soest", 2), "{entry:?}");
    let osci =
        entry.way(Kind::Osci, Wanted { service: Some("baugenehmigung"), ..Wanted::default() }).unwrap();
    assert_eq!((osci.most_bytes, osci.service_uris.as_slice()), (1_000, [OSCI_URI.to_owned()].as_slice()));
    let reach = osci.osci.as_ref().unwrap();
    assert_eq!(reach.intermediary, "http://osci.example/in");
    assert_eq!(reach.recipient_certificate, bed.simulator.pem, "as PEM, as OpenSSL writes it");
    assert!(reach.answers_by.is_some());
    let xta = entry.way(Kind::Xta, Wanted::default()).unwrap().xta.as_ref().unwrap();
    assert_eq!(
        (xta.management.as_str(), xta.send.as_str()),
        ("https://xta.example/m", "https://xta.example/s")
    );
    assert_eq!(entry.offers(OSCI_URI), Some(true));
    let asked = bed.simulator.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 4, "neither for services that are over nor for those to come: {asked:?}");
    assert_eq!(bed.simulator.tokens.load(SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_and_what_was_not_is_remembered() {
    let bed = Bed::new().await;
    assert_eq!(bed.look_up("bab:15088").await, Ok(true));
    assert_eq!(bed.look_up("bab:404").await, Ok(false));
    assert_eq!(bed.asked(), 5);
    bed.clock.advance(11 * HOUR);
    assert_eq!((bed.look_up("bab:15088").await, bed.look_up("bab:404").await), (Ok(true), Ok(false)));
    assert_eq!(bed.asked(), 5, "it is not asked again");
    bed.clock.advance(2 * HOUR);
    assert_eq!((bed.look_up("bab:15088").await, bed.look_up("bab:404").await), (Ok(true), Ok(false)));
    assert_eq!(bed.asked(), 10, "after that it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_directory_fails_what_is_remembered_is_used_for_some_days() {
    let bed = Bed::new().await;
    assert_eq!(bed.look_up("bab:15088").await, Ok(true));
    bed.fail(503);
    bed.clock.advance(13 * HOUR);
    assert_eq!(bed.look_up("bab:15088").await, Ok(true));
    assert_eq!(bed.look_up("bab:404").await, Err("dvdv.unavailable".to_owned()));
    bed.fail(0);
    assert_eq!(
        bed.look_up("bab:404").await,
        Err("dvdv.unavailable".to_owned()),
        "it is left alone for a minute"
    );
    bed.clock.advance(Duration::from_secs(61));
    assert_eq!(bed.look_up("bab:404").await, Ok(false));
    bed.fail(503);
    bed.clock.advance(49 * HOUR);
    assert_eq!(bed.look_up("bab:15088").await, Err("dvdv.unavailable".to_owned()), "too old to be believed");
    bed.clock.advance(HOUR);
    bed.fail(403);
    assert_eq!(bed.look_up("bab:15088").await, Err("dvdv.refused".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_taken_back_is_asked_for_anew() {
    let bed = Bed::new().await;
    assert_eq!(bed.look_up("bab:1").await, Ok(false));
    bed.simulator.tokens.fetch_add(1, SeqCst);
    assert_eq!(bed.look_up("bab:2").await, Ok(false));
    assert_eq!(bed.simulator.tokens.load(SeqCst), 3);
    bed.clock.advance(23 * HOUR);
    assert_eq!(bed.look_up("bab:3").await, Ok(false));
    assert_eq!(bed.simulator.tokens.load(SeqCst), 4, "before its time is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_404_that_is_not_the_directory_s_own_says_nothing() {
    let bed = Bed::new().await;
    assert_eq!(bed.look_up("bab:gone").await, Ok(false), "the directory says so itself");
    assert_eq!(bed.look_up("bab:15088").await, Ok(true));
    bed.clock.advance(13 * HOUR);
    bed.fail(404);
    assert_eq!(bed.look_up("bab:15088").await, Ok(true), "what is remembered is used");
    assert_eq!(bed.look_up("bab:404").await, Err("dvdv.bad-answer".to_owned()));
    bed.fail(0);
    assert_eq!(bed.look_up("bab:404").await, Ok(false), "it is asked again at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_with_one_authority_keeps_nobody_from_asking_for_another() {
    let bed = Bed::new().await;
    for (key, status, code) in [
        ("bab:garbled", 0, "dvdv.bad-answer"),
        ("bab:large", 0, "dvdv.bad-answer"),
        ("bab:1", 400, "dvdv.refused"),
    ] {
        bed.fail(status);
        assert_eq!(bed.look_up(key).await, Err(code.to_owned()));
        bed.fail(0);
        assert_eq!(bed.look_up("bab:404").await, Ok(false));
        bed.clock.advance(13 * HOUR);
    }
    tokio::select! {
        biased;
        _ = async { tokio::join!(bed.look_up("bab:wait"), bed.look_up("bab:wait")) } => panic!("never answered"),
        found = async {
            while bed.asked() < 7 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            bed.look_up("bab:15088").await
        } => assert_eq!(found, Ok(true)),
    }
}
