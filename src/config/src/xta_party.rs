//! The gateway as a client of XTA 2: how its authorities call servers elsewhere, their message boxes there, and partners that are
//! reached by one.

use std::path::Path;
use std::time::Duration;

use broker::house::{
    AuthorityEntry, CourtForm, PartnerEntry, XtaKeys, XtaMailbox, XtaProfile, XtaReach, XtaReaderServer,
    XtaServer, XtaVersion,
};
use model::outbound::ChosenBy;
use transport::xta::party::{MailboxAt, Name, Partner, Party, PartySettings, ReaderAt, Server, version};

use crate::check::Check;
use crate::osci::{certificates, identity, resolve_pair};
use crate::{Config, Error, resolve};

/// Longest name of a party, in characters.
const MOST_NAME: usize = 200;

impl Config {
    /// What the configuration refers to, loaded.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what it should be.
    pub fn xta_parties(&self) -> Result<PartySettings, Error> {
        let mut settings = PartySettings::default();
        for (at, tenant) in self.tenants.iter().enumerate() {
            for (index, authority) in tenant.authorities.iter().enumerate() {
                let key = format!("tenant[{at}].authority[{index}]");
                settings.own.extend(party(&tenant.id, authority, &key)?);
                for (number, mailbox) in authority.xta_mailboxes.iter().enumerate() {
                    let key = format!("{key}.xta_mailbox[{number}].server");
                    settings.mailboxes.push(MailboxAt {
                        authority: authority.key.clone(),
                        server: server(&mailbox.server, &key)?,
                        every: Duration::from_secs(u64::from(mailbox.every_seconds)),
                    });
                }
            }
        }
        for (index, entry) in self.partners.iter().enumerate() {
            if let Some(reach) = &entry.xta {
                settings.partners.push(partner(entry, reach, &format!("partner[{index}].xta.server"))?);
            }
        }
        Ok(settings)
    }

    /// Servers of readers.
    pub(crate) fn xta_reader_servers(&self) -> Result<Vec<ReaderAt>, Error> {
        let mut readers = vec![];
        for (at, tenant) in self.tenants.iter().enumerate() {
            for (index, authority) in tenant.authorities.iter().enumerate() {
                let key = format!("tenant[{at}].authority[{index}]");
                let Some(found) = authority.xta_reader.as_ref().and_then(|it| it.server.as_ref()) else {
                    continue;
                };
                let Some(party) = party(&tenant.id, authority, &key)? else { continue };
                readers.push(ReaderAt { party, server: reader_server(found, &key)? });
            }
        }
        Ok(readers)
    }

    pub(crate) fn resolve_xta_parties(&mut self, folder: &Path) {
        let authorities = self.tenants.iter_mut().flat_map(|tenant| &mut tenant.authorities);
        for AuthorityEntry { xta, xta_mailboxes, xta_reader, .. } in authorities {
            xta.iter_mut().for_each(|keys| resolve_pair(&mut keys.identity, folder));
            let server = xta_reader.iter_mut().filter_map(|reader| reader.server.as_mut());
            server.filter_map(|it| it.trust.as_mut()).for_each(|reference| resolve(reference, folder));
            let trusted = xta_mailboxes.iter_mut().filter_map(|mailbox| mailbox.server.trust.as_mut());
            trusted.for_each(|reference| resolve(reference, folder));
        }
        let reaches = self.partners.iter_mut().filter_map(|partner| partner.xta.as_mut());
        let trusted = reaches.filter_map(|reach| reach.server.trust.as_mut());
        trusted.for_each(|reference| resolve(reference, folder));
    }
}

fn party(tenant: &str, authority: &AuthorityEntry, key: &str) -> Result<Option<Party>, Error> {
    let Some(XtaKeys { identity: pair, party, scheme }) = &authority.xta else { return Ok(None) };
    let id = party.clone().unwrap_or_else(|| authority.key.to_string());
    let name = Some(authority.name.clone());
    Ok(Some(Party {
        tenant: tenant.to_owned(),
        authority: authority.key.clone(),
        identity: identity(pair, &format!("{key}.xta.identity"))?,
        name: Name { id, scheme: Some(scheme.clone()), name, ..Name::default() },
    }))
}

