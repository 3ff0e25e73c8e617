//! `kind = "open311"`, `"open311-client"` and `"web-push"`.

use std::sync::Arc;
use std::time::Duration;

use adapter_mobile::settings::{Attribute, ClientSettings, Key, Publish, PushSettings, Service, Settings};
use adapter_mobile::{Open311, OpenClient, WebPush};
use config::{OpenAttribute, OpenPublish, OpenReport};
use model::adapter::Adapter;
use seal::sha256;

use super::{Build, minutes, seconds};
use crate::error::Error;

impl Build<'_> {
    pub(super) fn open311(&self, it: &config::Open311) -> Result<Arc<dyn Adapter>, Error> {
        let mut keys = vec![];
        for (at, key) in it.keys.iter().enumerate() {
            let secret = self.secret(&format!("keys[{at}].secret"), &key.secret)?;
            keys.push(Key {
                name: key.name.clone(),
                digest: sha256(&[secret.as_bytes()]),
                per_minute: key.per_minute,
            });
        }
        let settings = Settings {
            id: self.id(),
            url: it.url.clone(),
            jurisdiction: it.jurisdiction.clone(),
            contact: it.contact.clone(),
            key_service: it.key_service.clone(),
            changeset: it.changeset.clone(),
            test: it.test,
            agency: it.agency.clone(),
            services: it.reports.iter().map(service).collect(),
            keys,
            publish: publish(it.publish),
            near_metres: it.near_metres,
            media_hosts: it.media_hosts.clone(),
            photo_bytes: usize::try_from(it.max_mb).unwrap_or(1) << 20,
            photo_pixels: u64::from(it.max_megapixels) * 1_000_000,
            reads_per_minute: it.reads_per_minute,
        };
        Ok(Arc::new(Open311::new(settings, self.client())))
    }

    pub(super) fn open_client(&self, it: &config::OpenClient) -> Result<Arc<dyn Adapter>, Error> {
        let key = it.secret.as_ref().map(|secret| self.secret("secret", secret)).transpose()?;
        let settings = ClientSettings {
            id: self.id(),
            url: it.url.clone(),
            jurisdiction: it.jurisdiction.clone(),
            key,
            email: it.email.clone(),
            json: it.json,
            text: publish(it.text),
            services: it.codes.clone().into_iter().collect(),
            closes: it.closes,
            within: seconds(it.within_seconds),
            pause: minutes(it.pause_minutes),
        };
        Ok(Arc::new(OpenClient::new(settings, self.client(), self.clock())))
    }

    pub(super) fn web_push(&self, it: &config::WebPush) -> Result<Arc<dyn Adapter>, Error> {
        let settings = PushSettings {
            id: self.id(),
            key: self.secret("key", &it.key)?,
            contact: it.sender.clone(),
            keeps: Duration::from_secs(3_600 * u64::from(it.keep_hours)),
            within: seconds(it.within_seconds),
        };
        let made = WebPush::new(settings, self.client(), self.clock());
        Ok(Arc::new(made.map_err(|failure| self.refused("key", &failure.detail))?))
    }
}

fn publish(it: OpenPublish) -> Publish {
    match it {
        OpenPublish::Never => Publish::Never,
        OpenPublish::AfterCheck => Publish::AfterCheck,
        OpenPublish::AtOnce => Publish::AtOnce,
    }
}

fn service(it: &OpenReport) -> Service {
    Service {
        code: it.code.clone(),
        name: it.name.clone(),
        description: it.description.clone(),
        group: it.group.clone(),
        keywords: it.keywords.clone(),
        public_service: it.service.clone(),
        unit: it.desk.clone(),
        batch: it.batch,
        attributes: it.attributes.iter().map(attribute).collect(),
    }
}

fn attribute(it: &OpenAttribute) -> Attribute {
    Attribute {
        code: it.code.clone(),
        description: it.question.clone(),
        datatype: it.datatype.name().to_owned(),
        datatype_description: it.hint.clone(),
        required: it.required,
        variable: !it.told_only,
        values: it.values.iter().map(|value| (value.key.clone(), value.name.clone())).collect(),
    }
}
