//! `kind = "camunda"`.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use adapter_workflow::{
    Action, Cancelled, Kind, Login, Message, Process, Settings, Text, Topic, Value, Variable, Wait, Workflow,
};
use config::{Camunda, CamundaDoes, CamundaTopic};
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
            settings.topics.push(Topic { name: topic.name.clone(), kind });
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
        let wrong = |rule: &str| self.refused(key, rule);
        let text = |text: &String| Text::from_str(text).map_err(|_| wrong("expected =text or a variable"));
        if topic.does == CamundaDoes::Task {
            let (title, result) = topic.title.as_ref().zip(topic.result.as_ref()).unzip();
            let title = title.ok_or_else(|| wrong("a task needs title and result"))?;
            let hours = |hours: u32| Wait::For(Duration::from_secs(u64::from(hours) * 3_600));
            return Ok(Kind::Task {
                title: text(title)?,
                unit: topic.unit.as_ref().map(text).transpose()?,
                due: topic.due_hours.map(hours).or(topic.due_variable.clone().map(Wait::Until)),
                result: result.cloned().unwrap_or_default(),
                cancelled: topic.cancelled.clone().map_or(Cancelled::Incident, Cancelled::Error),
            });
        }
        let action = match topic.does {
            CamundaDoes::Close | CamundaDoes::Task => Action::Close,
            CamundaDoes::Reopen => Action::Reopen,
            CamundaDoes::Note => Action::Note,
            CamundaDoes::Amend => Action::Amend(topic.fields.clone().into_iter().collect()),
            CamundaDoes::AssignReference => {
                let variable = topic.variable.clone();
                Action::AssignReference(variable.ok_or_else(|| wrong("`assign-reference` needs variable"))?)
            }
        };
        Ok(Kind::Service { action, refused: topic.refused.clone() })
    }
}
