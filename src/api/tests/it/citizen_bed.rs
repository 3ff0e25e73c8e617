//! A case that a portal has brought, with everything that its citizen may see, and what citizens' browsers and apps send.

use axum::body::Body;
use axum::http::Request;
use broker::Workers;
use serde_json::{Value, json};

use crate::gateway::{ALL_ROLES, Answer, Call, Gateway};

pub(crate) const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\ntrailer << >>\n%%EOF\n";

/// A case with everything that a citizen may see of it.
pub(crate) struct Applied {
    pub(crate) gateway: Gateway,
    pub(crate) token: String,
    pub(crate) case: String,
    pub(crate) number: String,
    pub(crate) secret: String,
    workers: Option<Workers>,
}

pub(crate) fn application() -> Value {
    json!({
        "publicService": "baugenehmigung",
        "title": "Carport <b>Musterweg</b> 1",
        "applicant": {
            "person": { "givenName": "Erika", "familyName": "Mustermann" },
            "authentication": { "source": "bundid", "level": "substantial" },
            "contacts": [{ "channel": "email", "value": "erika@example.org" }],
        },
        "references": [{ "kind": "portal", "value": "A-1" }],
        "data": { "antrag": { "flaeche": "18.5" } },
        "schema": "urn:example:carport:1",
        "attachments": [{ "title": "Lageplan" }],
        "payment": { "transactionId": "t1", "transactionReference": "r1", "paymentMethod": "PAYPAL", "status": "BOOKED",
            "grossAmountCents": 1_000 },
    })
}

impl Applied {
    pub(crate) async fn new() -> Self {
        Applied::with(application()).await
    }

    pub(crate) async fn with(body: Value) -> Self {
        let gateway = Gateway::start().await;
        let token = gateway.token("soest", "63", "*", ALL_ROLES).await;
        let answer = gateway.call(&token, apply("k1", body)).await.is(201).json();
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        let (case, number, secret) = (text("case"), text("number"), text("secret"));
        Applied { gateway, token, case, number, secret, workers: None }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.gateway.call(&self.token, Call::post(path).json(body)).await.is(201).json()
    }

    /// A document that is dispatched to the portal; gives the dispatch and the document.
    pub(crate) async fn provide(&mut self, title: &str) -> (String, String) {
        if self.workers.is_none() {
            self.workers = Some(self.gateway.work().await);
        }
        let document = self.post(&format!("/cases/{}/documents", self.case), json!({ "title": title })).await;
        let id = document["id"].as_str().unwrap().to_owned();
        let put = Call::new("PUT", &format!("/documents/{id}/content?fileName=bescheid.pdf"));
        let put = put.with("content-type", "application/pdf").bytes(PDF.to_vec());
        self.gateway.call(&self.token, put).await.is(201);
        let new = json!({ "case": self.case, "kind": "disclosure", "documents": [id], "way": "portal" });
        let dispatch = self.post("/dispatches", new).await["id"].as_str().unwrap().to_owned();
        let path = format!("/dispatches/{dispatch}");
        self.gateway.until(&self.token, &path, |it| it["status"] == "provided").await;
        (dispatch, id)
    }

    pub(crate) async fn end(self) {
        if let Some(workers) = self.workers {
            workers.stop().await;
        }
    }

    pub(crate) async fn enter(&self, number: &str, secret: &str) -> Answer {
        self.form("/citizen/login", "", &[("number", number), ("secret", secret)]).await
    }

    /// The cookie of a session.
    pub(crate) async fn session(&self) -> String {
        let answer = self.enter(&self.number, &self.secret).await.is(303);
        assert_eq!(answer.header("location"), "/citizen/case?lang=de");
        let cookie = answer.header("set-cookie");
        for part in ["__Host-", "; Path=/;", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        cookie.split(';').next().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        let request = Request::get(path).header("cookie", cookie).body(Body::empty()).unwrap();
        self.gateway.knock(request).await
    }

    pub(crate) async fn form(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let request = Request::post(path)
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body.join("&")))
            .unwrap();
        self.gateway.knock(request).await
    }

    pub(crate) async fn app(&self, path: &str, body: Value) -> Answer {
        let request = Request::post(path).header("content-type", "application/json");
        self.gateway.knock(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) fn known(&self) -> Value {
        json!({ "number": self.number, "secret": self.secret })
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

pub(crate) fn apply(key: &str, body: Value) -> Call {
    Call::post("/applications").with("idempotency-key", key).json(body)
}

pub(crate) fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

/// The value of the hidden field that forms of a session carry.
pub(crate) fn form_token(html: &str) -> &str {
    html.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap()
}

/// Where the form goes whose address begins so, without the language.
pub(crate) fn action(html: &str, begin: &str) -> String {
    let at = html.find(&format!("action=\"{begin}")).unwrap_or_else(|| panic!("{begin}: {html}"));
    let action = html[at..].split('"').nth(1).unwrap();
    action.split('?').next().unwrap().to_owned()
}

pub(crate) fn multipart(files: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let mut body = vec![];
    for (name, bytes) in files {
        let head = format!(
            "--grenze\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\nContent-Type: text/html\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--grenze--\r\n");
    ("multipart/form-data; boundary=grenze".to_owned(), body)
}

pub(crate) async fn bring(applied: &Applied, link: &str, files: &[(&str, &[u8])]) -> Answer {
    let (kind, body) = multipart(files);
    let request = Request::post(link).header("content-type", kind).body(Body::from(body)).unwrap();
    applied.gateway.knock(request).await
}
