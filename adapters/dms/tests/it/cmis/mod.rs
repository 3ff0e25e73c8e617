//! CMIS repositories: a simulated one that answers as a recorded server did.

mod large;
mod look;
mod plain;
mod recorded;
mod strange;
mod tell;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use adapter_dms::cmis::{Binding, ChangeSource, Cmis, Settings};
use adapter_dms::dms::Dms;
use conformance::simulate::cmis::{PASSWORD, Repository, USER, types};
use model::SystemClock;
use serde_json::Value;

use crate::support::{client, dms, mapping};

pub(crate) const BINDINGS: [Binding; 2] = [Binding::Browser, Binding::AtomPub];

pub(crate) fn settings(repository: &Repository, binding: Binding) -> Settings {
    Settings {
        url: match binding {
            Binding::Browser => repository.browser(),
            Binding::AtomPub => repository.atom(),
        },
        binding,
        repository: None,
        user: USER.into(),
        password: PASSWORD.to_owned().into(),
        folder: "/Fachverfahren/Amtsbote".into(),
        folder_type: types::CASE_FOLDER.into(),
        document_type: types::CASE_DOCUMENT.into(),
        secondary_types: vec![],
        own_property: types::OWN.into(),
        changes: ChangeSource::Auto,
        within: Duration::from_secs(10),
        transfer_within: Duration::from_secs(60),
    }
}

pub(crate) fn port(settings: Settings) -> Cmis {
    Cmis::new(settings, &mapping(), client(Duration::from_secs(10)), Arc::new(SystemClock))
}

pub(crate) async fn started(binding: Binding) -> (Repository, Arc<Dms>) {
    let repository = Repository::start().await.unwrap();
    let dms = dms(port(settings(&repository, binding)));
    (repository, dms)
}

/// Everything there with this value of a property.
pub(crate) fn having(repository: &Repository, property: &str, value: &str) -> Vec<Value> {
    repository.objects().into_iter().filter(|it| it[property] == value).collect()
}
