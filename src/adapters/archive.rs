//! Archives.

use std::sync::Arc;

use adapter_archive::{
    AppraisalBy, Container, DaNrw, Folder, Login, Migration, Rights, Settings, Stamps, Target, Tools, TrEsor,
};
use config::{
    ArchiveAppraisal, ArchiveFolder, Danrw, DanrwContainer, DanrwMigration, OfArchive, Packages, Tresor,
    TresorStamps,
};
use model::adapter::Adapter;

use super::{Build, minutes, seconds};
use crate::error::Error;

type Built = Result<Arc<dyn Adapter>, Error>;

impl Build<'_> {
    pub(super) fn tresor(&self, it: &OfArchive<Tresor>) -> Built {
        let OfArchive { target, packages } = it;
        let login = self.login(target.user.as_ref(), target.password.as_ref())?;
        let trust = match target.trust.as_slice() {
            [] => None,
            some => Some(self.config.adapter_authorities(self.entry, "trust", some)?),
        };
        let settings = TrEsor {
            url: target.url.clone(),
            login: login.map(|(user, password)| Login { user, password }),
            client_id: target.client_id.clone(),
            retention_years: target.retention_years,
            wants_evidence: target.wants_evidence,
            stamps: target.stamps.as_ref().map(|it| self.stamps(it)).transpose()?,
            trust,
            within: minutes(target.within_minutes),
        };
        Ok(self.archive(packages, Target::TrEsor(settings)))
    }

    pub(super) fn danrw(&self, it: &OfArchive<Danrw>) -> Built {
        let OfArchive { target, packages } = it;
        let login = self.login(target.user.as_ref(), target.password.as_ref())?;
        let settings = DaNrw {
            folder: target.folder.clone(),
            container: match target.container {
                DanrwContainer::Tgz => Container::Tgz,
                DanrwContainer::Zip => Container::Zip,
                DanrwContainer::Tar => Container::Tar,
            },
            url: target.url.clone(),
            login: login.map(|(user, password)| Login { user, password }),
            rights: Rights {
                migration: match target.migration {
                    DanrwMigration::None => Migration::None,
                    DanrwMigration::Notify => Migration::Notify,
                    DanrwMigration::Confirm => Migration::Confirm,
                },
                public: target.public,
                institution: target.institution,
                no_ddb: target.no_ddb,
                least_quality: target.least_quality,
            },
            within: seconds(target.within_seconds),
        };
        Ok(self.archive(packages, Target::DaNrw(settings)))
    }

    pub(super) fn archive_folder(&self, it: &OfArchive<ArchiveFolder>) -> Arc<dyn Adapter> {
        self.archive(&it.packages, Target::Folder(Folder { folder: it.target.folder.clone() }))
    }

    fn stamps(&self, it: &TresorStamps) -> Result<Stamps, Error> {
        Ok(Stamps {
            url: it.url.clone(),
            policy: it.policy.as_deref().map(str::parse).transpose()?,
            trust: self.config.adapter_authorities(self.entry, "stamps.trust", &it.trust)?,
            revocation_url: it.revocation_url.clone(),
        })
    }

    fn archive(&self, packages: &Packages, target: Target) -> Arc<dyn Adapter> {
        let command = |words: &Vec<String>| (!words.is_empty()).then(|| words.clone());
        let settings = Settings {
            target,
            appraisal: match packages.appraisal {
                ArchiveAppraisal::Nobody => AppraisalBy::Nobody,
                ArchiveAppraisal::Everything => AppraisalBy::Everything,
                ArchiveAppraisal::Records => AppraisalBy::Records,
            },
            tools: Tools {
                identify: command(&packages.identify),
                pdf_a: command(&packages.pdf_a),
                within: seconds(packages.tool_seconds),
            },
            work: packages.work.clone(),
            source_organisation: packages.source_organisation.clone(),
        };
        let schemas = Arc::clone(self.tools.schemas);
        adapter_archive::archive(&self.entry.serves.id, settings, self.client(), schemas, self.clock())
    }
}
