//! Standards of the XÖV family that are recognised and carried on unchanged: identified by namespace and
//! root element, validated where an official pack is installed.

use std::io::Write;
use std::sync::Arc;

use model::standard::{Identity, Intake, Meaning, Outgoing, Records, Source, Standard, Written};
use model::{Failure, Finding, Report};
use schemas::{Schemas, Validator};
use xml::Event;

use crate::Error;
use crate::container::{Limits, shown};
use crate::findings::{of_schema, unreadable};
use crate::head::{Place, Root, read_root};

/// A standard by its namespaces.
struct Family {
    name: &'static str,
    /// What its namespaces begin with; the rest says the version, unless a version stands here.
    namespaces: &'static [(&'static str, Option<&'static str>)],
}

const FAMILIES: &[Family] = &[
    Family { name: "xbau", namespaces: &[("http://www.xleitstelle.de/xbau/", None)] },
    Family { name: "xbeteiligung", namespaces: &[("https://www.xleitstelle.de/xbeteiligung/", None)] },
    Family { name: "xplanung", namespaces: &[("http://www.xplanung.de/xplangml/", None)] },
    Family { name: "xinneres", namespaces: &[("http://www.osci.de/xinneres/", None)] },
    Family { name: "xmeld", namespaces: &[("http://www.osci.de/xmeld", None)] },
    Family {
        name: "xrechnung",
        namespaces: &[
            ("urn:oasis:names:specification:ubl:schema:xsd:Invoice-2", Some("ubl-2.1")),
            ("urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2", Some("ubl-2.1")),
            ("urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100", Some("cii-d16b")),
        ],
    },
    Family {
        name: "xwasser",
        namespaces: &[("https://gitlab.opencode.de/akdb/xoev/xwasser/-/raw/main/V", None)],
    },
    Family {
        name: "xbildung",
        namespaces: &[
            ("http://xbildung.de/def/", None),
            ("http://xschule.digital/def/", None),
            ("http://xhochschule.de/def/", None),
            ("http://xberufsbildung.de/def/", None),
        ],
    },
    Family { name: "xdatenfelder", namespaces: &[("urn:xoev-de:fim:standard:xdatenfelder_", None)] },
    Family { name: "xzufi", namespaces: &[("http://xoev.de/schemata/xzufi/", None)] },
    Family {
        name: "xgewerbeanzeige",
        namespaces: &[
            ("http://www.xgewerbeanzeige.de/spezifikation/", None),
            ("http://www.destatis.de/schema/datml-raw/2.0/de", Some("1.3")),
        ],
    },
];

/// A standard that is carried on unchanged.
struct Carried {
    family: &'static Family,
    schemas: Arc<Schemas>,
    limits: Limits,
}

/// Every standard that is only carried on.
pub(crate) fn all(schemas: &Arc<Schemas>, limits: Limits) -> Vec<Box<dyn Standard>> {
    let carried = |family| Carried { family, schemas: Arc::clone(schemas), limits };
    FAMILIES.iter().map(|family| Box::new(carried(family)) as Box<dyn Standard>).collect()
}

impl Family {
    /// The version that a namespace of the family says.
    fn version(&self, namespace: &str) -> Option<String> {
        self.namespaces.iter().find_map(|(prefix, version)| {
            let rest = namespace.strip_prefix(prefix)?;
            Some(version.map_or_else(|| version_of(rest), str::to_owned))
        })
    }
}

/// `2/6`, `1_0_0`, `xschule/1.1/xsd`, `kernmodul/1/3/0`: what of it are numbers.
fn version_of(rest: &str) -> String {
    let is_number = |part: &&str| part.starts_with(|c: char| c.is_ascii_digit());
    let parts: Vec<&str> = rest.split(['/', '_']).filter(is_number).collect();
    if parts.is_empty() { rest.to_owned() } else { parts.join(".") }
}

/// The number at the end of a root's name, else the name.
pub(crate) fn type_of(root: &str) -> &str {
    let last = root.rsplit('.').next().unwrap_or(root);
    let is_number = last.len() >= 4 && last.bytes().all(|b| b.is_ascii_digit());
    if is_number { last } else { root }
}

