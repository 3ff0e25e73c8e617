//! Security Event Tokens (RFC 8417) of FIT-Connect: compact JWS with PS512, exactly one event, about one submission or reply of one case.
//! Who wrote an event follows from `iss` alone, and with it whose key must have signed; an event that this author may not write is
//! refused.

use std::collections::BTreeMap;

use model::Timestamp;
use seal::jose::{Algorithm, Jws, PrivateKey, Protected, PublicKey, sign};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// `typ` of a SET.
const TYP: &str = "secevent+jwt";
/// Where the names of events begin.
const EVENTS: &str = "https://schema.fitko.de/fit-connect/events/";
/// The least `iat`: 2020-01-01.
const LEAST_IAT: i64 = 1_577_833_200;
/// How far the author's clock may be ahead, in seconds.
const AHEAD: i64 = 300;
/// Longest token that is looked at, in characters: tags of some thousand attachments.
const MOST: usize = 512 * 1024;

/// Authentication tags of the parts of a submission: the last segment of each JWE, unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tags {
    pub(crate) metadata: String,
    pub(crate) data: String,
    #[serde(default)]
    pub(crate) attachments: BTreeMap<Uuid, String>,
}

/// Who wrote an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Author {
    /// The delivery service, by its address.
    Service(String),
    /// A destination.
    Destination(Uuid),
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Submission(Uuid),
    Reply(Uuid),
}

/// An event that was verified.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    /// `jti`.
    pub(crate) id: Uuid,
    pub(crate) author: Author,
    pub(crate) at: Timestamp,
    pub(crate) subject: Subject,
    pub(crate) case: Uuid,
    /// Name of the event, such as `submit-submission`.
    pub(crate) event: String,
    /// What the event says.
    pub(crate) payload: Value,
    /// `$schema`.
    pub(crate) schema: Option<String>,
    /// As it came.
    pub(crate) token: String,
}

/// Why a token is no event; no text quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// No compact JWS with PS512 of this type, or nobody who wrote it.
    Form,
    /// It may be an event, and nobody knows (yet): of a key or an author that is not known here, of a schema that is not understood, or of
    /// a time that is still to come by our clock.
    Unclear,
    /// A key that we know has not signed it.
    Signature,
    /// A key that we know has signed it, and the claims break their rules.
    Claims,
    /// A key that we know has signed it, and its owner may not write this event.
    Author,
}

impl Invalid {
    /// Whether a key that we know proves it wrong. What is not proved may pass.
    pub(crate) fn is_proved(self) -> bool {
        matches!(self, Invalid::Signature | Invalid::Claims | Invalid::Author)
    }
}

/// A token that was read and is not verified yet.
pub(crate) struct Unverified {
    jws: Jws,
    author: Author,
    /// Names of its events.
    names: Vec<String>,
    set: Result<Set, Invalid>,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(rename = "$schema")]
    schema: Option<String>,
    jti: Uuid,
    iat: i64,
    sub: String,
    txn: String,
    events: Map<String, Value>,
}

impl Unverified {
    /// Reads a token. What is wrong with its claims is said only once it is known who signed them.
    pub(crate) fn read(token: &str, now: Timestamp) -> Result<Self, Invalid> {
        if token.len() > MOST {
            return Err(Invalid::Form);
        }
        let jws = Jws::read(token, Algorithm::Ps512, TYP).map_err(|_| Invalid::Form)?;
        jws.kid().ok_or(Invalid::Form)?;
        let claims: Value = serde_json::from_slice(jws.unverified()).map_err(|_| Invalid::Form)?;
        let author = claims["iss"].as_str().and_then(author).ok_or(Invalid::Form)?;
        let events = claims["events"].as_object();
        let names = events.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let set = Claims::deserialize(claims).map_err(|_| Invalid::Claims);
        let set = set.and_then(|claims| claims.into_set(&author, token, now));
        Ok(Unverified { jws, author, names, set })
    }

    /// Who is said to have written it.
    pub(crate) fn author(&self) -> &Author {
        &self.author
    }

    /// The id of the key that is said to have signed.
    pub(crate) fn kid(&self) -> &str {
        self.jws.kid().unwrap_or_default()
    }

    /// Whether it says this event, alone or among others.
    pub(crate) fn says(&self, event: &str) -> bool {
        self.names.iter().any(|name| name.strip_prefix(EVENTS) == Some(event))
    }

