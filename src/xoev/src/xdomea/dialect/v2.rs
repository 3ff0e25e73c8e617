//! 2.3.0 and 2.4.0, which are equal but for their namespace and the list of states (fact sheet on
//! xdomea, part 1.9, "2.4.0 to 3.0.0").

use super::super::node::{Node, code, group, leaf, qualified};
use super::super::shape::split_zone;
use super::{rename, rename_back, replace_attribute};

const HISTORY: [(&str, &str); 3] = [
    ("Metadatum", "MetadatumName"),
    ("AlterWert", "MetadatumAlterWert"),
    ("NeuerWert", "MetadatumNeuerWert"),
];
const AUTHORITY: [(&str, &str); 1] = [("Kennung", "Behoerdenschluessel")];

const OLD_CHANNELS: &str = "urn:xoev-de:xdomea:codeliste:kommunikationsart";
const CHANNELS: &str = "urn:de:xoev:codeliste:erreichbarkeit";
/// Codes of the old list, of the new one, and whether it is the institution's.
const CHANNEL: [(&str, &str, bool); 12] = [
    ("001", "01", false),
    ("002", "02", false),
    ("003", "03", false),
    ("004", "04", false),
    ("005", "05", false),
    ("006", "06", false),
    ("007", "09", false),
    ("008", "01", true),
    ("009", "02", true),
    ("010", "04", true),
    ("011", "09", true),
    ("012", "07", false),
];
/// Another channel, in the old list.
const OTHER: &str = "012";
/// Years that stand for "without limit" where a number must stand.
const UNLIMITED: &str = "9999";
/// To be appraised: what a unit of a file plan has if its own words say otherwise.
const APPRAISE: &str = "B";

/// Reads one element; those in it were read before.
pub(super) fn raise(node: &mut Node) {
    match node.local() {
        "HistorienProtokollInformation" => rename(node, &HISTORY),
        "Behoerdenkennung" => rename(node, &AUTHORITY),
        "ArchivspezifischeMetadaten" | "Einheit" | "BewertetesObjekt" => {
            node.nodes.iter_mut().for_each(raise_retention)
        }
        "Kommunikation" => raise_channel(node),
        _ => {}
    }
}

/// Writes one element; those in it were written before.
pub(super) fn lower(node: &mut Node) {
    match node.local() {
        "HistorienProtokollInformation" => rename_back(node, &HISTORY),
        "Behoerdenkennung" => rename_back(node, &AUTHORITY),
        "ArchivspezifischeMetadaten" | "Einheit" | "BewertetesObjekt" => {
            let is_unit = node.is("Einheit");
            node.nodes.iter_mut().for_each(|child| lower_retention(child, is_unit));
        }
        "Kommunikation" => lower_channel(node),
        _ => {}
    }
}

fn raise_retention(node: &mut Node) {
    match node.local() {
        "Aussonderungsart" if node.code().is_some() => {
            let code = std::mem::take(node);
            *node = group("Aussonderungsart", vec![code]);
        }
        "Aufbewahrungsdauer" if node.nodes.is_empty() => {
            let years = std::mem::take(&mut node.text);
            node.nodes.push(leaf("AnzahlJahre", years));
        }
        // The last day of a year stands for the year.
        "Aufbewahrungsende" => {
            if let Some((year, zone)) = split_zone(node.text.trim()) {
                node.text = format!("{year}-12-31{zone}");
            }
        }
        _ => {}
    }
}

fn lower_retention(node: &mut Node, is_unit: bool) {
    match node.local() {
        "Aussonderungsart" => match node.child("Aussonderungsart").cloned() {
            Some(code) => *node = code,
            None if is_unit && node.child("AussonderungsartKonfigurierbar").is_some() => {
                *node = code(
                    "Aussonderungsart",
                    "urn:xoev-de:xdomea:codeliste:aussonderungsart",
                    "1.0",
                    APPRAISE,
                );
            }
            None => {}
        },
        "Aufbewahrungsdauer" => {
            let years = node.child("AnzahlJahre").map(|years| years.text.clone());
            if let Some(years) = years.or_else(|| is_unit.then(|| UNLIMITED.to_owned())) {
                *node = leaf("Aufbewahrungsdauer", years);
            }
        }
        "Aufbewahrungsende" => {
            if let Some((date, zone)) = split_zone(node.text.trim())
                && let Some((year, _)) = date.rsplit_once('-').and_then(|(month, _)| month.rsplit_once('-'))
            {
                node.text = format!("{year}{zone}");
            }
        }
        _ => {}
    }
}

fn raise_channel(node: &mut Node) {
    let code = node.code_of("Kanal").unwrap_or_default();
    let Some((old, new, is_institution)) = CHANNEL.into_iter().find(|(old, _, _)| *old == code) else {
        return;
    };
    set_channel(node, old, new, (CHANNELS, "3"));
    if is_institution {
        node.nodes.push(leaf("IstInstitution", "1"));
    }
}

fn lower_channel(node: &mut Node) {
    let Some(new) = node.code_of("Kanal").map(str::to_owned) else { return };
    let is_institution =
        node.text_of("IstInstitution").is_some_and(|text| ["1", "true"].contains(&text.trim()));
    let fits =
        |institution: bool| CHANNEL.into_iter().find(|(_, known, by)| *known == new && *by == institution);
    let found = fits(is_institution).or_else(|| fits(false));
    let old = found.map_or(OTHER, |(old, _, _)| old);
    set_channel(node, &new, old, (OLD_CHANNELS, "1.0"));
}

/// Replaces the code and, where they are said, list and version.
fn set_channel(node: &mut Node, from: &str, to: &str, list: (&str, &str)) {
    for channel in node.nodes.iter_mut().filter(|child| child.name == qualified("Kanal")) {
        replace_attribute(channel, "listURI", list.0);
        replace_attribute(channel, "listVersionID", list.1);
        let codes = channel.nodes.iter_mut().filter(|child| child.name == "code");
        codes.for_each(|code| code.text = code.text.replace(from, to));
    }
}
