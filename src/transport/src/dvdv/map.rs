//! What the directory says of an authority, as an entry: each service that is valid now and that the configuration looks for is
//! a way. Its elements name the intermediary and the certificates of OSCI-Transport, or a server of XTA.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use broker::directory::{Entry, EntryOsci, EntryWay, EntryXta};
use broker::house::{OsciMode, XtaProfile, XtaVersion};
use model::{Authority, Timestamp};
use seal::x509::Certificate;
use serde::Deserialize;
use serde_json::json;

use super::Service;
use super::call::{Caller, Trouble};

/// `OrganizationDescription`, as far as it is needed.
#[derive(Deserialize)]
struct Description {
    organization: Option<Organization>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Organization {
    name_de: String,
    organization_keys: Vec<String>,
    #[serde(default)]
    services: Option<Vec<Offered>>,
}

/// `ServiceBase`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Offered {
    service_specification_uri: String,
    valid_from: Option<String>,
    valid_to: Option<String>,
}

/// `Service`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    #[serde(default)]
    service_elements: Option<Vec<Element>>,
}

/// `ServiceElementInfo`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Element {
    service_element_type: Option<String>,
    service_element_uri: Option<String>,
    cipher_certificate: Option<Listed>,
    signature_certificate: Option<Listed>,
}

/// `Certificate`.
#[derive(Deserialize)]
struct Listed {
    content: Option<String>,
}

/// What the directory says of an authority: nothing if it does not know it, or none of the services.
pub(super) async fn entry(
    caller: &Caller,
    authority: &Authority,
    services: &[Service],
    now: Timestamp,
) -> Result<Option<Entry>, Trouble> {
    let key = authority.as_str();
    let found: Option<Vec<Description>> =
        caller.find("findauthoritydescriptions", &json!({ "organizationKey": key })).await?;
    let organizations = found.into_iter().flatten().filter_map(|it| it.organization);
    // It looks for keys in its own way; what it finds must have this one.
    let ours: Vec<Organization> =
        organizations.filter(|it| it.organization_keys.iter().any(|known| known == key)).collect();
    let Some(name) = ours.first().map(|it| it.name_de.chars().take(200).collect::<String>()) else {
        return Ok(None);
    };
    let mut ways = vec![];
    for service in services {
        let all = ours.iter().flat_map(|it| it.services.iter().flatten());
        let mut valid = all.filter(|it| it.service_specification_uri == service.uri && it.is_valid(now));
        if valid.next().is_none() {
            continue;
        }
        let request = json!({ "organizationKey": key, "serviceSpecificationUri": service.uri });
        let described: Option<Described> = caller.find("findservicedescription", &request).await?;
        let elements = described.and_then(|it| it.service_elements).unwrap_or_default();
        ways.extend(way(service, &elements));
    }
    Ok((!ways.is_empty()).then(|| Entry { authority: authority.clone(), name, ways }))
}

impl Offered {
    fn is_valid(&self, now: Timestamp) -> bool {
        let moment = |text: &Option<String>| text.as_deref().map(Timestamp::parse);
        let begun = moment(&self.valid_from).is_none_or(|from| from.is_some_and(|from| from <= now));
        let ends = moment(&self.valid_to).is_none_or(|to| to.is_some_and(|to| now < to));
        begun && ends
    }
}

impl Element {
    fn is(&self, kind: &str) -> bool {
        self.service_element_type.as_deref() == Some(kind)
    }

    fn cipher(&self) -> Option<String> {
        self.cipher_certificate.as_ref()?.pem()
    }

    fn signature(&self) -> Option<String> {
        self.signature_certificate.as_ref()?.pem()
    }
}

impl Listed {
    /// As PEM: it stands there as base64 of the file, which is DER or PEM.
    fn pem(&self) -> Option<String> {
        let text: String = self.content.as_deref()?.split_whitespace().collect();
        let bytes = STANDARD.decode(text).ok()?;
        let certificate = match Certificate::from_der(&bytes) {
            Ok(certificate) => certificate,
            Err(_) => Certificate::all_from_pem(&bytes).ok()?.into_iter().next()?,
        };
        let der = STANDARD.encode(certificate.der());
        let lines: Vec<&str> =
            der.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        Some(format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n")))
    }
}

/// The way of a service; nothing if its elements do not make one.
fn way(service: &Service, elements: &[Element]) -> Option<EntryWay> {
    let osci = osci(elements);
    let xta = if osci.is_none() { xta(service, elements) } else { None };
    let way = EntryWay {
        services: service.service.iter().cloned().collect(),
        service_uris: vec![service.uri.clone()],
        reads: service.reads.clone(),
        most_bytes: service.most_bytes,
        osci,
        xta,
    };
    if !way.is_sound() {
        tracing::warn!(service = service.uri, "the DVDV does not say enough of a service");
    }
    Some(way).filter(EntryWay::is_sound)
}

fn osci(elements: &[Element]) -> Option<EntryOsci> {
    let of = |kind: &'static str| elements.iter().filter(move |element| element.is(kind));
    let intermediary = of("OSCI_INTERMEDIARY").next()?;
    let addressee = of("OSCI_ADDRESSEE").chain(of("CIPHER_CERTIFICATE")).find_map(Element::cipher)?;
    let signed_by = of("SIGNATURE_CERTIFICATE").chain(of("OSCI_ADDRESSEE")).filter_map(Element::signature);
    Some(EntryOsci {
        intermediary: intermediary.service_element_uri.clone()?,
        intermediary_certificate: intermediary.cipher()?,
        answers_by: intermediary.signature(),
        recipient_certificate: addressee,
        signed_by: signed_by.collect(),
        mode: OsciMode::Store,
        receiver: None,
    })
}

/// A server of XTA is a web server with several ports, of which the directory has one address. The configuration says what stands
/// behind it.
fn xta(service: &Service, elements: &[Element]) -> Option<EntryXta> {
    let (management, send) = service.xta.as_ref()?;
    let server = elements.iter().find(|element| element.is("WEBSERVER"))?;
    let base = server.service_element_uri.as_deref()?.trim_end_matches('/').to_owned();
    Some(EntryXta {
        version: XtaVersion::V3,
        management: format!("{base}{management}"),
        send: format!("{base}{send}"),
        trust: vec![],
        container_mb: 40,
        mtom: true,
        party: None,
        scheme: None,
        profile: XtaProfile::Plain,
    })
}
