//! What citizens are told: rules, templates, and which ways there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use adapter_notify::template::{Language, Template};
use adapter_notify::{Carried, Rule, Settings};
use config::{NoticeLanguage, Notify};
use model::RecordKind;
use model::adapter::Adapter;

use super::Build;
use crate::error::Error;

/// The ways that people carry themselves.
const BY_HAND: [&str; 2] = ["call", "letter"];

impl Build<'_> {
    /// Its ways are those of the others, so it is made last.
    pub(super) fn notify(&self, it: &Notify, others: &[Arc<dyn Adapter>]) -> Result<Arc<dyn Adapter>, Error> {
        let mut rules = vec![];
        for (at, rule) in it.notices.iter().enumerate() {
            let rule = Rule {
                event: rule.event,
                record: rule.record,
                status: rule.status.clone(),
                kind: rule.of.clone(),
                services: rule.services.clone(),
                template: rule.template.clone(),
            };
            if let Some(lack) = rule.lack() {
                return Err(self.refused(&format!("notices[{at}]"), lack));
            }
            rules.push(rule);
        }
        let carried = self.carried(others);
        if let Some(way) = it.ways.iter().find(|way| !carried.iter().any(|it| it.carries(way))) {
            return Err(self.refused("ways", &format!("no adapter carries dispatches of the way {way}")));
        }
        let named = |(id, it): (&String, &config::InTwo)| (id.clone(), [it.de.clone(), it.en.clone()]);
        Ok(Arc::new(adapter_notify::Notify::new(Settings {
            id: self.id(),
            rules,
            templates: self.templates(it)?,
            language: match it.language {
                NoticeLanguage::De => Language::German,
                NoticeLanguage::En => Language::English,
                NoticeLanguage::Both => Language::Both,
            },
            roles: it.roles.clone(),
            ways: it.ways.clone(),
            carried,
            sending: self.config.dispatch.clone(),
            link: it.link.clone(),
            services: it.service_names.iter().map(named).collect(),
            area: it.area.clone(),
        })))
    }

    fn templates(&self, it: &Notify) -> Result<BTreeMap<String, Template>, Error> {
        let mut templates = BTreeMap::new();
        for name in it.notices.iter().map(|rule| &rule.template) {
            let loaded = Template::load(&it.templates, name, it.link.is_some());
            templates.insert(name.clone(), loaded.map_err(|why| self.refused("templates", &why))?);
        }
        Ok(templates)
    }

    fn carried(&self, others: &[Arc<dyn Adapter>]) -> Vec<Carried> {
        let scope = |id: &str| {
            let entry = self.config.adapters.iter().find(|entry| entry.serves.id == id);
            Some(entry?.channel()?.scope)
        };
        let ways = others.iter().filter_map(|adapter| {
            let descriptor = adapter.descriptor();
            let scope = scope(&descriptor.id).filter(|_| descriptor.is_told_of_new(RecordKind::Dispatch))?;
            Some(Carried { way: descriptor.way.clone(), scope: Some(scope) })
        });
        let by_hand = BY_HAND.map(|way| Carried { way: Some(way.to_owned()), scope: None });
        ways.chain(by_hand).collect()
    }
}
