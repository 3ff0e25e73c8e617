//! How a file becomes a configuration, or all that is wrong with it.
//!
//! Serde stops at the first key that it does not know or value that it does not take. So what it stopped at is taken out of the document and
//! it is asked again, until it is content. Rules between keys are looked at only if no entry of a list had to be taken out: numbers of
//! entries would be others then, and what refers to it would seem undefined.

use std::path::Path;

use serde::Deserialize;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use crate::adapters::take_adapters;
use crate::check::Check;
use crate::places::{Place, Places};
use crate::{Config, Error, resolve};

/// Errors of serde that are told; further ones are found by the next look.
const MOST: usize = 100;

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn load(file: &Path) -> Result<Self, Error> {
        Config::examine(file).map_err(first)
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// All that is wrong, in the order of lines.
    pub fn examine(file: &Path) -> Result<Self, Vec<Error>> {
        let unreadable = |reason| vec![Error::Unreadable { file: file.to_owned(), reason }];
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        let file = std::path::absolute(file).map_err(unreadable)?;
        Config::parse_all(&text, file.parent().unwrap_or(Path::new("/")))
    }

    /// Reads and checks a text; its relative paths are relative to `folder`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Error> {
        Config::parse_all(text, folder).map_err(first)
    }

    /// The same.
    ///
    /// # Errors
    /// All that is wrong, what was found first at the beginning.
    pub fn parse_all(text: &str, folder: &Path) -> Result<Self, Vec<Error>> {
        let places = Places::of(text).map_err(|(place, message)| vec![Error::Syntax(place, message)])?;
        let Read { config, mut found, taken_out, has_gaps } = Read::of(text, &places);
        let Some(mut config) = config else { return Err(found) };
        config.digest = seal::sha256(&[text.as_bytes()]).to_string();
        if has_gaps {
            return Err(found);
        }
        let check = Check::new(&places);
        check.note(check.whole(&config));
        // Whatever is said of a key that was taken out is said of its default.
        let concerned = |error: &Error| {
            error.place().is_some_and(|at| taken_out.iter().any(|(_, key)| at.key.starts_with(key)))
        };
        found.extend(check.found().into_iter().filter(|error| !concerned(error)));
        config.resolve_all(folder, &places, &mut found);
        if found.is_empty() { Ok(config) } else { Err(found) }
    }

    /// Makes paths absolute; then adapters can be compared.
    fn resolve_all(&mut self, folder: &Path, places: &Places, found: &mut Vec<Error>) {
        self.store.resolve(folder);
        if let Some(path) = &mut self.evidence.tsa_ca {
            *path = folder.join(&*path);
        }
        self.resolve_adapters(folder);
        let check = Check::new(places);
        check.note(check.apart(self));
        found.extend(check.found());
        self.osci.iter_mut().for_each(|osci| osci.resolve(folder));
        let authorities = self.tenants.iter_mut().flat_map(|tenant| &mut tenant.authorities);
        let certificates = authorities.flat_map(|authority| &mut authority.osci_certificates);
        certificates.for_each(|reference| resolve(reference, folder));
        self.resolve_parties(folder);
        self.resolve_xta(folder);
        self.resolve_dvdv(folder);
        self.xrechnung.iter_mut().for_each(|xrechnung| xrechnung.resolve(folder));
        self.resolve_xta_parties(folder);
        self.resolve_payments(folder);
        self.resolve_alerts(folder);
        self.resolve_identities(folder);
    }
}

fn first(mut errors: Vec<Error>) -> Error {
    match errors.is_empty() {
        true => Error::Syntax(Place::default(), "nothing can be read".to_owned()),
        false => errors.swap_remove(0),
    }
}

/// What serde made of a text.
struct Read {
    config: Option<Config>,
    found: Vec<Error>,
    /// Keys that were taken out, each with the byte that it begins at; the last one first, so that numbers of entries before it stay.
    taken_out: Vec<(usize, String)>,
    /// Whether an entry of a list is missing.
    has_gaps: bool,
}