impl Carried {
    fn identity(&self, place: &Place, root: &Root) -> Option<Identity> {
        let version = self.family.version(&root.namespace)?;
        Some(Identity {
            standard: self.family.name.to_owned(),
            version: shown(&version),
            message_type: type_of(&root.local).to_owned(),
            name: root.local.clone(),
            container: place.container().is_some(),
            ..Identity::default()
        })
    }

    fn find(&self, source: &mut dyn Source) -> Result<Option<(Place, Root, Identity)>, Failure> {
        // What is wrong with a container is said once, by the standard that owns containers.
        let found = Place::find(source, &self.limits, &mut Report::default());
        let Some(place) = found.map_err(Error::from)? else { return Ok(None) };
        let mut reader = place.reader(source).map_err(Error::from)?;
        let Ok(root) = read_root(&mut reader) else { return Ok(None) };
        drop(reader);
        let identity = self.identity(&place, &root);
        Ok(identity.map(|identity| (place, root, identity)))
    }
}

/// Validates a message by the schema of its root, where a pack has one.
pub(crate) fn validate(
    schemas: &Schemas,
    place: &Place,
    source: &mut dyn Source,
    root: &Root,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut reader = place.reader(source).map_err(Error::from)?;
    match schemas.find(&root.namespace, &root.local) {
        Ok(Some(schema)) => reader.observe(Box::new(Validator::new(schema))),
        Ok(None) => report.add(Finding::warning("schema.absent").with("name", &root.local)),
        Err(error) => report.add(Finding::error(error.code())),
    }
    let end = loop {
        match reader.next() {
            Ok(Event::Eof) => break None,
            Ok(_) => {}
            Err(error) => break Some(error),
        }
    };
    let found = reader.take_observer::<Validator>().map(|validator| validator.report()).unwrap_or_default();
    report.more += (found.errors + found.notes).saturating_sub(found.findings.len() as u64);
    found.findings.into_iter().map(of_schema).for_each(|finding| report.add(finding));
    if let Some(error) = end {
        report.add(unreadable(error)?);
    }
    Ok(())
}

impl Standard for Carried {
    fn name(&self) -> &'static str {
        self.family.name
    }

    fn writes(&self) -> &'static [&'static str] {
        &[]
    }

    fn identify(&self, source: &mut dyn Source, _: Option<&str>) -> Result<Option<Identity>, Failure> {
        Ok(self.find(source)?.map(|(_, _, identity)| identity))
    }

    fn check(
        &self,
        source: &mut dyn Source,
        _: Option<&str>,
        report: &mut Report,
    ) -> Result<Option<Identity>, Failure> {
        let Some((place, root, identity)) = self.find(source)? else { return Ok(None) };
        validate(&self.schemas, &place, source, &root, report)?;
        Ok(Some(identity))
    }

    fn read(&self, _: &mut dyn Source, _: &mut dyn Intake) -> Result<Meaning, Failure> {
        Ok(Meaning::CarryOn)
    }

    fn write(&self, _: &Outgoing, _: &mut dyn Records, _: &mut dyn Write) -> Result<Written, Failure> {
        Err(Error::Unsupported { what: "this standard" }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_types_are_read_from_names() {
        for (rest, version) in [
            ("2/6", "2.6"),
            ("kernmodul/1/3/0", "1.3.0"),
            ("1_0_0", "1.0.0"),
            ("xschule/1.1/xsd", "1.1"),
            ("3.0.0", "3.0.0"),
            ("unknown", "unknown"),
            ("2511a", "2511a"),
            ("", ""),
        ] {
            assert_eq!(version_of(rest), version);
        }
        assert_eq!(type_of("kommunal.Initiieren.0401"), "0401");
        assert_eq!(type_of("nachricht.gds.uebermittlungSchriftgutobjekte.0005005"), "0005005");
        assert_eq!(type_of("Invoice"), "Invoice");
    }
}
