//! Document management systems.

use std::sync::Arc;
use std::time::Duration;

use adapter_dms::dms::{self, Dms};
use adapter_dms::mapping::{Field, Mapping};
use adapter_dms::port::{Port, ValueKind};
use adapter_dms::{Login, cmis, dvelop, enaio, hotfolder, webdav};
use config::{CmisBinding, CmisChanges, DmsField, DmsFieldType, EnaioType, Mapped, OfDms, XdomeaFolder};
use model::adapter::Adapter;
use model::standard::Endpoint;

use super::{Build, minutes, seconds};
use crate::error::Error;

/// Pause between two looks at a system that tells no changes.
const NOTHING_TO_SEE: Duration = Duration::from_secs(3_600);

type Built = Result<Arc<dyn Adapter>, Error>;

impl Build<'_> {
    pub(super) fn cmis(&self, it: &OfDms<config::Cmis>) -> Built {
        let OfDms { system, mapped } = it;
        let settings = cmis::Settings {
            url: system.url.clone(),
            binding: match system.binding {
                CmisBinding::Browser => cmis::Binding::Browser,
                CmisBinding::Atompub => cmis::Binding::AtomPub,
            },
            repository: system.repository.clone(),
            user: system.user.clone(),
            password: self.secret("password", &system.password)?,
            folder: system.folder.clone(),
            folder_type: system.folder_type.clone(),
            document_type: system.document_type.clone(),
            secondary_types: system.secondary_types.clone(),
            own_property: system.own_property.clone(),
            changes: match system.changes {
                CmisChanges::Auto => cmis::ChangeSource::Auto,
                CmisChanges::Log => cmis::ChangeSource::Log,
                CmisChanges::Query => cmis::ChangeSource::Query,
                CmisChanges::Off => cmis::ChangeSource::Off,
            },
            within: seconds(mapped.within_seconds),
            transfer_within: minutes(mapped.transfer_minutes),
        };
        let port = cmis::Cmis::new(settings, &mapping(mapped), self.client(), self.clock());
        Ok(self.dms(mapped, seconds(system.poll_seconds), Arc::new(port)))
    }

    pub(super) fn webdav(&self, it: &OfDms<config::Webdav>) -> Built {
        let OfDms { system, mapped } = it;
        let login = match (&system.user, &system.password) {
            (Some(user), Some(password)) => {
                Login::Basic { user: user.clone(), password: self.secret("password", password)? }
            }
            (None, Some(password)) => Login::Bearer(self.secret("password", password)?),
            _ => Login::Nobody,
        };
        let settings = webdav::Settings {
            own_folder: system.own_folder.clone(),
            keep_versions: system.keep_versions,
            within: seconds(mapped.within_seconds),
            transfer: minutes(mapped.transfer_minutes),
            ..webdav::Settings::new(&system.url, login)
        };
        let library = |settings: &webdav::Settings| webdav::library(settings, self.client(), self.clock());
        // Of the two that it judges, the address is the one that is wrong with any folder.
        let wrong = || match library(&webdav::Settings::new(&system.url, Login::Nobody)) {
            Some(_) => self.refused("own_folder", "expected the name of a folder"),
            None => self.no_address(),
        };
        let port = library(&settings).ok_or_else(wrong)?;
        Ok(self.dms(mapped, seconds(system.poll_seconds), Arc::new(port)))
    }

    pub(super) fn dvelop(&self, it: &OfDms<config::Dvelop>) -> Built {
        let OfDms { system, mapped } = it;
        let settings = dvelop::Settings {
            url: system.url.clone(),
            login: Login::Bearer(self.secret("api_key", &system.api_key)?),
            repository: system.repository.clone(),
            folder_category: system.folder_category.clone(),
            document_category: system.document_category.clone(),
            own_property: system.own_property.clone(),
            mark_property: system.mark_property.clone(),
            name_property: system.name_property.clone(),
            parent_property: system.parent_property.clone(),
            root: system.root.clone(),
            within: seconds(mapped.within_seconds),
            transfer: minutes(mapped.transfer_minutes),
        };
        let port = dvelop::repository(settings, self.client(), self.clock());
        Ok(self.dms(mapped, NOTHING_TO_SEE, Arc::new(port.ok_or_else(|| self.no_address())?)))
    }

    pub(super) fn enaio(&self, it: &OfDms<config::Enaio>) -> Built {
        let OfDms { system, mapped } = it;
        let password = self.secret("password", &system.password)?;
        let settings = enaio::Settings {
            url: system.url.clone(),
            login: Login::Basic { user: system.user.clone(), password },
            cabinet: object_type(&system.cabinet),
            register: object_type(&system.register),
            document: object_type(&system.document),
            mark_field: system.mark_field.clone(),
            root: system.root,
            within: seconds(mapped.within_seconds),
            transfer: minutes(mapped.transfer_minutes),
        };
        let port = enaio::enaio(settings, self.client(), self.clock());
        Ok(self.dms(mapped, NOTHING_TO_SEE, Arc::new(port.ok_or_else(|| self.no_address())?)))
    }

    pub(super) fn xdomea_folder(&self, it: &XdomeaFolder) -> Built {
        let named = |name: &String| Endpoint { name: Some(name.clone()), ..Endpoint::default() };
        let told = it.told.as_ref().map(|told| hotfolder::Told {
            version: told.version.clone(),
            sender: named(&told.sender),
            recipient: named(&told.recipient),
        });
        let settings = hotfolder::Settings {
            quiet: seconds(it.quiet_seconds),
            poll: seconds(it.poll_seconds),
            most_bytes: it.max_mb << 20,
            keep_done: it.keep_done,
            told,
            ..hotfolder::Settings::new(self.id(), &it.export, &it.import, it.partner.clone())
        };
        let xdomea = self.tools.standards.iter().find(|standard| standard.name() == "xdomea");
        let xdomea = xdomea.ok_or_else(|| self.refused("kind", "xdomea is not there"))?;
        Ok(Arc::new(hotfolder::Hotfolder::new(settings, Arc::clone(xdomea), self.clock())))
    }

    fn dms(&self, mapped: &Mapped, poll: Duration, port: Arc<dyn Port>) -> Arc<dyn Adapter> {
        Arc::new(Dms::new(dms::Settings { id: self.id(), mapping: mapping(mapped), poll }, port))
    }

    fn no_address(&self) -> Error {
        self.refused("url", "expected the address of the system")
    }
}

fn mapping(mapped: &Mapped) -> Mapping {
    let all = |fields: &[DmsField]| fields.iter().map(field).collect();
    Mapping {
        folders: all(&mapped.folder_fields),
        documents: all(&mapped.document_fields),
        reference: mapped.reference_property.clone(),
    }
}

fn field(field: &DmsField) -> Field {
    Field {
        field: field.field.clone(),
        property: field.property.clone(),
        kind: match field.kind {
            DmsFieldType::Text => ValueKind::Text,
            DmsFieldType::Date => ValueKind::Date,
            DmsFieldType::Number => ValueKind::Number,
            DmsFieldType::Flag => ValueKind::Flag,
        },
        comes_back: field.comes_back,
    }
}

fn object_type(it: &EnaioType) -> enaio::ObjectType {
    enaio::ObjectType {
        id: it.id.clone(),
        own_field: it.own_field.clone(),
        name_field: it.name_field.clone(),
    }
}