impl Read {
    fn of(text: &str, places: &Places) -> Self {
        let mut read = Read { config: None, found: vec![], taken_out: vec![], has_gaps: false };
        let mut adapters = None;
        while read.found.len() < MOST {
            let Ok(mut document) = DeTable::parse(text) else { return read };
            let (of_adapters, wrong) = take_adapters(&mut document, places);
            if adapters.is_none() {
                read.has_gaps |= !wrong.is_empty();
                read.found.extend(wrong);
                adapters = Some(of_adapters);
            }
            for (_, key) in &read.taken_out {
                take_out(document.get_mut(), key);
            }
            let whole = document.span();
            let error = match Config::deserialize(Deserializer::from(document)) {
                Ok(mut config) => {
                    config.adapters = adapters.unwrap_or_default();
                    read.config = Some(config);
                    return read;
                }
                Err(error) => error,
            };
            let is_everywhere = error.span().is_none_or(|span| span == whole);
            let place = match error.span().filter(|_| !is_everywhere) {
                Some(span) => places.of_span(&span),
                None => Place::default(),
            };
            let missing =
                error.message().strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
            let inside = if is_everywhere { String::new() } else { format!("{}.", place.key) };
            let was_taken_out = |name: &str| read.is_out(&format!("{inside}{name}"));
            // What was taken out before is not missing.
            if !missing.is_some_and(was_taken_out) {
                read.found.push(refused_at(place.clone(), &error));
            }
            // What is missing in the whole file cannot be gone without.
            let Some(span) = error.span().filter(|_| !is_everywhere) else { return read };
            if place.key.is_empty() || read.is_out(&place.key) {
                return read;
            }
            let is_missing = missing.is_some();
            read.has_gaps |= is_missing || place.key.ends_with(']');
            read.taken_out.push((span.start, place.key));
            read.taken_out.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        }
        read
    }

    fn is_out(&self, key: &str) -> bool {
        self.taken_out.iter().any(|(_, out)| out == key)
    }
}

/// Takes a key out of a table, such as `tenant[0].unit[1].id`.
fn take_out(table: &mut DeTable<'_>, key: &str) {
    let (name, rest) = match key.split_once(['.', '[']) {
        Some((name, rest)) => (name, Some(rest)),
        None => (key, None),
    };
    let Some(rest) = rest else { return drop(table.remove(name)) };
    let Some(value) = table.get_mut(name) else { return };
    let is_item = key.get(name.len()..).is_some_and(|rest| rest.starts_with('['));
    match (is_item, value.get_mut()) {
        (false, DeValue::Table(inner)) => take_out(inner, rest),
        (true, DeValue::Array(items)) => take_out_of(items, rest),
        _ => drop(table.remove(name)),
    }
}

/// The same of a list, such as `0].unit[1].id`.
fn take_out_of(items: &mut DeArray<'_>, key: &str) {
    let Some((index, rest)) = key.split_once(']') else { return };
    let Ok(index) = index.parse::<usize>() else { return };
    match (rest.strip_prefix('.'), items.get_mut(index).map(|item| item.get_mut())) {
        (Some(rest), Some(DeValue::Table(inner))) => take_out(inner, rest),
        (_, Some(_)) => {
            let all = std::mem::replace(items, DeArray::new()).into_iter().enumerate();
            *items = all.filter(|(at, _)| *at != index).map(|(_, item)| item).collect();
        }
        (_, None) => {}
    }
}

/// A refusal by serde, without the value that it may quote.
pub(crate) fn refused_at(place: Place, error: &toml::de::Error) -> Error {
    let message = error.message();
    if message.starts_with("unknown field") || message.starts_with("missing field") {
        return Error::Key(place, message.to_owned());
    }
    let quotes = message.starts_with("invalid ") || message.starts_with("unknown variant");
    let rule = match message.split_once(", expected ").filter(|_| quotes) {
        Some((_, expected)) => format!("expected {expected}"),
        None => message.to_owned(),
    };
    Error::Value(place, rule)
}
