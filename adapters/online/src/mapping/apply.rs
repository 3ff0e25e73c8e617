//! A mapping applied to the data of a form: the case that it opens, why a clerk has to look at it, and for whoever tests the mapping which
//! template found what.

use model::case::{Description, Location, Reference};
use model::party::{Address, Party, TrustLevel};

use super::template::Sources;
use super::{Data, Mapping};

/// Longest title and longest reference, in characters.
const TITLE: usize = 500;
const REFERENCE: usize = 200;

/// Too little is proved of who applies.
pub(crate) const LEVEL_TOO_LOW: &str = "online.level-too-low";
/// Something that must be there is not.
pub(crate) const INCOMPLETE: &str = "online.incomplete";
/// A value is not what it should be.
pub(crate) const STRANGE: &str = "online.strange-value";
/// The data have too many values to be looked into.
pub(crate) const TOO_MANY: &str = "online.too-many-values";

/// What a form becomes.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Title, references, parties and note of the case.
    pub description: Description,
    /// Places that it is about.
    pub locations: Vec<Location>,
    /// Its unit; absent: the desk of the adapter.
    pub unit: Option<String>,
    /// The house's own name of the service.
    pub public_service: Option<String>,
    /// Why a clerk has to look at it: stable codes.
    pub concerns: Vec<&'static str>,
    /// Whether the first party is whoever applies: the form has something of them.
    pub has_applicant: bool,
    /// What each template found.
    pub rows: Vec<Row>,
}

/// What a template found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The field, such as `party.family_name`.
    pub field: String,
    /// Its value.
    pub value: Option<String>,
    /// What is wrong with it.
    pub wrong: Option<&'static str>,
}

impl Mapping {
    /// Applies the mapping. `untitled` is the title if the form has none.
    pub fn apply(&self, sources: &Sources<'_>, untitled: &str) -> Applied {
        let mut rows = vec![];
        let mut row = |field: &str, value: Option<String>| {
            rows.push(Row { field: field.to_owned(), value: value.clone(), wrong: None });
            value
        };
        let title = row("title", self.title.value(sources));
        let note = self.note.as_ref().and_then(|template| row("note", template.value(sources)));
        let references = self.references.iter().filter_map(|(kind, template)| {
            let value = row(&format!("reference.{kind}"), template.value(sources))?;
            Some(Reference { kind: kind.clone(), value: value.chars().take(REFERENCE).collect() })
        });
        let references = references.collect();
        let place: Vec<(&str, Option<String>)> = self
            .location
            .iter()
            .map(|(name, template)| {
                (name.as_str(), row(&format!("location.{name}"), template.value(sources)))
            })
            .collect();
        let (location, is_place_strange) = location(&place);
        let (parties, has_applicant) = self.parties(sources, &mut rows);
        if is_place_strange {
            rows.iter_mut().filter(|row| row.field.ends_with("itude")).for_each(|row| {
                row.wrong = Some("expected degrees such as 51.5711");
            });
        }
        self.miss(&mut rows);
        // The level of somebody else who is named proves nothing of them.
        let applicant = parties.first().filter(|_| has_applicant);
        let concerns = self.concerns(sources.data, applicant, &rows);
        let title = title.unwrap_or_else(|| untitled.to_owned());
        let title = title.chars().take(TITLE).collect();
        Applied {
            description: Description { title, note, references, parties, ..Description::default() },
            locations: location.into_iter().collect(),
            unit: self.unit.clone(),
            public_service: self.public_service.clone(),
            concerns,
            has_applicant,
            rows,
        }
    }

    /// Whoever is named, and whether the first of them is the first of the mapping.
    fn parties(&self, sources: &Sources<'_>, rows: &mut Vec<Row>) -> (Vec<Party>, bool) {
        let (mut parties, mut has_first) = (vec![], false);
        for (at, map) in self.parties.iter().enumerate() {
            let values = map.values(sources);
            let strange = values.strange(&self.levels);
            let prefix = if at == 0 { "party".to_owned() } else { format!("party[{at}]") };
            rows.extend(values.all().iter().map(|(name, value)| Row {
                field: format!("{prefix}.{name}"),
                value: value.clone(),
                wrong: strange.contains(name).then_some("not understood, so it is left out"),
            }));
            parties.extend(values.party(&self.levels));
            has_first |= at == 0 && !parties.is_empty();
        }
        (parties, has_first)
    }

    /// Marks what must be there and is not.
    fn miss(&self, rows: &mut [Row]) {
        let is_missing = |row: &&mut Row| row.value.is_none() && self.required.contains(&row.field);
        rows.iter_mut().filter(is_missing).for_each(|row| row.wrong = Some("it is missing"));
    }

    fn concerns(&self, data: &Data, applicant: Option<&Party>, rows: &[Row]) -> Vec<&'static str> {
        let level = applicant.and_then(|party| party.authentication.as_ref()).map(|it| it.level);
        let has = |value: bool| rows.iter().any(|row| row.wrong.is_some() && row.value.is_some() == value);
        let all = [
            (*data == Data::TooMany, TOO_MANY),
            (
                self.minimum_level.is_some_and(|least| level.unwrap_or(TrustLevel::None) < least),
                LEVEL_TOO_LOW,
            ),
            (has(false), INCOMPLETE),
            (has(true), STRANGE),
        ];
        all.into_iter().filter(|(is_it, _)| *is_it).map(|(_, code)| code).collect()
    }
}

/// The place, and whether its coordinates are none.
fn location(values: &[(&str, Option<String>)]) -> (Option<Location>, bool) {
    let get =
        |name: &str| values.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.clone());
    let address = Address {
        street: get("street"),
        house_number: get("house_number"),
        postcode: get("postcode"),
        town: get("town"),
        ..Address::default()
    };
    let coordinates = [("latitude", 90.0), ("longitude", 180.0)]
        .map(|(name, most)| get(name).map(|text| micro(&text, most)));
    let is_strange = coordinates.contains(&Some(None));
    let [latitude_micro, longitude_micro] = coordinates.map(Option::flatten);
    // One of them alone is no place.
    let both = latitude_micro.is_some() && longitude_micro.is_some();
    let location = Location {
        latitude_micro: latitude_micro.filter(|_| both),
        longitude_micro: longitude_micro.filter(|_| both),
        address: (address != Address::default()).then_some(address),
        description: get("description"),
    };
    ((location != Location::default()).then_some(location), is_strange)
}

/// Millionths of a degree.
fn micro(text: &str, most: f64) -> Option<i32> {
    let degrees: f64 = text.replace(',', ".").parse().ok()?;
    // Within ±180 million, it fits.
    #[allow(clippy::cast_possible_truncation)]
    (degrees.abs() <= most).then(|| (degrees * 1e6).round() as i32)
}