    /// The event, if this key signed it, its claims keep their rules, and its author may write it.
    pub(crate) fn verify(self, key: &PublicKey) -> Result<Set, Invalid> {
        self.jws.verify(key).map_err(|_| Invalid::Signature)?;
        self.set
            .and_then(|set| if may_write(&set.author, &set.event) { Ok(set) } else { Err(Invalid::Author) })
    }
}

/// Who is said to have written an event.
fn author(iss: &str) -> Option<Author> {
    match iss.starts_with("http") {
        true => Some(Author::Service(iss.to_owned())),
        false => uuid(iss).map(Author::Destination),
    }
}

impl Claims {
    fn into_set(self, author: &Author, token: &str, now: Timestamp) -> Result<Set, Invalid> {
        let latest = now.micros() / 1_000_000 + AHEAD;
        if self.iat > latest || !self.schema.as_deref().is_none_or(is_schema) {
            return Err(Invalid::Unclear);
        }
        self.kept(author, token).ok_or(Invalid::Claims)
    }

    /// The event, if the claims keep their rules.
    fn kept(self, author: &Author, token: &str) -> Option<Set> {
        let at = Some(self.iat).filter(|iat| *iat >= LEAST_IAT)?.checked_mul(1_000_000)?;
        let mut events = self.events.into_iter();
        let (name, payload) = events.next().filter(|_| events.len() == 0)?;
        let subject = match self.sub.split_once(':')? {
            ("submission", id) => Subject::Submission(uuid(id)?),
            ("reply", id) => Subject::Reply(uuid(id)?),
            _ => return None,
        };
        let event = name.strip_prefix(EVENTS)?.to_owned();
        let fits = match subject {
            Subject::Submission(_) => event.ends_with("-submission"),
            Subject::Reply(_) => event.ends_with("-reply"),
        };
        fits.then_some(Set {
            id: self.jti,
            author: author.clone(),
            at: Timestamp::from_micros(at),
            subject,
            case: uuid(self.txn.strip_prefix("case:")?)?,
            event,
            payload,
            schema: self.schema,
            token: token.to_owned(),
        })
    }
}

impl Set {
    /// The authentication tags that it names.
    pub(crate) fn tags(&self) -> Option<Tags> {
        Tags::deserialize(&self.payload["authenticationTags"]).ok()
    }
}

/// A UUID in its one usual form.
pub(crate) fn uuid(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

fn is_schema(text: &str) -> bool {
    let version = text
        .strip_prefix("https://schema.fitko.de/fit-connect/set-payload/")
        .and_then(|rest| rest.strip_suffix("/set-payload.schema.json"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    version.is_some_and(|version| version.starts_with("1.") && version.split('.').all(is_number))
}

/// Which events are whose. Answers are written by whoever got what they are about: of a reply, that is the sender of its case.
fn may_write(author: &Author, event: &str) -> bool {
    let is_service = matches!(author, Author::Service(_));
    match event {
        "create-submission" | "submit-submission" | "notify-submission" | "delete-submission"
        | "create-reply" | "submit-reply" | "notify-reply" | "delete-reply" => is_service,
        "accept-submission" => !is_service,
        "forward-submission" | "reject-submission" | "accept-reply" | "reject-reply" => true,
        _ => false,
    }
}

/// What we write.
pub(crate) struct Draft<'a> {
    /// The destination that writes.
    pub(crate) destination: Uuid,
    pub(crate) subject: Subject,
    pub(crate) case: Uuid,
    /// Name of the event.
    pub(crate) event: &'a str,
    pub(crate) payload: Value,
    /// `$schema`.
    pub(crate) schema: &'a str,
    pub(crate) at: Timestamp,
}

/// Signs an event.
///
/// # Errors
/// If the key cannot sign.
pub(crate) fn write(draft: &Draft<'_>, key: &PrivateKey) -> seal::Result<(Uuid, String)> {
    let id = Uuid::from_bytes(seal::random_bytes::<16>()?);
    let id = uuid::Builder::from_random_bytes(id.into_bytes()).into_uuid();
    let subject = match draft.subject {
        Subject::Submission(id) => format!("submission:{id}"),
        Subject::Reply(id) => format!("reply:{id}"),
    };
    let name = format!("{EVENTS}{}", draft.event);
    let claims = json!({
        "$schema": draft.schema,
        "jti": id,
        "iss": draft.destination,
        "iat": draft.at.micros() / 1_000_000,
        "sub": subject,
        "txn": format!("case:{}", draft.case),
        "events": { name: draft.payload },
    });
    let protected = Protected { typ: Some(TYP), kid: Some(key.kid()) };
    Ok((id, sign(key, protected, claims.to_string().as_bytes())?))
}