fn partner(entry: &PartnerEntry, reach: &XtaReach, key: &str) -> Result<Partner, Error> {
    Ok(Partner {
        tenant: entry.tenant.clone(),
        authority: entry.authority.clone(),
        server: server(&reach.server, key)?,
        party: reach.party.clone(),
        scheme: reach.scheme.clone(),
        most_bytes: entry.most_bytes,
        court: (reach.profile == XtaProfile::Court).then(|| reach.court.clone().unwrap_or_default()),
    })
}

/// Whether a text is two numbers with a dot between them.
fn is_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.').is_some_and(|(first, second)| is_number(first) && is_number(second))
}

/// Whether an author could be both: by the same name at the same server, for a tenant that has both.
fn is_same_author(one: &PartnerEntry, other: &PartnerEntry) -> bool {
    fn meets<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
        one.zip(other).is_none_or(|(one, other)| one == other)
    }
    let (Some(at), Some(by)) = (&one.xta, &other.xta) else { return false };
    let name = |partner: &PartnerEntry, reach: &XtaReach| {
        reach.party.clone().unwrap_or_else(|| partner.authority.to_string())
    };
    at.server.management == by.server.management
        && name(one, at) == name(other, by)
        && meets(at.scheme.as_ref(), by.scheme.as_ref())
        && meets(one.tenant.as_ref(), other.tenant.as_ref())
}

fn server(server: &XtaServer, key: &str) -> Result<Server, Error> {
    let trust = server.trust.as_ref().map(|reference| certificates(reference, &format!("{key}.trust")));
    Ok(Server {
        version: version(server.version),
        management: server.management.clone(),
        send: server.send.clone(),
        message_box: server.message_box.clone(),
        trust: trust.transpose()?,
        container_bytes: server.container_mb.saturating_mul(1 << 20),
        as_packages: server.mtom,
        chosen_by: ChosenBy::Administrator,
    })
}

/// A server of readers has one address.
fn reader_server(server: &XtaReaderServer, key: &str) -> Result<Server, Error> {
    let place = format!("{key}.xta_reader.server.trust");
    let trust = server.trust.as_ref().map(|reference| certificates(reference, &place));
    Ok(Server {
        version: version(server.version),
        management: server.address.clone(),
        send: Some(server.address.clone()),
        message_box: None,
        trust: trust.transpose()?,
        container_bytes: u64::MAX,
        as_packages: server.mtom,
        chosen_by: ChosenBy::Administrator,
    })
}

