//! Records and files in memory, as a broker would keep them.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use model::standard::{Identity, Intake, Meaning, Object, Outgoing, Records, Standard, Written};
use model::{Failure, Id, PayloadRef, Record, RecordKind, Report};
use serde_json::Value;

/// What was taken in.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) objects: Vec<Object>,
    pub(crate) files: HashMap<Id, Vec<u8>>,
    pub(crate) names: Vec<String>,
    pub(crate) message: Option<Value>,
}

impl Intake for Memory {
    fn file(&mut self, name: &str, content: &mut dyn Read) -> Result<PayloadRef, Failure> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(|error| Failure::permanent("test", error.to_string()))?;
        self.names.push(name.to_owned());
        Ok(self.store(bytes))
    }

    fn object(&mut self, object: Object) -> Result<(), Failure> {
        self.objects.push(object);
        Ok(())
    }

    fn message(&mut self, extension: Value) -> Result<(), Failure> {
        assert!(self.message.is_none(), "called once");
        self.message = Some(extension);
        Ok(())
    }
}

impl Memory {
    pub(crate) fn store(&mut self, bytes: Vec<u8>) -> PayloadRef {
        let id = model::ids::new_id();
        let digest = format!("{:064x}", bytes.len());
        let payload = PayloadRef { id, size: bytes.len() as u64, sha256: digest.clone(), chunk_root: digest };
        self.files.insert(id, bytes);
        payload
    }

    /// Takes every record through its JSON form, with the object's id as the record's.
    pub(crate) fn through_json(&mut self) {
        for object in &mut self.objects {
            object.record.meta_mut().id = object.object_id;
            let text = object.record.to_json().to_string();
            let json = serde_json::from_str(&text).unwrap();
            object.record = Record::from_json(object.record.kind(), json).unwrap();
        }
        self.message = self.message.take().map(|json| serde_json::from_str(&json.to_string()).unwrap());
    }

    fn find(&self, id: Id) -> Option<&Object> {
        self.objects.iter().find(|object| object.object_id == id)
    }
}

impl Records for Memory {
    fn roots(&mut self) -> Vec<Id> {
        self.objects.iter().filter(|o| o.ancestors.is_empty()).map(|o| o.object_id).collect()
    }

    fn record(&mut self, id: Id) -> Result<Record, Failure> {
        let object = self.find(id).ok_or_else(|| Failure::permanent("test", "no such record"))?;
        Ok(object.record.clone())
    }

    fn children(&mut self, id: Id) -> Result<Vec<(RecordKind, Id)>, Failure> {
        let mut children: Vec<_> = self
            .objects
            .iter()
            .filter(|object| object.ancestors.last().is_some_and(|(_, parent)| *parent == id))
            .map(|o| (o.record.kind(), o.record.description().unwrap().position, o.object_id))
            .collect();
        children.sort();
        Ok(children.into_iter().map(|(kind, _, id)| (kind, id)).collect())
    }

    fn open(&mut self, payload: &PayloadRef) -> Result<Box<dyn Read + '_>, Failure> {
        let bytes = self.files.get(&payload.id).ok_or_else(|| Failure::permanent("test", "no such file"))?;
        Ok(Box::new(&bytes[..]))
    }

    fn message(&mut self) -> Result<Option<Value>, Failure> {
        Ok(self.message.clone())
    }
}

/// Checks a message; rules and severities of what is found.
pub(crate) fn check(standard: &dyn Standard, bytes: &[u8], name: Option<&str>) -> (Option<Identity>, Report) {
    let mut report = Report::default();
    let identity = standard.check(&mut Cursor::new(bytes.to_vec()), name, &mut report).unwrap();
    (identity, report)
}

/// Reads a message that was found acceptable.
pub(crate) fn read(standard: &dyn Standard, bytes: &[u8]) -> (Memory, Meaning) {
    let mut memory = Memory::default();
    let meaning = standard.read(&mut Cursor::new(bytes.to_vec()), &mut memory).unwrap();
    memory.through_json();
    (memory, meaning)
}

/// Writes a message.
pub(crate) fn write(
    standard: &dyn Standard,
    message: &Outgoing,
    records: &mut dyn Records,
) -> Result<(Vec<u8>, Written), Failure> {
    let mut bytes = Vec::new();
    let written = standard.write(message, records, &mut bytes)?;
    Ok((bytes, written))
}
