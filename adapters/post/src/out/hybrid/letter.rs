//! The fields of a letter (`POST /api/Letter`), all but its bytes.

use serde_json::{Map, Value, json};

use super::super::{Order, rejected, settings};
use model::Failure;

/// Lines of an address, and characters of a line, of a postal code and of a city.
const LINES: usize = 5;
const LINE_CHARS: usize = 80;
const ZIP_CHARS: usize = 20;

/// `registeredLetter`; the two with a Rückschein want an address that it goes back to.
const REGISTERED: [&str; 5] = [
    "Einschreiben",
    "Einwurf Einschreiben",
    "Einschreiben eigenhändig",
    "Einschreiben Rückschein",
    "Einschreiben eigenhändig Rückschein",
];

/// Countries as they are written on letters from Germany; others are refused instead of being guessed.
const COUNTRIES: [(&str, &str); 30] = [
    ("AT", "Österreich"),
    ("BE", "Belgien"),
    ("BG", "Bulgarien"),
    ("CH", "Schweiz"),
    ("CY", "Zypern"),
    ("CZ", "Tschechische Republik"),
    ("DK", "Dänemark"),
    ("EE", "Estland"),
    ("ES", "Spanien"),
    ("FI", "Finnland"),
    ("FR", "Frankreich"),
    ("GB", "Vereinigtes Königreich"),
    ("GR", "Griechenland"),
    ("HR", "Kroatien"),
    ("HU", "Ungarn"),
    ("IE", "Irland"),
    ("IT", "Italien"),
    ("LI", "Liechtenstein"),
    ("LT", "Litauen"),
    ("LU", "Luxemburg"),
    ("LV", "Lettland"),
    ("NL", "Niederlande"),
    ("NO", "Norwegen"),
    ("PL", "Polen"),
    ("PT", "Portugal"),
    ("RO", "Rumänien"),
    ("SE", "Schweden"),
    ("SI", "Slowenien"),
    ("SK", "Slowakei"),
    ("TR", "Türkei"),
];

/// The fields of an order.
pub(super) fn fields(settings: &settings::Hybrid, order: &Order<'_>) -> Result<Map<String, Value>, Failure> {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| _ = fields.insert(name.to_owned(), value);
    let (to, options) = (order.to, &order.dispatch.options);
    if to.lines.is_empty() || to.lines.len() > LINES {
        return Err(rejected("post.no-address", "this way takes one to five lines of an address"));
    }
    for (number, line) in (1..).zip(&to.lines) {
        put(&format!("addressLine{number}"), json!(text(line, LINE_CHARS)?));
    }
    let missing = || rejected("post.no-address", "postal code or city of the address is missing");
    put("zipCode", json!(text(to.zip.as_deref().ok_or_else(missing)?, ZIP_CHARS)?));
    put("city", json!(text(to.city.as_deref().ok_or_else(missing)?, LINE_CHARS)?));
    if let Some(country) = to.country.as_deref().filter(|country| *country != "DE") {
        let named = COUNTRIES.iter().find(|(code, _)| *code == country).map(|(_, name)| *name);
        let unknown = || rejected("post.no-address", "this way does not know the country of the address");
        put("country", json!(named.ok_or_else(unknown)?));
    }
    if let Some(registered) = options.registered.as_deref() {
        if !REGISTERED.contains(&registered) {
            return Err(rejected("post.option", "this way does not know this kind of registered mail"));
        }
        if registered.ends_with("Rückschein") {
            return Err(rejected(
                "post.option",
                "registered mail with a receipt that comes back is not offered",
            ));
        }
        put("registeredLetter", json!(registered));
    }
    put("fileName", json!(format!("{}.pdf", order.delivery)));
    put("isColor", json!(options.colour));
    put("isDuplex", json!(options.duplex));
    put("coverLetter", json!(options.cover_page));
    put("custom1", json!(order.delivery.to_string()));
    put("custom2", json!(order.dispatch.meta.id.to_string()));
    put("vendorSystemInformation", json!(concat!("Amtsbote ", env!("CARGO_PKG_VERSION"))));
    if let Some(centre) = &settings.cost_centre {
        put("costCenter", json!(centre));
    }
    if let Some(address) = &settings.test {
        put("testFlag", json!(true));
        put("testEMail", json!(address));
    }
    Ok(fields)
}

fn text(text: &str, most: usize) -> Result<&str, Failure> {
    let text = text.trim();
    let is_usable = !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
    let wrong =
        || rejected("post.no-address", "a line of the address is empty or longer than this way takes");
    is_usable.then_some(text).ok_or_else(wrong)
}
