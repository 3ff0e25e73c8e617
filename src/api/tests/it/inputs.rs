//! Messages and containers with every fault a sender or an attacker may put in. Made in code.

use std::io::{Cursor, Read, Write};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use serde_json::json;

use crate::gateway::{Call, Gateway};

/// An entry of a ZIP file as its headers describe it.
pub(crate) struct Entry {
    name: Vec<u8>,
    method: u16,
    crc: u32,
    size: u32,
    data: Vec<u8>,
    flags: u16,
}

impl Entry {
    pub(crate) fn stored(name: impl Into<Vec<u8>>, content: &[u8]) -> Entry {
        let mut crc = Crc::new();
        crc.update(content);
        let size = content.len() as u32;
        Entry { name: name.into(), method: 0, crc: crc.sum(), size, data: content.to_vec(), flags: 0 }
    }

    pub(crate) fn deflated(name: impl Into<Vec<u8>>, content: &[u8]) -> Entry {
        let mut encoder = DeflateEncoder::new(vec![], Compression::best());
        encoder.write_all(content).unwrap();
        Entry { method: 8, data: encoder.finish().unwrap(), ..Entry::stored(name, content) }
    }

    /// Zeros that take up next to nothing.
    pub(crate) fn bomb(name: &str, mebibytes: usize) -> Entry {
        Entry::deflated(name, &vec![0; mebibytes << 20])
    }

    pub(crate) fn with_flags(self, flags: u16) -> Entry {
        Entry { flags, ..self }
    }

    pub(crate) fn with_crc(self, crc: u32) -> Entry {
        Entry { crc, ..self }
    }

    pub(crate) fn with_size(self, size: u32) -> Entry {
        Entry { size, ..self }
    }

    pub(crate) fn with_method(self, method: u16) -> Entry {
        Entry { method, ..self }
    }

    fn header(&self) -> Vec<u8> {
        let mut header = vec![];
        for number in [20, self.flags, self.method, 0, 0x21] {
            header.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.crc, self.data.len() as u32, self.size] {
            header.extend_from_slice(&number.to_le_bytes());
        }
        header.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        header.extend_from_slice(&0_u16.to_le_bytes());
        header
    }
}

/// A ZIP file of these entries (APPNOTE.TXT 4.3).
pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut file = vec![];
    let mut directory = vec![];
    for entry in entries {
        let offset = file.len() as u32;
        file.extend_from_slice(b"PK\x03\x04");
        file.extend_from_slice(&entry.header());
        file.extend_from_slice(&entry.name);
        file.extend_from_slice(&entry.data);
        directory.extend_from_slice(b"PK\x01\x02\x14\x03");
        directory.extend_from_slice(&entry.header());
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(&entry.name);
    }
    let (begin, size, count) = (file.len() as u32, directory.len() as u32, entries.len() as u16);
    file.extend_from_slice(&directory);
    file.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    file.extend_from_slice(&[count.to_le_bytes(), count.to_le_bytes()].concat());
    file.extend_from_slice(&[size.to_le_bytes(), begin.to_le_bytes()].concat());
    file.extend_from_slice(&[0, 0]);
    file
}

/// A sound container, taken apart: what the faulty ones are made from.
pub(crate) struct Sound {
    /// Name that the standard prescribes for the container.
    pub(crate) file_name: String,
    /// Name of the message in it.
    pub(crate) xml_name: String,
    /// The message.
    pub(crate) xml: String,
    /// The other files.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

impl Sound {
    /// What this gateway itself hands over to Soest, fetched from the sender's side.
    pub(crate) async fn made(gateway: &Gateway, token: &str) -> Sound {
        let file = json!({ "unit": "63", "title": "Neubau eines Carports" });
        let file = gateway.call(token, Call::post("/case-files").json(file)).await.is(201).json();
        let path = format!("/case-files/{}/documents", file["id"].as_str().unwrap());
        let document =
            gateway.call(token, Call::post(&path).json(json!({ "title": "Lageplan" }))).await.is(201).json();
        let path = format!("/documents/{}/content?fileName=Lageplan.pdf", document["id"].as_str().unwrap());
        let upload = Call::new("PUT", &path).with("content-type", "application/pdf").bytes(&b"%PDF-1.7"[..]);
        gateway.call(token, upload).await.is(201);
        let handover = json!({ "kind": "handover", "to": "bab:05974000", "objects": [file["id"]] });
        let exchange = gateway.call(token, Call::post("/exchanges").json(handover)).await.is(202).json();
        let message = format!("/messages/{}", exchange["messages"][0]["id"].as_str().unwrap());
        let sent = gateway.until(token, &message, |message| message["payload"].is_object()).await;
        let content = gateway.call(token, Call::get(&format!("{message}/content"))).await.is(200);
        // The receiver has this one already: the process becomes another.
        let process = exchange["processId"].as_str().unwrap();
        Sound::read(sent["fileName"].as_str().unwrap(), content.body)
            .renamed(process, &model::ids::new_id().to_string())
    }

    pub(crate) fn read(file_name: &str, container: Vec<u8>) -> Sound {
        let mut archive = zip::ZipArchive::new(Cursor::new(container)).unwrap();
        let (mut message, mut files) = (None, vec![]);
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).unwrap();
            let name = entry.name().to_owned();
            let mut content = vec![];
            entry.read_to_end(&mut content).unwrap();
            match name.ends_with(".xml") {
                true => message = Some((name, String::from_utf8(content).unwrap())),
                false => files.push((name, content)),
            }
        }
        let (xml_name, xml) = message.unwrap();
        Sound { file_name: file_name.to_owned(), xml_name, xml, files }
    }

    /// The same with another process.
    pub(crate) fn renamed(self, from: &str, to: &str) -> Sound {
        let renamed = |text: String| text.replace(from, to);
        let (file_name, xml_name, xml) = (renamed(self.file_name), renamed(self.xml_name), renamed(self.xml));
        Sound { file_name, xml_name, xml, files: self.files }
    }

    fn entries(&self, xml: &[u8]) -> Vec<Entry> {
        let files = self.files.iter().map(|(name, content)| Entry::stored(name.as_str(), content));
        [Entry::deflated(self.xml_name.as_str(), xml)].into_iter().chain(files).collect()
    }

    /// The container with another message.
    pub(crate) fn with_xml(&self, xml: impl AsRef<[u8]>) -> Vec<u8> {
        zip(&self.entries(xml.as_ref()))
    }

    /// The container with a part of the message replaced.
    pub(crate) fn replaced(&self, from: &str, to: &str) -> Vec<u8> {
        assert!(self.xml.contains(from), "{from} is not in the message");
        self.with_xml(self.xml.replace(from, to))
    }

    /// The container with further entries.
    pub(crate) fn and(&self, more: Vec<Entry>) -> Vec<u8> {
        let mut entries = self.entries(self.xml.as_bytes());
        entries.extend(more);
        zip(&entries)
    }

    /// The message with something before its root element.
    pub(crate) fn prefixed(&self, text: &str) -> Vec<u8> {
        let begin = self.xml.find("?>").map_or(0, |end| end + 2);
        self.with_xml(format!("{}{text}{}", &self.xml[..begin], &self.xml[begin..]))
    }

    /// The message with something as the first child of its root element.
    pub(crate) fn filled(&self, text: &str) -> Vec<u8> {
        let begin = self.xml.find("?>").map_or(0, |end| end + 2);
        let root = begin + self.xml[begin..].find('>').unwrap() + 1;
        self.with_xml(format!("{}{text}{}", &self.xml[..root], &self.xml[root..]))
    }
}
