//! `amtsbote evidence …`: bundles are written and verified, the chain is checked, content is erased.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use broker::Erasure;
use config::Config;
use model::Id;
use seal::bundle::Trust;
use seal::evidence_key::EvidencePublicKey;
use seal::timestamp::Authorities;
use serde_json::{Value, json};

use crate::commands::{OnStore, Outcome};
use crate::error::Error;
use cli::{Erased, OfTenant};
use output::print;

impl OnStore {
    /// `amtsbote evidence export`
    pub(crate) async fn export(&self, case: Id, output: &Path, content: bool, of: &OfTenant) -> Outcome {
        let caller = self.caller(of)?;
        let unwritable = |reason| Error::File { file: output.to_owned(), reason };
        // What it holds of a case is for the operator's eyes, whatever the umask says.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(output);
        let file = file.map_err(unwritable)?;
        let exported = self.gateway.broker.export_evidence(&caller, case, file, content).await;
        let file = match exported {
            Ok(file) => file,
            Err(error) => {
                // Half a bundle is none.
                std::fs::remove_file(output).map_err(unwritable)?;
                return Err(error.into());
            }
        };
        file.sync_all().map_err(unwritable)?;
        let bytes = file.metadata().map_err(unwritable)?.len();
        print(self.as_json, &json!({ "file": output, "bytes": bytes }), |_| {
            format!("{}: {bytes} bytes", output.display())
        });
        Ok(ExitCode::SUCCESS)
    }

    /// `amtsbote evidence check`
    pub(crate) async fn check_chain(&self, tsa_ca: Option<&Path>, of: &OfTenant) -> Outcome {
        let caller = self.caller(of)?;
        let authorities = tsa_ca.map(authorities).transpose()?;
        let report = self.gateway.broker.check_chain(&caller, authorities.as_ref()).await?;
        print(self.as_json, &json!(report), |_| report.to_string());
        Ok(u8::from(!report.ok).into())
    }

    /// `amtsbote evidence erase`
    pub(crate) async fn erase(&self, case: Id, what: &Erased, of: &OfTenant) -> Outcome {
        let caller = self.caller(of)?;
        let erasure = match (what.event, what.payload) {
            (Some(id), _) => Erasure::Event(id),
            (None, Some(id)) => Erasure::Payload(id),
            (None, None) => return Err(Error::Usage("name an event or a payload".to_owned())),
        };
        self.gateway.broker.erase(&caller, case, erasure).await?;
        let (Erasure::Event(id) | Erasure::Payload(id)) = erasure;
        print(self.as_json, &json!({ "erased": id }), |_| format!("{id}: erased"));
        Ok(ExitCode::SUCCESS)
    }
}

/// What the auditor knows from elsewhere, and demands.
pub(crate) struct Trusted {
    /// PEM of the gateway's public key.
    pub(crate) key: Option<PathBuf>,
    /// PEM of the time stamp authority's certificates.
    pub(crate) tsa_ca: Option<PathBuf>,
    /// Whether every event needs a stamp.
    pub(crate) require_stamp: bool,
}

/// `amtsbote evidence verify`: needs neither configuration nor store.
pub(crate) fn verify(bundle: &Path, trusted: &Trusted, as_json: bool) -> Outcome {
    let key = trusted.key.as_deref().map(public_key_of).transpose()?;
    let authorities = trusted.tsa_ca.as_deref().map(authorities).transpose()?;
    let trust =
        Trust { key: key.as_ref(), authorities: authorities.as_ref(), require_stamps: trusted.require_stamp };
    let file = File::open(bundle).map_err(unreadable(bundle))?;
    let bar = output::bar(file.metadata().map_err(unreadable(bundle))?.len());
    let report = seal::bundle::verify_with(file, trust, |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    print(as_json, &json!(report), |_| {
        let key = match (key.is_some(), report.key_trusted) {
            (true, true) => "signed with the trusted key",
            (true, false) => "NOT signed with the trusted key",
            (false, _) => "no key was given: anybody could have made this bundle",
        };
        format!("{}: {key}; {report}", bundle.display())
    });
    Ok(u8::from(!report.ok).into())
}

fn public_key_of(path: &Path) -> Result<EvidencePublicKey, Error> {
    Ok(EvidencePublicKey::from_pem(&std::fs::read_to_string(path).map_err(unreadable(path))?)?)
}

fn authorities(path: &Path) -> Result<Authorities, Error> {
    Ok(Authorities::from_pem(&std::fs::read(path).map_err(unreadable(path))?)?)
}

fn unreadable(file: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let file = file.to_owned();
    move |reason| Error::File { file, reason }
}

/// `amtsbote evidence key`; as JSON with the keys before it.
pub(crate) fn public_key(config: &Config, as_json: bool) -> Outcome {
    let shown = |key: &EvidencePublicKey| -> Result<Value, Error> {
        Ok(json!({ "pem": key.to_pem()?, "fingerprint": key.fingerprint().to_string() }))
    };
    let mut all = shown(&config.store.evidence_key()?.public()?)?;
    // Where only the key is wanted, it is told whatever became of the files of those before it.
    if as_json {
        let older: Result<Vec<Value>, Error> =
            config.store.older_evidence_keys()?.iter().map(shown).collect();
        all["older"] = older?.into();
    }
    print(as_json, &all, |all| all["pem"].as_str().unwrap_or_default().trim_end().to_owned());
    Ok(ExitCode::SUCCESS)
}