impl Check<'_> {
    pub(crate) fn xta_reader_server(&self, key: &str, authority: &AuthorityEntry) -> Result<(), Error> {
        let server = authority.xta_reader.as_ref().and_then(|reader| reader.server.as_ref());
        let Some(XtaReaderServer { address, trust, .. }) = server else { return Ok(()) };
        if authority.xta.is_none() {
            return Err(self.value(key, "who calls a server needs keys: xta = { identity = … }"));
        }
        if !address.starts_with("https://") {
            return Err(self.value(&format!("{key}.address"), "expected https://…"));
        }
        match trust {
            Some(reference) => self.file(&format!("{key}.trust"), reference),
            None => Ok(()),
        }
    }

    pub(crate) fn xta_authority(&self, key: &str, authority: &AuthorityEntry) -> Result<(), Error> {
        if let Some(XtaKeys { identity, party, scheme }) = &authority.xta {
            self.note(self.key_pair(&format!("{key}.xta.identity"), identity));
            self.note(self.party_name(&format!("{key}.xta.party"), party.as_deref()));
            self.note(self.party_name(&format!("{key}.xta.scheme"), Some(scheme)));
        }
        for (index, XtaMailbox { server, every_seconds }) in authority.xta_mailboxes.iter().enumerate() {
            let key = format!("{key}.xta_mailbox[{index}]");
            if authority.xta.is_none() {
                return Err(self.value(&key, "who fetches needs keys: xta = { identity = … }"));
            }
            self.note(self.xta_server(&format!("{key}.server"), server));
            if server.message_box.is_none() {
                return Err(self.value(&format!("{key}.server"), "message_box is needed to fetch"));
            }
            self.note(self.number(&format!("{key}.every_seconds"), u64::from(*every_seconds), 1, 24 * 3_600));
        }
        Ok(())
    }

    pub(crate) fn xta_partner(&self, key: &str, reach: &XtaReach) -> Result<(), Error> {
        let XtaReach { server, party, scheme, profile, court } = reach;
        let key = format!("{key}.xta");
        if let Some(form) = court {
            self.note(self.court_form(&format!("{key}.court"), *profile, form));
        }
        if *profile == XtaProfile::Court && server.version != XtaVersion::V3 {
            return Err(self.value(&format!("{key}.server.version"), "courts are reached by version 3 only"));
        }
        self.note(self.party_name(&format!("{key}.party"), party.as_deref()));
        self.note(self.party_name(&format!("{key}.scheme"), scheme.as_deref()));
        self.note(self.xta_server(&format!("{key}.server"), server));
        match server.send {
            Some(_) => Ok(()),
            None => Err(self.value(&format!("{key}.server"), "send is needed to send")),
        }
    }

    /// Each author at a server must be one partner: nobody else may be taken for it.
    pub(crate) fn xta_authors(&self, partners: &[PartnerEntry]) -> Result<(), Error> {
        for (index, partner) in partners.iter().enumerate() {
            let is_new = partners.iter().take(index).all(|other| !is_same_author(partner, other));
            self.note(self.unique(&format!("partner[{index}].xta"), is_new));
        }
        Ok(())
    }

    fn court_form(&self, key: &str, profile: XtaProfile, form: &CourtForm) -> Result<(), Error> {
        if profile != XtaProfile::Court {
            return Err(self.value(key, "only for profile = \"court\""));
        }
        for (name, text) in [
            ("author_scheme", &form.author_scheme),
            ("message_types", &form.message_types),
            ("message_types_version", &form.message_types_version),
            ("message_type", &form.message_type),
            ("payload_schema", &form.payload_schema),
        ] {
            self.note(self.party_name(&format!("{key}.{name}"), Some(text)));
        }
        for (name, text) in [("service", &form.service), ("scenario", &form.scenario)] {
            self.party_name(
                &format!("{key}.{name}"),
                Some(text).filter(|text| !text.is_empty()).map(String::as_str),
            )?;
        }
        let is_ending = |format: &String| {
            !format.is_empty() && format.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if !form.formats.iter().all(is_ending) {
            return Err(
                self.value(&format!("{key}.formats"), "expected endings in lower case, such as \"mp4\"")
            );
        }
        if !form.versions.iter().all(|version| is_version(version)) {
            return Err(self.value(&format!("{key}.versions"), "expected versions such as \"3.5\""));
        }
        let files = form.files.map_or(1, |files| files as u64);
        self.note(self.number(&format!("{key}.files"), files, 1, 10_000));
        self.number(&format!("{key}.megabytes"), form.megabytes.unwrap_or(1), 1, 1 << 20)
    }

    fn xta_server(&self, key: &str, server: &XtaServer) -> Result<(), Error> {
        let addresses = [
            ("management", Some(&server.management)),
            ("send", server.send.as_ref()),
            ("message_box", server.message_box.as_ref()),
        ];
        for (name, address) in addresses {
            if address.is_some_and(|address| !address.starts_with("https://")) {
                return Err(self.value(&format!("{key}.{name}"), "expected https://…"));
            }
        }
        if let Some(reference) = &server.trust {
            self.note(self.file(&format!("{key}.trust"), reference));
        }
        self.number(&format!("{key}.container_mb"), server.container_mb, 1, 1 << 20)
    }

    fn party_name(&self, key: &str, name: Option<&str>) -> Result<(), Error> {
        let is_good = |name: &str| {
            (1..=MOST_NAME).contains(&name.chars().count())
                && name.trim() == name
                && !name.contains(char::is_control)
        };
        match name.is_none_or(is_good) {
            true => Ok(()),
            false => Err(self.value(key, "expected 1 to 200 characters without control characters")),
        }
    }
}
