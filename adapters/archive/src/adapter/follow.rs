//! What became of a package. Only what the archive itself says counts, and of TR-ESOR only a package that is fetched back, holds what we
//! gave, byte by byte, and is covered by evidence that holds.
//!
//! What was given is read again from the message: nobody else's word for it counts, and nothing that could be lost meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use model::adapter::{Delivery, Followed, Source};
use model::exchange::ImportResult;
use model::{Failure, Id};
use seal::ers::Fault;
use seal::hash::Algorithm;
use serde_json::{Value, json};

use super::transfer::Opened;
use super::{Archive, blocking};
use crate::codes::io_failed;
use crate::package::Package;
use crate::submit::danrw::Status;
use crate::submit::folder::Answered;
use crate::submit::{danrw, folder};
use crate::xaip::judge::{Judged, Judgement, Rules, judge};
use crate::xaip::outline::Version;
use crate::xaip::write::{OWN_EVIDENCE, PREMIS, VERSION, ids};
use crate::{DaNrw, Folder, Target, TrEsor};

/// What was given to the archive.
struct Given {
    objects: Vec<Id>,
    /// SHA-256 of each file of the message, in hexadecimal, by its id in the package. What is told beside (PREMIS) is not among them: it
    /// says when it was packed, so each attempt has its own.
    files: BTreeMap<String, String>,
}

impl Archive {
    pub(super) async fn followed(
        &self,
        delivery: &Delivery,
        source: &dyn Source,
    ) -> Result<Followed, Failure> {
        let name = Package::name_of(delivery.id);
        match &self.settings.target {
            Target::TrEsor(archive) => self.follow_tresor(archive, delivery, source, &name).await,
            Target::DaNrw(archive) => self.follow_danrw(archive, source, &name).await,
            Target::Folder(archive) => self.follow_folder(archive, source, &name).await,
        }
    }

    async fn follow_tresor(
        &self,
        archive: &TrEsor,
        delivery: &Delivery,
        source: &dyn Source,
        name: &str,
    ) -> Result<Followed, Failure> {
        let s4 = self.s4(archive);
        // The archive may call it otherwise than we do.
        let aoid = delivery.detail["receipt"]["reference"].as_str().unwrap_or(name);
        let Some(evidence) = s4.evidence(aoid).await? else {
            return Ok(Followed::Clarify("archive.package-gone"));
        };
        if evidence.is_empty() && archive.wants_evidence {
            return Ok(Followed::Open);
        }
        let Some(mut package) = s4.retrieve(aoid).await? else {
            return Ok(Followed::Clarify("archive.package-gone"));
        };
        let now_micros = self.clock.now().micros();
        let trust = archive.trust.clone();
        let judged = blocking(move || {
            let rules = Rules { authorities: trust.as_ref(), now_micros, files: &|_| Ok(None) };
            // What cannot be read is not the package that we gave.
            Ok(judge(&mut package, evidence, rules).ok())
        });
        let Some(judged) = judged.await? else {
            return Ok(Followed::Clarify("archive.package-differs"));
        };
        let given = self.given(source).await?;
        let sha256 = delivery.detail["sha256"].as_str().unwrap_or_default();
        let stamped = archive.stamps.is_some();
        if !is_ours(&judged, name, sha256) || !holds_all(&judged, &given, stamped) {
            return Ok(Followed::Clarify("archive.package-differs"));
        }
        // What covers another version proves nothing of ours.
        let evidence: Vec<&Judged> = judged.evidence.iter().filter(|it| it.version == VERSION).collect();
        let trusts = archive.trust.is_some();
        if !evidence.iter().all(|judged| holds(judged, trusts)) {
            return Ok(Followed::Clarify("archive.evidence-wrong"));
        }
        let is_covered = evidence.iter().any(|it| it.credential != OWN_EVIDENCE);
        if archive.wants_evidence && !is_covered {
            return Ok(Followed::Open);
        }
        let told: Vec<Value> = evidence.iter().map(|judged| told(judged)).collect();
        Ok(archived(aoid, &given.objects, json!({ "aoid": aoid, "evidence": told })))
    }

