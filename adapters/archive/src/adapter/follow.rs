//! What became of a package. Only what the archive itself says counts, and of TR-ESOR only a package that is fetched back, is ours and is
//! covered by evidence that holds.

use std::path::Path;

use model::adapter::{Delivery, Followed};
use model::exchange::ImportResult;
use model::{Failure, Id};
use seal::ers::Fault;
use serde_json::{Value, json};

use super::{Archive, blocking};
use crate::codes::io_failed;
use crate::package::{Package, sip};
use crate::submit::danrw::Status;
use crate::submit::folder::Answered;
use crate::submit::{danrw, folder};
use crate::xaip::judge::{Judged, Judgement, Rules, judge};
use crate::xaip::write::OWN_EVIDENCE;
use crate::{DaNrw, Folder, Target, TrEsor};

impl Archive {
    pub(super) async fn followed(&self, delivery: &Delivery) -> Result<Followed, Failure> {
        let name = Package::name_of(delivery.id);
        match &self.settings.target {
            Target::TrEsor(archive) => self.follow_tresor(archive, delivery, &name).await,
            Target::DaNrw(archive) => self.follow_danrw(archive, &name).await,
            Target::Folder(archive) => follow_folder(archive.clone(), name).await,
        }
    }

    async fn follow_tresor(
        &self,
        archive: &TrEsor,
        delivery: &Delivery,
        name: &str,
    ) -> Result<Followed, Failure> {
        let s4 = self.s4(archive);
        // The archive may call it otherwise than we do.
        let aoid = delivery.detail["receipt"]["reference"].as_str().unwrap_or(name);
        let Some(evidence) = s4.evidence(aoid).await? else {
            return Ok(Followed::CameToNothing("archive.package-gone"));
        };
        if evidence.is_empty() && archive.wants_evidence {
            return Ok(Followed::Open);
        }
        let Some(mut package) = s4.retrieve(aoid).await? else {
            return Ok(Followed::CameToNothing("archive.package-gone"));
        };
        let now_micros = self.clock.now().micros();
        let trust = archive.trust.clone();
        let judged = blocking(move || {
            let rules = Rules { authorities: trust.as_ref(), now_micros, files: &|_| Ok(None) };
            // What cannot be read is not the package that we gave.
            Ok(judge(&mut package, evidence, rules).ok())
        });
        let Some(judged) = judged.await? else {
            return Ok(Followed::CameToNothing("archive.package-differs"));
        };
        let sha256 = delivery.detail["sha256"].as_str().unwrap_or_default();
        if !is_ours(&judged, name, sha256) {
            return Ok(Followed::CameToNothing("archive.package-differs"));
        }
        let trusts = archive.trust.is_some();
        let theirs = judged.evidence.iter().filter(|it| it.credential != OWN_EVIDENCE).count();
        let all_hold = judged.evidence.iter().all(|judged| holds(judged, trusts));
        if !all_hold || (theirs == 0 && archive.wants_evidence) {
            return Ok(Followed::CameToNothing("archive.evidence-wrong"));
        }
        let proof = json!({ "aoid": aoid, "evidence": judged.evidence.iter().map(told).collect::<Vec<_>>() });
        let said = judged.outline.versions.first().map(|version| &version.objects[..]).unwrap_or_default();
        let objects: Option<Vec<Id>> = said.iter().map(|id| id.parse().ok()).collect();
        match objects.filter(|objects| !objects.is_empty()) {
            Some(objects) => Ok(archived(aoid, &objects, proof)),
            None => Ok(Followed::CameToNothing("archive.package-differs")),
        }
    }

    async fn follow_danrw(&self, archive: &DaNrw, name: &str) -> Result<Followed, Failure> {
        let http = self.http(archive.login.clone(), archive.within);
        let called = match danrw::status(&http, &archive.url, name).await? {
            Status::Unknown | Status::Working(_) => return Ok(Followed::Open),
            Status::Refused(_) => return Ok(Followed::CameToNothing("archive.refused")),
            Status::Archived(called) => called,
        };
        let (folder, file) = (archive.folder.clone(), sip::file_name(name, archive.container));
        let proof = json!({ "package": name, "status": 100 });
        blocking(move || of_mark(&folder, &file, &called, proof)).await
    }
}

async fn follow_folder(archive: Folder, name: String) -> Result<Followed, Failure> {
    blocking(move || match folder::answered(&archive.folder, &name).map_err(io_failed)? {
        Answered::Open => Ok(Followed::Open),
        Answered::Archived(called) => of_mark(&archive.folder, &name, &called, json!({ "package": name })),
        Answered::Refused => Ok(Followed::CameToNothing("archive.refused")),
    })
    .await
}

/// The objects of an archived package stand in its mark.
fn of_mark(folder: &Path, file: &str, called: &str, proof: Value) -> Result<Followed, Failure> {
    match folder::objects(folder, file).map_err(io_failed)? {
        Some(objects) => Ok(archived(called, &objects, proof)),
        None => Ok(Followed::CameToNothing("archive.mark-gone")),
    }
}

/// Whether the package that was fetched is whole and the one that we made of the message.
fn is_ours(judged: &Judgement, name: &str, sha256: &str) -> bool {
    let version = judged.outline.versions.first();
    let names_message =
        version.and_then(|version| version.info.as_deref()).is_some_and(|info| info.ends_with(sha256));
    judged.is_whole() && judged.outline.package == name && names_message && sha256.len() == 64
}

/// Whether evidence counts. Who is trusted is the administrator's choice; revocation data are the archive's matter.
fn holds(judged: &Judged, trusts: bool) -> bool {
    let is_minor = |fault: &Fault| match fault {
        Fault::NoRevocation => true,
        Fault::NotJudged => !trusts,
        // Our own was judged when it was made; the archive need not trust the same authority.
        Fault::Untrusted => judged.credential == OWN_EVIDENCE,
        _ => false,
    };
    !judged.elsewhere && judged.verdict.as_ref().is_ok_and(|verdict| verdict.faults.iter().all(is_minor))
}

fn told(judged: &Judged) -> Value {
    let verdict = judged.verdict.as_ref().ok();
    let at =
        verdict.and_then(|verdict| verdict.first).map(|stamp| model::Timestamp::from_micros(stamp.at_micros));
    let open: Vec<&str> =
        verdict.map(|verdict| verdict.faults.iter().map(|fault| fault.code()).collect()).unwrap_or_default();
    json!({ "version": judged.version, "stampedAt": at, "stamps": verdict.map(|verdict| verdict.stamps), "open": open })
}

/// Everything that came is archived.
fn archived(called: &str, objects: &[Id], proof: Value) -> Followed {
    let result = ImportResult {
        successful: true,
        archive_reference: Some(called.to_owned()),
        ..ImportResult::default()
    };
    Followed::Imported { results: objects.iter().map(|id| (*id, result.clone())).collect(), proof }
}
