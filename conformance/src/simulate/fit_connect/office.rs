//! Somebody who sends and somebody who fetches, for whoever tests one end of the gateway alone: both speak with the simulated delivery
//! service over HTTP, and encrypt and sign with OpenSSL directly.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::x509::{X509, X509NameBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::jose::{Key, Use, encrypted, unverified};
use super::{Destination, SENDER, SUBSCRIBER, Service, new_id};
use crate::{Error, keys};

/// Where the version of metadata is said that everybody writes now.
const METADATA: &str = "https://schema.fitko.de/fit-connect/metadata/2.1.0/metadata.schema.json";

/// A subscriber's keys.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Signs events.
    pub signing: Key,
    /// Opens submissions.
    pub encryption: Key,
}

impl Keys {
    /// New ones.
    ///
    /// # Errors
    /// If OpenSSL cannot make them.
    pub fn generate() -> Result<Self, Error> {
        let signing = Key::generate("simulator-signatur", Use::Signing)?;
        let encryption = Key::generate("simulator-verschluesselung", Use::Encryption)?;
        Ok(Keys { signing, encryption })
    }

    /// The same with an id of its own.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn new_destination(&self, service: &str, schema: &str) -> Result<Destination, Error> {
        self.destination(new_id(), service, schema)
    }

    /// An active destination with these keys that offers one service with one schema.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn destination(&self, id: Uuid, service: &str, schema: &str) -> Result<Destination, Error> {
        Ok(Destination {
            id,
            name: "Simulator: Zustellpunkt".into(),
            status: "active".into(),
            encryption_kid: self.encryption.kid.clone(),
            keys: vec![self.encryption.public_jwk()?, self.signing.public_jwk()?],
            services: vec![(service.to_owned(), vec![schema.to_owned()])],
            areas: vec![],
            callback: None,
        })
    }
}

/// What somebody applies for.
#[derive(Debug, Clone)]
pub struct Application {
    /// Identifier of the service.
    pub service: String,
    /// Address of the schema of the data.
    pub schema: String,
    /// The data.
    pub data: Value,
    /// Attachments: name, type, bytes.
    pub attachments: Vec<(String, String, Vec<u8>)>,
    /// Members of the metadata besides, such as `replyChannel`.
    pub more: Value,
}

/// Somebody who applies: sends an application by the delivery service, encrypted, and gives its submission id and case id.
///
/// # Errors
/// If the delivery service does not take it.
pub async fn apply(
    service: &Service,
    destination: &Destination,
    it: &Application,
) -> Result<(Uuid, Uuid), Error> {
    let client = reqwest::Client::builder().user_agent("Simulator: Onlinedienst").build()?;
    let token = token(&client, service, SENDER).await?;
    let is_it = |key: &&Value| key["kid"] == destination.encryption_kid.as_str();
    let key = destination.keys.iter().find(is_it).cloned().unwrap_or_default();

    let mut attachments = vec![];
    for (name, media_type, bytes) in &it.attachments {
        let (sealed, sha512) = encrypted(&key, media_type, bytes)?;
        let id = new_id();
        let told = json!({
            "attachmentId": id, "purpose": "attachment", "mimeType": media_type, "filename": name,
            "hash": { "type": "sha512", "content": sha512 },
        });
        attachments.push((id, told, sealed));
    }
    let (data, sha512) = encrypted(&key, "application/json", it.data.to_string().as_bytes())?;
    let mut metadata = json!({
        "$schema": METADATA,
        "contentStructure": {
            "data": {
                "hash": { "type": "sha512", "content": sha512 },
                "submissionSchema": { "schemaUri": it.schema, "mimeType": "application/json" },
            },
            "attachments": attachments.iter().map(|(_, told, _)| told.clone()).collect::<Vec<_>>(),
        },
    });
    for (name, value) in it.more.as_object().into_iter().flatten() {
        metadata[name] = value.clone();
    }
    let (metadata, _) = encrypted(&key, "application/json", metadata.to_string().as_bytes())?;

    let base = format!("{}/v2/submissions", service.submission_url());
    let call = |method: reqwest::Method, url: String| client.request(method, url).bearer_auth(&token);
    let announced = json!({
        "destinationId": destination.id,
        "announcedAttachments": attachments.iter().map(|(id, ..)| *id).collect::<Vec<_>>(),
        "publicService": { "name": "Simulator: Leistung", "identifier": it.service },
    });
    let answer =
        json_of(json_body(call(reqwest::Method::POST, base.clone()), &announced).send().await?).await?;
    let id = |name: &str| answer[name].as_str().and_then(|it| Uuid::try_parse(it).ok());
    let missing = || Error::Unverified("the delivery service gives no ids".into());
    let (submission, case) = (id("submissionId").ok_or_else(missing)?, id("caseId").ok_or_else(missing)?);
    for (id, _, sealed) in attachments {
        let put = call(reqwest::Method::PUT, format!("{base}/{submission}/attachments/{id}"));
        let answer = put.header("content-type", "application/jose").body(sealed).send().await?;
        refused("an attachment", answer.status().as_u16())?;
    }
    let parts = json!({ "encryptedMetadata": metadata, "encryptedData": data });
    json_of(json_body(call(reqwest::Method::PUT, format!("{base}/{submission}")), &parts).send().await?)
        .await?;
    Ok((submission, case))
}

