//! What `amtsbote partner check` finds out about a way by XTA.

use broker::Wanted;
use model::Authority;
use output::table;
use serde_json::{Value, json};
use transport::xta::party::Version;

use crate::commands::OnStore;
use crate::error::Error;

impl OnStore {
    /// Whether messages of an authority of the tenant can go to `to` by XTA now: by which version, when certificates end, and whether
    /// the account at the server is active. Nothing if it is not reached so.
    pub(crate) async fn xta_check(
        &self,
        tenant: &str,
        wanted: Wanted<'_>,
        to: &Authority,
    ) -> Result<Option<(Value, bool)>, Error> {
        let own = self.config.tenants.iter().filter(|it| it.id == tenant).flat_map(|it| &it.authorities);
        let asked = own.map(|it| &it.key).filter(|key| wanted.from.is_none_or(|it| it == *key));
        let mut senders = vec![];
        for key in asked {
            if !self.gateway.xta.certificates(key, to, wanted).await?.is_empty() {
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
        for (key, certificate) in self.gateway.xta.certificates(from, to, wanted).await? {
            certificates.push(json!({
                "key": key,
                "subject": certificate.subject()?,
                "until": model::Timestamp::from_micros(certificate.not_after().saturating_mul(1_000_000)),
            }));
        }
        let partner = self.gateway.xta.partner(tenant, to, wanted).await?;
        let version = partner.map(|partner| match partner.server.version {
            Version::V3 => "3",
            Version::V5 => "5",
        });
        let asked = self.gateway.xta.courier().check_account(from, to, wanted).await;
        let is_well = asked.is_ok();
        let account = match asked {
            Ok(()) => json!({ "ok": true }),
            Err(failure) => json!({ "ok": false, "code": failure.code, "detail": failure.detail }),
        };
        let shown = json!({
            "from": from,
            "version": version,
            "certificates": certificates,
            "account": account,
        });
        Ok(Some((shown, is_well)))
    }
}

/// A check as text.
pub(crate) fn check_in_words(check: &Value) -> String {
    let text = |name: &str| check["account"][name].as_str().map_or_else(String::new, output::harmless);
    let account = match check["account"]["ok"] == true {
        true => "account: active".to_owned(),
        false => format!("account: {} [{}]", text("detail"), text("code")),
    };
    let version = check["version"].as_str().unwrap_or_default();
    format!("XTA {version}\n{}\n{account}", table(&check["certificates"], &["key", "subject", "until"]))
}