    async fn follow_danrw(
        &self,
        archive: &DaNrw,
        source: &dyn Source,
        name: &str,
    ) -> Result<Followed, Failure> {
        let http = self.http(archive.login.clone(), archive.within);
        let called = match danrw::status(&http, &archive.url, name).await? {
            Status::Unknown | Status::Working(_) => return Ok(Followed::Open),
            Status::Refused(_) => return Ok(Followed::CameToNothing("archive.refused")),
            Status::Archived(called) => called,
        };
        let objects = self.opened(source).await?.objects;
        Ok(archived(&called, &objects, json!({ "package": name, "status": 100 })))
    }

    async fn follow_folder(
        &self,
        archive: &Folder,
        source: &dyn Source,
        name: &str,
    ) -> Result<Followed, Failure> {
        let (folder, file) = (archive.folder.clone(), name.to_owned());
        let answered = blocking(move || folder::answered(&folder, &file).map_err(io_failed));
        let called = match answered.await? {
            Answered::Open => return Ok(Followed::Open),
            Answered::Refused => return Ok(Followed::CameToNothing("archive.refused")),
            Answered::Archived(called) => called,
        };
        let objects = self.opened(source).await?.objects;
        Ok(archived(&called, &objects, json!({ "package": name })))
    }

    async fn given(&self, source: &dyn Source) -> Result<Given, Failure> {
        let Opened { mut message, objects } = self.opened(source).await?;
        // The name of what comes without a container is no matter of its bytes.
        let parts = blocking(move || message.parts("message.xml")).await?;
        let files = ids(&parts.iter().collect::<Vec<_>>()).into_iter().zip(parts);
        Ok(Given { objects, files: files.map(|(id, part)| (id, part.sha256)).collect() })
    }
}

fn own_version(judged: &Judgement) -> Option<&Version> {
    judged.outline.versions.iter().find(|version| version.id == VERSION)
}

/// Whether the package that was fetched is whole in itself and called as the one that we made of the message.
fn is_ours(judged: &Judgement, name: &str, sha256: &str) -> bool {
    let info = own_version(judged).and_then(|version| version.info.as_deref());
    let names_message = info.is_some_and(|info| info.ends_with(sha256));
    judged.is_whole() && judged.outline.package == name && names_message && sha256.len() == 64
}

/// Whether it holds what was given, byte by byte, and its version covers all of that and nothing else.
fn holds_all(judged: &Judgement, given: &Given, stamped: bool) -> bool {
    let Some(version) = own_version(judged) else { return false };
    let beside = [VERSION, PREMIS];
    let ours: BTreeSet<&str> = given.files.keys().map(String::as_str).chain(beside).collect();
    let covered: BTreeSet<&str> = version.protected.iter().map(String::as_str).collect();
    let digest = |id: &str| judged.objects.get(id)?.digests.get(&Algorithm::Sha256).map(hex::encode);
    let is_given = |(id, sha256): (&String, &String)| digest(id).as_ref() == Some(sha256);
    let objects: BTreeSet<Option<Id>> = version.objects.iter().map(|id| id.parse().ok()).collect();
    let transferred: BTreeSet<Option<Id>> = given.objects.iter().copied().map(Some).collect();
    let is_stamped =
        || judged.evidence.iter().any(|it| it.credential == OWN_EVIDENCE && it.version == VERSION);
    covered == ours
        && given.files.iter().all(is_given)
        && objects == transferred
        && (!stamped || is_stamped())
}

/// Whether evidence counts. Who is trusted is the administrator's choice; revocation data are the archive's matter.
fn holds(judged: &Judged, trusts: bool) -> bool {
    let is_minor = |fault: &Fault| match fault {
        Fault::NoRevocation => true,
        Fault::NotJudged => !trusts,
        // Our own was judged when it was made; the archive need not trust the same authority, and covers it by its own from then on.
        Fault::Untrusted | Fault::NotRenewed => judged.credential == OWN_EVIDENCE,
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