/// SHA-512 in hex, as metadata say it.
///
/// # Errors
/// If OpenSSL fails.
pub fn sha512(bytes: &[u8]) -> Result<String, Error> {
    let digest =
        hash(MessageDigest::sha512(), bytes).map_err(|error| Error::Io(std::io::Error::other(error)))?;
    Ok(hex::encode(digest))
}

fn json_body(request: reqwest::RequestBuilder, body: &Value) -> reqwest::RequestBuilder {
    request.header("content-type", "application/json").body(body.to_string())
}

async fn json_of(answer: reqwest::Response) -> Result<Value, Error> {
    refused("the delivery service", answer.status().as_u16())?;
    let body = answer.bytes().await?;
    serde_json::from_slice(&body).map_err(|_| Error::Unverified("the answer is no JSON".into()))
}

fn refused(what: &str, status: u16) -> Result<(), Error> {
    match status {
        200..=299 => Ok(()),
        _ => Err(Error::Unexpected { what: format!("Simulator: {what}"), status, code: String::new() }),
    }
}

/// A key with a certificate that it has signed itself, as one PEM: what the author of messages to mailboxes has.
///
/// # Errors
/// If OpenSSL cannot make them.
pub fn author(common_name: &str) -> Result<String, Error> {
    let made = || -> Result<Vec<u8>, ErrorStack> {
        let key = keys::usual()?;
        let mut name = X509NameBuilder::new()?;
        name.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
        let name = name.build();
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(&*BigNum::from_u32(1)?.to_asn1_integer()?)?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
        builder.set_not_after(&*Asn1Time::days_from_now(30)?)?;
        builder.set_pubkey(&key)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok([key.private_key_to_pem_pkcs8()?, builder.build().to_pem()?].concat())
    };
    let pem = made().map_err(|error| Error::Io(std::io::Error::other(error)))?;
    Ok(String::from_utf8(pem).unwrap_or_default())
}

/// Somebody who fetches: decrypts the data of what waits at a destination, accepts it, and gives the data.
///
/// # Errors
/// If the delivery service refuses, or something cannot be decrypted.
pub async fn accept(service: &Service, destination: Uuid, keys: &Keys) -> Result<Vec<Value>, Error> {
    let client = reqwest::Client::builder().user_agent("Simulator: Verwaltungssystem").build()?;
    let token = token(&client, service, SUBSCRIBER).await?;
    let base = format!("{}/v2", service.submission_url());
    let read = async |path: String| {
        json_of(client.get(format!("{base}{path}")).bearer_auth(&token).send().await?).await
    };
    let listed = read(format!("/submissions?destinationId={destination}")).await?;
    let mut opened = vec![];
    for at in listed["submissions"].as_array().into_iter().flatten() {
        let (id, case) =
            (at["submissionId"].as_str().unwrap_or_default(), at["caseId"].as_str().unwrap_or_default());
        let submission = read(format!("/submissions/{id}")).await?;
        let data = keys.encryption.decrypt(submission["encryptedData"].as_str().unwrap_or_default());
        let data = data.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        opened.push(data.ok_or_else(|| Error::Unverified("the data cannot be decrypted".into()))?);
        let log = read(format!("/submissions/{id}/events")).await?;
        let tags = log["eventLog"].as_array().into_iter().flatten().find_map(|it| {
            let (_, claims) = unverified(it.as_str()?)?;
            let payload =
                claims["events"].as_object()?.iter().find(|(name, _)| name.ends_with("/submit-submission"));
            Some(payload?.1["authenticationTags"].clone())
        });
        let claims = json!({
            "$schema": "https://schema.fitko.de/fit-connect/set-payload/1.2.2/set-payload.schema.json",
            "jti": new_id(),
            "iss": destination,
            "iat": time::OffsetDateTime::now_utc().unix_timestamp(),
            "sub": format!("submission:{id}"),
            "txn": format!("case:{case}"),
            "events": {
                "https://schema.fitko.de/fit-connect/events/accept-submission": { "authenticationTags": tags },
            },
        });
        let set = keys.signing.sign("secevent+jwt", claims.to_string().as_bytes())?;
        let post = client.post(format!("{base}/cases/{case}/events")).bearer_auth(&token);
        let answer = post.header("content-type", "application/jose").body(set).send().await?;
        refused("an acceptance", answer.status().as_u16())?;
    }
    Ok(opened)
}

async fn token(client: &reqwest::Client, service: &Service, who: (&str, &str)) -> Result<String, Error> {
    let (id, secret) = who;
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let asked = client.post(service.token_url()).header("content-type", "application/x-www-form-urlencoded");
    let token: Value = json_of(asked.body(form).send().await?).await?;
    Ok(token["access_token"].as_str().unwrap_or_default().to_owned())
}
