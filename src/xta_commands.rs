//! What `amtsbote partner check` finds out about a way by XTA.

use model::Authority;
use output::table;
use serde_json::{Value, json};

use crate::commands::OnStore;
use crate::error::Error;

impl OnStore {
    /// Whether messages of an authority of the tenant can go to `to` by XTA now: when certificates end, and whether the account at
    /// the server is active. Nothing if it is not reached so.
    pub(crate) async fn xta_check(
        &self,
        tenant: &str,
        from: Option<Authority>,
        to: &Authority,
    ) -> Result<Option<(Value, bool)>, Error> {
        let own = self.config.tenants.iter().filter(|it| it.id == tenant).flat_map(|it| &it.authorities);
        let wanted = own.map(|it| &it.key).filter(|key| from.as_ref().is_none_or(|it| it == *key));
        let mut senders = vec![];
        for key in wanted {
            if !self.gateway.xta.certificates(key, to).await?.is_empty() {
                senders.push(key.clone());
            }
        }
        let [from] = senders.as_slice() else {
            return match senders.is_empty() {
                true => Ok(None),
                false => Err(Error::Usage("name the authority that sends with --from".to_owned())),
            };
        };
        let mut certificates = vec![];
        for (key, certificate) in self.gateway.xta.certificates(from, to).await? {
            certificates.push(json!({
                "key": key,
                "subject": certificate.subject()?,
                "until": model::Timestamp::from_micros(certificate.not_after().saturating_mul(1_000_000)),
            }));
        }
        let asked = self.gateway.xta.courier().check_account(from.clone(), to.clone()).await;
        let is_well = asked.is_ok();
        let account = match asked {
            Ok(()) => json!({ "ok": true }),
            Err(failure) => json!({ "ok": false, "code": failure.code, "detail": failure.detail }),
        };
        Ok(Some((json!({ "from": from, "certificates": certificates, "account": account }), is_well)))
    }
}

/// A check as text.
pub(crate) fn check_in_words(check: &Value) -> String {
    let text = |name: &str| check["account"][name].as_str().map_or_else(String::new, output::harmless);
    let account = match check["account"]["ok"] == true {
        true => "account: active".to_owned(),
        false => format!("account: {} [{}]", text("detail"), text("code")),
    };
    format!("{}\n{account}", table(&check["certificates"], &["key", "subject", "until"]))
}
