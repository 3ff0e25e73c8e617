//! `amtsbote osci …`, and what `amtsbote partner check` finds out about a way by OSCI-Transport.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use model::{Authority, Id, ids};
use output::{print, table};
use seal::identity::Identity;
use serde_json::{Value, json};
use transport::Fetch;
use transport::osci::Parcel;
use transport::osci::inspect::{in_words, inspect as describe};

use crate::commands::{OnStore, Outcome};
use crate::error::Error;
use cli::{OsciCommand, ToSend};

/// `amtsbote osci inspect`: nothing but the file is needed.
pub(crate) fn inspect(file: &Path, key: Option<&str>, password: Option<&str>, as_json: bool) -> Outcome {
    let keys = key.iter().map(|key| Identity::load(key, password));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let opened = File::open(file).map_err(|reason| Error::File { file: file.to_owned(), reason })?;
    let shown = describe(opened, &keys)?;
    print(as_json, &shown, in_words);
    Ok(ExitCode::SUCCESS)
}

impl OnStore {
    /// The other commands of `amtsbote osci`.
    pub(crate) async fn osci(&self, command: OsciCommand) -> Outcome {
        match command {
            OsciCommand::Inspect { file, key, password } => {
                inspect(&file, key.as_deref(), password.as_deref(), self.as_json)
            }
            OsciCommand::Send(what) => self.osci_send(what).await,
            OsciCommand::Fetch { authority } => self.osci_fetch(authority.as_ref()).await,
        }
    }

    async fn osci_send(&self, what: ToSend) -> Outcome {
        let ToSend { file, from, to, subject, id } = what;
        let unreadable = |reason| Error::File { file: file.clone(), reason };
        let opened = tokio::fs::File::open(&file).await.map_err(unreadable)?;
        let size = opened.metadata().await.map_err(unreadable)?.len();
        let tenant = self.config.tenants.iter().find(|it| it.authorities.iter().any(|own| own.key == from));
        let tenant = tenant.ok_or(broker::Error::UnknownAuthority)?.id.clone();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let id = id.unwrap_or_else(ids::new_id);
        let (service, header) = (None, None);
        let parcel = Parcel {
            tenant,
            id,
            from,
            to,
            service,
            bytes: Some(size),
            subject,
            name,
            header,
            is_container: false,
        };
        let bar = output::bar(size);
        let sent = self.gateway.osci.courier().send(parcel, Box::new(bar.wrap_async_read(opened))).await;
        bar.finish_and_clear();
        let receipt = sent.map_err(|failure| told(failure, id))?;
        let shown = json!({ "id": id, "messageId": receipt.reference, "receipt": receipt.data });
        print(self.as_json, &shown, |_| receipt.reference.as_deref().unwrap_or("-").to_owned());
        Ok(ExitCode::SUCCESS)
    }

    /// Looks into every mailbox of the authority, or of all, once. One that fails does not keep the others from being fetched.
    async fn osci_fetch(&self, authority: Option<&Authority>) -> Outcome {
        let fetchers = self.gateway.osci.fetchers();
        let wanted: Vec<_> =
            fetchers.iter().filter(|it| authority.is_none_or(|key| it.authority() == key)).collect();
        if wanted.is_empty() {
            return Err(Error::Usage("the configuration names no mailbox of this authority".to_owned()));
        }
        let (mut items, mut all_well) = (vec![], true);
        for fetcher in wanted {
            let round = fetcher.once().await;
            all_well &= round.as_ref().is_ok_and(|fetched| fetched.aside == 0);
            items.push(match round {
                Ok(fetched) => json!({
                    "authority": fetcher.authority(),
                    "taken": fetched.taken,
                    "parked": fetched.parked,
                    "aside": fetched.aside,
                }),
                Err(failure) => json!({
                    "authority": fetcher.authority(),
                    "code": failure.code,
                    "detail": failure.detail,
                }),
            });
        }
        print(self.as_json, &json!({ "items": items }), |list| {
            table(&list["items"], &["authority", "taken", "parked", "aside", "code", "detail"])
        });
        Ok(u8::from(!all_well).into())
    }

    /// Whether messages of an authority of the tenant can go to `to` by OSCI-Transport now: the certificates of the way and a
    /// dialog with the intermediary. Nothing if it is not reached so.
    pub(crate) async fn osci_check(
        &self,
        tenant: &str,
        from: Option<Authority>,
        to: &Authority,
    ) -> Result<Option<(Value, bool)>, Error> {
        let own = self.config.tenants.iter().filter(|it| it.id == tenant).flat_map(|it| &it.authorities);
        let wanted = own.map(|it| &it.key).filter(|key| from.as_ref().is_none_or(|it| it == *key));
        let mut senders = vec![];
        for key in wanted {
            if !self.gateway.osci.certificates(key, to).await?.is_empty() {
                senders.push(key.clone());
            }
        }
        let [from] = senders.as_slice() else {
            return match senders.is_empty() {
                true => Ok(None),
                false => Err(Error::Usage("name the authority that sends with --from".to_owned())),
            };
        };
        let (mut certificates, mut all_well) = (vec![], true);
        for (key, certificate) in self.gateway.osci.certificates(from, to).await? {
            let refused = self.gateway.osci.refuses(&certificate).await.map_err(Error::Standard)?;
            let valid = refused.is_none();
            all_well &= valid;
            certificates.push(json!({
                "key": key,
                "subject": certificate.subject()?,
                "until": model::Timestamp::from_micros(certificate.not_after().saturating_mul(1_000_000)),
                "valid": valid,
                "code": refused,
            }));
        }
        let tried = self.gateway.osci.courier().try_dialog(from.clone(), to.clone()).await;
        all_well &= tried.is_ok();
        let dialog = match tried {
            Ok(()) => json!({ "ok": true }),
            Err(failure) => json!({ "ok": false, "code": failure.code, "detail": failure.detail }),
        };
        Ok(Some((json!({ "from": from, "certificates": certificates, "dialog": dialog }), all_well)))
    }
}

/// A check as text.
pub(crate) fn check_in_words(check: &Value) -> String {
    let dialog = match check["dialog"]["ok"] == true {
        true => "dialog: ok".to_owned(),
        false => {
            let text = |name: &str| check["dialog"][name].as_str().map_or_else(String::new, output::harmless);
            format!("dialog: {} [{}]", text("detail"), text("code"))
        }
    };
    format!("{}\n{dialog}", table(&check["certificates"], &["key", "subject", "until", "valid", "code"]))
}

/// Whoever repeats with the same id sends once: so the id must be known after a failure, too.
fn told(failure: model::Failure, id: Id) -> Error {
    let detail = format!("{} (--id {id} repeats it without sending twice)", failure.detail);
    Error::Standard(model::Failure { detail, ..failure })
}
