//! `kind = "camunda"`.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use adapter_workflow::{
    Action, Cancelled, Kind, Login, Message, Process, Settings, Text, Topic, Value, Variable, Wait, Workflow,
};
use config::{Camunda, CamundaTask, CamundaTopic};
use model::adapter::Adapter;

use super::{Build, seconds};
use crate::error::Error;

impl Build<'_> {
    pub(super) fn camunda(&self, it: &Camunda) -> Result<Arc<dyn Adapter>, Error> {
        let login = self.login(it.user.as_ref(), it.password.as_ref())?;
        let mut settings = Settings {
            id: self.id(),
            url: it.url.clone(),
            login: login.map(|(user, password)| Login { user, password }),
            engine_tenant: it.engine_tenant.clone(),
            worker: it.worker.clone(),
            processes: vec![],
            messages: vec![],
            topics: vec![],
            within: seconds(it.within_seconds),
            wait: seconds(it.wait_seconds),
            pause: seconds(it.pause_seconds),
            history: it.history,
        };
        for (at, process) in it.processes.iter().enumerate() {
            settings.processes.push(Process {
                service: process.service.clone(),
                key: process.key.clone(),
                variables: self.variables(&format!("processes[{at}]"), &process.variables)?,
            });
        }
        for (at, message) in it.messages.iter().enumerate() {
            settings.messages.push(Message {
                event: message.event,
                record: message.record,
                service: message.service.clone(),
                status: message.status.clone(),
                name: message.name.clone(),
                keep: message.keep,
                variables: self.variables(&format!("messages[{at}]"), &message.variables)?,
            });
        }
        for (at, topic) in it.topics.iter().enumerate() {
            let kind = self.topic(&format!("topics[{at}]"), topic)?;
            settings.topics.push(Topic { name: topic.name().to_owned(), kind });
        }
        Ok(Arc::new(Workflow::new(settings, self.client(), self.clock())))
    }

    fn variables(&self, key: &str, all: &BTreeMap<String, String>) -> Result<Vec<Variable>, Error> {
        let variable = |(name, value): (&String, &String)| {
            let wrong = |_| self.refused(&format!("{key}.variables"), "expected case.…, record.… or =text");
            Ok(Variable { name: name.clone(), value: Value::from_str(value).map_err(wrong)? })
        };
        all.iter().map(variable).collect()
    }

    fn topic(&self, key: &str, topic: &CamundaTopic) -> Result<Kind, Error> {
        let (action, refused) = match topic {
            CamundaTopic::Task(it) => return self.task(key, it),
            CamundaTopic::Close(it) => (Action::Close, &it.refused),
            CamundaTopic::Reopen(it) => (Action::Reopen, &it.refused),
            CamundaTopic::Note(it) => (Action::Note, &it.refused),
            CamundaTopic::Amend(it) => (Action::Amend(it.fields.clone().into_iter().collect()), &it.refused),
            CamundaTopic::AssignReference(it) => (Action::AssignReference(it.variable.clone()), &it.refused),
        };
        Ok(Kind::Service { action, refused: refused.clone() })
    }

    fn task(&self, key: &str, it: &CamundaTask) -> Result<Kind, Error> {
        let wrong = |_| self.refused(key, "expected =text or a variable");
        let text = |text: &String| Text::from_str(text).map_err(wrong);
        let hours = |hours: u32| Wait::For(Duration::from_secs(u64::from(hours) * 3_600));
        Ok(Kind::Task {
            title: text(&it.title)?,
            unit: it.unit.as_ref().map(text).transpose()?,
            due: it.due_hours.map(hours).or(it.due_variable.clone().map(Wait::Until)),
            result: it.result.clone(),
            cancelled: it.cancelled.clone().map_or(Cancelled::Incident, Cancelled::Error),
        })
    }
}
