//! The configuration of the gateways that the suites start: a county and a town, each a tenant with
//! one building authority. The authorities exist; everything that happens to them here is made up.

/// Tenant of the county.
pub const COUNTY: &str = "kreis-soest";
/// Building authority of the county.
pub const COUNTY_KEY: &str = "bab:05974000";
/// Tenant of the town.
pub const TOWN: &str = "lippstadt";
/// Building authority of the town.
pub const TOWN_KEY: &str = "bab:05974028";
/// What an authority of another gateway is called in a configuration: nothing that anybody uses.
pub const ABSENT_KEY: &str = "bab:09999901";

const HOUSE: &str = r#"
[[tenant]]
id = "kreis-soest"
name = "Kreis Soest"
  [[tenant.authority]]
  key = "bab:05974000"
  name = "Kreis Soest, Bauaufsicht"
  unit = "63"
  [[tenant.unit]]
  id = "63"
  name = "Bauordnung"
  [[tenant.unit]]
  id = "70"
  name = "Abfallwirtschaft"
  [[tenant.route]]
  standard = "xdomea"
  unit = "63"
  service = "baugenehmigung"

[[tenant]]
id = "lippstadt"
name = "Stadt Lippstadt"
  [[tenant.authority]]
  key = "bab:05974028"
  name = "Stadt Lippstadt, Bauaufsicht"
  unit = "63"
  [[tenant.unit]]
  id = "63"
  name = "Bauordnung"
  [[tenant.route]]
  standard = "xdomea"
  unit = "63"
  service = "baugenehmigung"
"#;

/// The whole `amtsbote.toml` for `database`, everything else within the folder.
pub(super) fn config(database: &str) -> String {
    format!(
        r#"node = "gw1"

[listen]
internal = "127.0.0.1:0"
operations = "127.0.0.1:0"

[store]
database = "{database}"
payloads = "data/payloads"
master_key = "file:data/master.key"
evidence_key = "data/evidence.pem"
schemas = "data/schemas"
create_keys = true

[log]
format = "text"
level = "warn"
{HOUSE}"#
    )
}
