//! A call from outside to the adapter's door, passed on: what is signed describes it, the body goes on as it comes. The program's reply is
//! sent after what it leads to is committed.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::adapter::{self, CallbackRequest, Host};
use model::{Failure, ids};
use net::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::act::{Act, command};
use crate::answer::{garbage, refusal};
use crate::{Remote, upload};

/// Most bytes of a call's method, path and header fields together.
const HEAD_BYTES: usize = 6 * 1024;

/// Most commands, and longest key of one.
const MOST_COMMANDS: usize = 100;
const KEY_BYTES: usize = 120;

/// Header fields that are about the connection, and not passed on.
const HOP: &[&str] =
    &["connection", "content-length", "host", "keep-alive", "te", "transfer-encoding", "upgrade"];

#[derive(Deserialize)]
struct Reply {
    status: u16,
    #[serde(default)]
    body: String,
    #[serde(default)]
    commands: Vec<Value>,
}

impl Remote {
    pub(crate) async fn pass_on(
        &self,
        call: CallbackRequest,
        host: &dyn Host,
    ) -> Result<adapter::Reply, Failure> {
        let fields: Vec<_> = call.headers.iter().filter(|(name, _)| !HOP.contains(&name.as_str())).collect();
        let facts = json!({ "method": call.method, "path": call.path, "headers": fields }).to_string();
        if facts.len() > HEAD_BYTES {
            return Err(Failure::permanent("adapter.call-too-large", "the head of the call is too large"));
        }
        let id = ids::new_id().to_string();
        let mut request = self.request(Method::POST, "/calls", &id, facts.as_bytes())?;
        request.headers.push(("amtsbote-call".to_owned(), BASE64_STANDARD.encode(&facts)));
        request.headers.push(("content-type".to_owned(), "application/octet-stream".to_owned()));
        request.body = Some(upload::of(vec![call.body], None));
        let answer = self.client.send(request).await?;
        if answer.status != 200 {
            return Err(refusal(&answer, self.clock.now()));
        }
        let reply: Reply = serde_json::from_slice(&answer.body).map_err(|_| garbage())?;
        let mut commands = vec![];
        let mut keys = BTreeSet::new();
        for told in &reply.commands {
            let key = told["key"].as_str().filter(|key| (1..=KEY_BYTES).contains(&key.len()));
            let act: Option<Act> = serde_json::from_value(told.clone()).ok();
            let (key, command) = key.zip(act.as_ref().and_then(command)).ok_or_else(garbage)?;
            if !keys.insert(key) {
                return Err(garbage());
            }
            commands.push((key.to_owned(), command));
        }
        let is_status = (200..600).contains(&reply.status);
        if !is_status || commands.len() > MOST_COMMANDS {
            return Err(garbage());
        }
        for (key, command) in commands {
            host.submit(&key, command).await?;
        }
        Ok(adapter::Reply::text(reply.status, reply.body))
    }
}
