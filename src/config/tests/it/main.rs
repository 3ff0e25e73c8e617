//! Configurations that are taken, and those that are refused: by code, line and key.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests.

mod adapters;
mod citizen;
mod osci;
mod payments;
mod watch;
mod xta;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use config::{AdapterKind, Config, Error};

const EXAMPLE: &str = include_str!("../../../../amtsbote.example.toml");

fn refused(text: &str) -> Error {
    Config::parse(text, Path::new("/srv/amtsbote")).err().unwrap_or_else(|| panic!("accepted:\n{text}"))
}

/// A text with a passage replaced, which must be in it; the first of several.
fn swap(text: &str, passage: &str, replacement: &str) -> String {
    assert!(text.contains(passage), "there is no longer: {passage}");
    text.replacen(passage, replacement, 1)
}

/// The example with one passage replaced.
fn with(passage: &str, replacement: &str) -> String {
    swap(EXAMPLE, passage, replacement)
}

#[test]
fn the_example_is_valid_and_its_paths_are_relative_to_its_folder() {
    let config = Config::parse(EXAMPLE, Path::new("/srv/amtsbote")).unwrap();
    assert_eq!(config.store.database, "sqlite:/srv/amtsbote/data/amtsbote.db");
    assert_eq!(config.store.master_key, "file:/srv/amtsbote/data/master.key");
    assert_eq!(config.store.payloads, Path::new("/srv/amtsbote/data/payloads"));
    assert_eq!(config.tenants.len(), 2);
}

#[test]
fn the_example_names_every_key() {
    let config = Config::parse(EXAMPLE, Path::new("/srv/amtsbote")).unwrap();
    for line in toml::to_string(&config).unwrap().lines() {
        let Some((key, _)) = line.split_once(" = ").filter(|(_, value)| *value != "[]") else { continue };
        assert!(EXAMPLE.contains(&format!("{key} = ")), "{key} is not explained");
    }
}

#[test]
fn a_collector_is_taken_by_a_program_that_can_tell_it_something() {
    let text = with("otlp_share = 1.0", "otlp = \"http://127.0.0.1:4318\"");
    if cfg!(feature = "otel") {
        let config = Config::parse(&text, Path::new("/")).unwrap();
        assert_eq!(config.log.otlp.as_deref(), Some("http://127.0.0.1:4318"));
        return;
    }
    let error = refused(&text);
    assert_eq!((error.code(), error.place().unwrap().key.as_str()), ("config.value", "log.otlp"));
    assert!(error.place().unwrap().line > 0 && error.to_string().contains("cargo feature otel"), "{error}");
}

#[test]
fn the_defaults_are_those_that_the_example_shows() {
    let example = Config::parse(EXAMPLE, Path::new("/")).unwrap();
    let optional = ["[listen]", "[limits]", "[evidence]", "[policy]", "[people]", "[log]"];
    let mut bare = String::new();
    let mut skip = false;
    for line in EXAMPLE.lines() {
        if line.starts_with('[') {
            skip = optional.contains(&line);
        }
        if !skip {
            bare += line;
            bare.push('\n');
        }
    }
    let bare = Config::parse(&bare, Path::new("/")).unwrap();
    assert_eq!(toml::to_string(&bare).unwrap(), toml::to_string(&example).unwrap());
}

#[test]
fn what_is_wrong_is_refused_by_code_line_and_key() {
    let line_of = |text: &str, passage: &str| {
        let at = text.find(passage).unwrap_or_else(|| panic!("no {passage}"));
        text[..at].matches('\n').count() + 1
    };
    let table = [
        ("node = \"gw1\"", "nodes = \"gw1\"", "config.key", "nodes"),
        ("[limits]", "[limits]\nmost_byte = 5", "config.key", "limits.most_byte"),
        ("most_bytes = 2_147_483_648", "most_bytes = \"2 GiB\"", "config.value", "limits.most_bytes"),
        ("most_bytes = 2_147_483_648", "most_bytes = 0", "config.value", "limits.most_bytes"),
        ("most_bytes = 2_147_483_648", "most_bytes = -1", "config.value", "limits.most_bytes"),
        ("depth = 5", "depth = 0", "config.value", "limits.depth"),
        ("connections = 1_024", "connections = 0", "config.value", "limits.connections"),
        ("calls = 64", "calls = 0", "config.value", "limits.calls"),
        ("ttl_hours = 168", "ttl_hours = 0", "config.value", "limits.ttl_hours"),
        ("ttl_hours = 336", "ttl_hours = 0", "config.value", "tenant[0].service[0].ttl_hours"),
        ("node = \"gw1\"", "node = \"a node\"", "config.value", "node"),
        ("longest_hours = 10", "longest_hours = 0", "config.value", "people.longest_hours"),
        ("totp = \"privileged\"", "totp = \"none\"", "config.value", "people.totp"),
        ("format = \"text\"", "format = \"xml\"", "config.value", "log.format"),
        ("level = \"info\"", "level = \"trace\"", "config.value", "log.level"),
        ("internal = \"127.0.0.1:8080\"", "internal = \"localhost\"", "config.value", "listen.internal"),
        (
            "internal = \"127.0.0.1:8080\"",
            "internal = \"0.0.0.0:8080\"",
            "config.plain-http",
            "listen.internal",
        ),
        ("internal = \"127.0.0.1:8080\"", "internal = \"[::]:8080\"", "config.plain-http", "listen.internal"),
        (
            "operations = \"127.0.0.1:8081\"",
            "operations = \"10.0.0.1:8081\"",
            "config.plain-http",
            "listen.operations",
        ),
        (
            "database = \"sqlite:data/amtsbote.db\"",
            "database = \"mysql://db\"",
            "config.value",
            "store.database",
        ),
        (
            "database = \"sqlite:data/amtsbote.db\"",
            "database = \"sqlite:\"",
            "config.value",
            "store.database",
        ),
        (
            "database = \"sqlite:data/amtsbote.db\"",
            "database = \"postgres://u:geheim@db/x\"",
            "config.literal-secret",
            "store.database",
        ),
        (
            "database = \"sqlite:data/amtsbote.db\"",
            "database = \"postgres://u@db/x?password=geheim\"",
            "config.literal-secret",
            "store.database",
        ),
        (
            "database = \"sqlite:data/amtsbote.db\"",
            "database = \"sqlite:x.db\"\ndatabase_password = \"env:PW\"",
            "config.value",
            "store.database_password",
        ),
        (
            "database = \"sqlite:data/amtsbote.db\"",
            "database = \"postgres://u@db/x\"\ndatabase_password = \"geheim\"",
            "config.literal-secret",
            "store.database_password",
        ),
        (
            "master_key = \"file:data/master.key\"",
            "master_key = \"geheim\"",
            "config.literal-secret",
            "store.master_key",
        ),
        (
            "master_key = \"file:data/master.key\"",
            "master_key = \"env:\"",
            "config.literal-secret",
            "store.master_key",
        ),
        (
            "master_key = \"file:data/master.key\"",
            "master_key = \"env:A\"\nolder_master_keys = [\"env:B\", \"geheim\"]",
            "config.literal-secret",
            "store.older_master_keys[1]",
        ),
        (
            "stamp_every_minutes = 60",
            "stamp_every_minutes = 0",
            "config.value",
            "evidence.stamp_every_minutes",
        ),
        ("otlp_share = 1.0", "otlp_share = 1.5", "config.value", "log.otlp_share"),
        ("otlp_share = 1.0", "otlp = \"http://otel.kreis.example\"", "config.value", "log.otlp"),
        ("tolerate_hours = 48", "tolerate_hours = 9_000", "config.value", "evidence.tolerate_hours"),
        ("stop_intake = false", "stop_intake = true", "config.value", "evidence.stop_intake"),
        ("stop_intake = false", "tsa_url = \"https://tsa.example\"", "config.value", "evidence.tsa_url"),
        ("stop_intake = false", "tsa_ca = \"ca.pem\"", "config.value", "evidence.tsa_ca"),
        ("stop_intake = false", "tsa_policy = \"mine\"", "config.value", "evidence.tsa_policy"),
        (
            "stop_intake = false",
            "tsa_ca = \"ca.pem\"\ntsa_url = \"ftp://tsa.example\"",
            "config.value",
            "evidence.tsa_url",
        ),
        ("id = \"musterstadt\"", "id = \"musterkreis\"", "config.duplicate", "tenant[1].id"),
        ("id = \"musterstadt\"", "id = \"Stadt|Kreis\"", "config.value", "tenant[1].id"),
        ("name = \"Musterstadt\"", "name = \" \"", "config.value", "tenant[1].name"),
        ("id = \"10\"", "id = \"63\"", "config.duplicate", "tenant[0].unit[1].id"),
        (
            "key = \"bab:00000002\"",
            "key = \"bab:00000001\"",
            "config.duplicate",
            "tenant[1].authority[0].key",
        ),
        ("key = \"bab:00000002\"", "key = \"00000002\"", "config.value", "tenant[1].authority[0].key"),
        ("unit = \"10\"", "unit = \"11\"", "config.undefined", "tenant[0].authority[1].unit"),
        (
            "authority = \"bab:00000001\"",
            "authority = \"bab:00000002\"",
            "config.undefined",
            "tenant[0].route[0].authority",
        ),
        (
            "service = \"baugenehmigung\"",
            "service = \"Bau genehmigung\"",
            "config.value",
            "tenant[0].route[0].service",
        ),
        ("unit = \"63\"\nservice", "unit = \"64\"\nservice", "config.undefined", "tenant[0].route[0].unit"),
    ];
    for (passage, replacement, code, key) in table {
        let text = with(passage, replacement);
        let error = refused(&text);
        let said = error.to_string();
        assert_eq!(error.code(), code, "{replacement}: {said}");
        assert!(said.contains(&format!(", {key}: ")), "{replacement}: {said}");
        assert!(!said.contains("geheim"), "{said}");
        let line: usize = said["line ".len()..].split(':').next().unwrap().parse().unwrap();
        let lines =
            line_of(&text, replacement)..=line_of(&text, replacement) + replacement.matches('\n').count();
        assert!(
            code == "config.duplicate" || lines.contains(&line),
            "{replacement}: {said}, not in {lines:?}"
        );
    }
}

#[test]
fn a_unit_asks_another_one_of_its_tenant_when_a_task_is_late() {
    let with_rule = |rule: &str| with("# escalation = { to = \"10\", after_hours = 48 }", rule);
    let taken =
        Config::parse(&with_rule("escalation = { to = \"10\", after_hours = 48 }"), Path::new("/")).unwrap();
    let escalation = taken.tenants[0].units.iter().find_map(|unit| unit.escalation.as_ref()).unwrap();
    assert_eq!((escalation.to.as_str(), escalation.after_hours), ("10", 48));
    for (rule, code) in [
        ("escalation = { to = \"99\" }", "config.undefined"),
        ("escalation = { to = \"63\" }", "config.undefined"),
        ("escalation = { to = \"10\", after_hours = 9000 }", "config.value"),
        ("escalation = { to = \"10\", hours = 1 }", "config.key"),
    ] {
        let error = refused(&with_rule(rule));
        assert_eq!(error.code(), code, "{rule}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let without_store = with("[store]", "[policy2]");
    assert_eq!(refused(&without_store).code(), "config.key");
    assert_eq!(refused("").code(), "config.key");
    let error = refused(
        "node = \"gw1\"\ntenant = []\n[store]\ndatabase = \"sqlite:x\"\npayloads = \"p\"\nmaster_key = \"env:K\"\nevidence_key = \"e\"\nschemas = \"s\"\n",
    );
    assert_eq!(error.to_string(), "line 2:1, tenant: at least one tenant is needed");
}

#[test]
fn what_is_not_toml_is_refused_by_line() {
    let error = refused(&with("[listen]", "[listen"));
    assert_eq!(error.code(), "config.syntax");
    assert_eq!(error.to_string().split(':').next(), Some("line 13"));
}

#[test]
fn a_missing_file_is_refused() {
    assert_eq!(
        Config::load(Path::new("/nonexistent/amtsbote.toml")).err().unwrap().code(),
        "config.unreadable"
    );
}

#[test]
fn the_password_comes_from_its_reference_and_is_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "p@ss:/word\n").unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let database =
        "database = \"postgres://amtsbote@db.example/amtsbote\"\ndatabase_password = \"file:password\"";
    let text = with("database = \"sqlite:data/amtsbote.db\"", database);
    let config = Config::parse(&text, folder.path()).unwrap();
    assert_eq!(config.database().unwrap(), "postgres://amtsbote:p%40ss%3A%2Fword@db.example/amtsbote");
    for mode in [0o640, 0o604, 0o644] {
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        assert_eq!(config.database().unwrap_err().code(), "config.secret-permissions", "{mode:o}");
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(config.database().unwrap_err().code(), "config.secret-missing");
}

#[test]
fn the_url_of_the_database_has_known_parameters_only() {
    let parse = |query: &str| {
        let database = format!("database = \"postgres://u@db/x?{query}\"");
        Config::parse(&with("database = \"sqlite:data/amtsbote.db\"", &database), Path::new("/"))
    };
    assert!(parse("").is_ok() && parse("sslmode=verify-full&sslrootcert=/ca.pem&port=5433").is_ok());
    assert!(parse("host=/run/postgresql&application_name=gw1").is_ok());
    for (query, code) in [
        ("PassWord=geheim", "config.literal-secret"),
        ("sslmode=require&p%61ssword=geheim", "config.literal-secret"),
        ("%50ASSWORD=geheim", "config.literal-secret"),
        ("sslpassword=geheim", "config.literal-secret"),
        ("passfile=geheim", "config.value"),
        ("options=geheim", "config.value"),
        ("user=geheim", "config.value"),
        ("geheim", "config.value"),
    ] {
        let error = parse(query).err().unwrap_or_else(|| panic!("accepted: {query}"));
        assert_eq!(error.code(), code, "{query}: {error}");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }
}

#[test]
fn keys_are_created_only_where_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let allowed = Config::parse(EXAMPLE, folder.path()).unwrap().store;
    let forbidden = with("create_keys = true", "create_keys = false");
    let forbidden = Config::parse(&forbidden, folder.path()).unwrap().store;
    assert_eq!(forbidden.master_keys().unwrap_err().code(), "key.file");
    assert_eq!(forbidden.evidence_key().unwrap_err().code(), "key.file");
    let created = allowed.master_keys().unwrap().current_id();
    let signer = allowed.evidence_key().unwrap().public().unwrap().fingerprint();
    assert_eq!(forbidden.master_keys().unwrap().current_id(), created);
    assert_eq!(forbidden.evidence_key().unwrap().public().unwrap().fingerprint(), signer);
}

#[test]
fn older_evidence_keys_are_files_of_public_keys_and_each_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let older = Config::parse(EXAMPLE, folder.path()).unwrap().store.evidence_key().unwrap();
    std::fs::rename(at("data/evidence.pem"), at("data/private.pem")).unwrap();
    std::fs::write(at("older.pem"), older.public().unwrap().to_pem().unwrap()).unwrap();
    let listing = |files: &str| {
        let keys = format!("evidence_key = \"data/evidence.pem\"\nolder_evidence_keys = [{files}]");
        let text = with("evidence_key = \"data/evidence.pem\"", &keys);
        Config::parse(&text, folder.path())
    };
    let keys = listing("\"older.pem\"").unwrap().store.evidence_key().unwrap().keys().unwrap();
    assert!(keys.knows(&older.public().unwrap().fingerprint()) && keys.older().len() == 1);
    for (files, code) in
        [("\"older.pem\", \"absent.pem\"", "key.file"), ("\"older.pem\", \"data/private.pem\"", "key.format")]
    {
        let error = listing(files).unwrap().store.older_evidence_keys().unwrap_err();
        assert_eq!(
            (error.code(), error.place().unwrap().key.as_str()),
            (code, "store.older_evidence_keys[1]")
        );
    }
    let error = listing(&"\"older.pem\",".repeat(33)).err().unwrap();
    assert_eq!(
        (error.code(), error.place().unwrap().key.as_str()),
        ("config.value", "store.older_evidence_keys")
    );
}

/// The example with an adapter and a partner behind it, some words of which are replaced.
#[test]
fn the_virus_check_has_an_address_and_limits() {
    let with = |more: &str| Config::parse(&(EXAMPLE.to_owned() + "\n[virus]\n" + more), Path::new("/"));
    let virus = with("clamd = \"unix:/run/clamav/clamd.ctl\"").unwrap().virus.unwrap();
    assert_eq!((virus.max_mb, virus.silence_seconds), (100, 60));
    assert_eq!(virus.on_failure, config::OnFailure::Refuse);
    let taken = with("clamd = \"tcp:127.0.0.1:3310\"\non_failure = \"take\"").unwrap().virus.unwrap();
    assert_eq!(taken.on_failure, config::OnFailure::Take);
    for wrong in [
        "clamd = \"/run/clamd\"",
        "clamd = \"unix:clamd\"",
        "clamd = \"tcp:localhost\"",
        "clamd = \"unix:/a\"\nmax_mb = 0",
        "clamd = \"unix:/a\"\nsilence_seconds = 0",
        "clamd = \"unix:/a\"\non_failure = \"ignore\"",
        "max_mb = 5",
    ] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_dvdv_has_an_address_an_identity_and_services() {
    let good = r#"
[dvdv]
url = "https://dvdv.example/directory"
token_url = "https://dvdv.example/token"
identity = { key = "file:dvdv/client.p12" }
trust = ["file:dvdv/ca.pem"]
[[dvdv.service]]
uri = "urn:a"
reads = [["xdomea", "3.1.0"]]
most_bytes = 1_000
"#;
    let with = |text: &str| Config::parse(&(EXAMPLE.to_owned() + text), Path::new("/srv"));
    let dvdv = with(good).unwrap().dvdv.unwrap();
    assert_eq!(
        (dvdv.identity.key.as_str(), dvdv.trust[0].as_str()),
        ("file:/srv/dvdv/client.p12", "file:/srv/dvdv/ca.pem")
    );
    assert_eq!((dvdv.cache_hours, dvdv.stale_days), (12, 7));
    for (from, to, code) in [
        ("directory\"", "directory/\"", "config.value"),
        ("https://dvdv.example/token", "ldap://a", "config.value"),
        ("https://dvdv.example/token", "http://dvdv.example/token", "config.value"),
        ("https://dvdv.example/directory", "http://dvdv.example/directory", "config.value"),
        ("client.p12\"", "client.p12\", password = \"geheim\"", "config.literal-secret"),
        ("reads =", "xta = [\"/m\", \"s\"]\nreads =", "config.value"),
        ("reads =", "xta = [\"m\", \"/s\"]\nreads =", "config.value"),
        ("file:dvdv/client.p12", "client.p12", "config.literal-secret"),
        ("file:dvdv/ca.pem", "ca.pem", "config.value"),
        ("most_bytes = 1_000", "most_bytes = 0", "config.value"),
        ("trust =", "cache_hours = 0\ntrust =", "config.value"),
        ("trust =", "stale_days = 0\ntrust =", "config.value"),
        ("reads =", "service = \"a b\"\nreads =", "config.value"),
        ("reads =", "name = \"a\"\nreads =", "config.key"),
    ] {
        let Err(error) = with(&swap(good, from, to)) else { panic!("{to}") };
        assert_eq!(error.code(), code, "{to}: {error}");
    }
}

fn with_partner(from: &str, to: &str) -> Result<Config, Error> {
    let more = r#"
[[adapter]]
id = "land"
kind = "remote"
url = "https://adapter.example"
secret = "file:land.secret"

[[partner]]
tenant = "musterkreis"
authority = "bab:00000009"
name = "Land"
adapter = "land"
reads = [["xdomea", "3.1.0"]]
most_bytes = 1_000
"#;
    let text = EXAMPLE.to_owned() + &swap(more, from, to);
    Config::parse(&text, Path::new("/etc/amtsbote"))
}

#[test]
fn adapters_and_partners_fit_each_other() {
    let config = with_partner("", "").unwrap();
    let AdapterKind::Remote(remote) = &config.adapters[0].kind else { panic!("a remote one") };
    assert_eq!(remote.secret, "file:/etc/amtsbote/land.secret");
    assert_eq!(config.partners[0].adapter.as_deref(), Some("land"));
    assert!(!config.partners[0].may_repeat);
    for (from, to, code) in [
        ("adapter = \"land\"", "adapter = \"bund\"", "config.undefined"),
        ("tenant = \"musterkreis\"", "tenant = \"niemand\"", "config.undefined"),
        ("bab:00000009", "bab:00000001", "config.duplicate"),
        ("file:land.secret", "whsec_abc", "config.literal-secret"),
        ("https://adapter.example", "https://adapter.example/", "config.value"),
        ("https://adapter.example", "ftp://adapter.example", "config.value"),
        ("kind = \"remote\"", "kind = \"fax\"", "config.value"),
    ] {
        assert_eq!(with_partner(from, to).err().unwrap().code(), code, "{to}");
    }
}

#[test]
fn what_is_decided_about_dispatches_is_checked() {
    let rule = "\n[[dispatch.deemed]]\nlaw = \"§ 41 Abs. 2 VwVfG\"\nkind = \"disclosure\"\nstep = \"posted\"\ndays = 4\n";
    let with = |text: &str| Config::parse(&(EXAMPLE.to_owned() + text), Path::new("/srv"));
    let dispatch = with(&format!("{rule}valid_from = \"2025-01-01\"\n")).unwrap().dispatch;
    assert_eq!((dispatch.deemed.len(), dispatch.quiet.len()), (1, 1));
    for (from, to) in [
        ("kind = \"disclosure\"", "kind = \"notification\""),
        ("step = \"posted\"", "step = \"failed\""),
        ("days = 4", "days = 4_000"),
        ("days = 4", "days = 4\nvalid_from = \"2025-02-30\""),
        ("days = 4", "days = 4\nvalid_from = \"2025-01-02\"\nvalid_until = \"2025-01-01\""),
        ("law =", "laws ="),
    ] {
        assert!(with(&swap(rule, from, to)).is_err(), "{to}");
    }
    let always = refused(&self::with(
        "push = { from = \"20:00\", until = \"08:00\"",
        "push = { from = \"20:00\", until = \"20:00\"",
    ));
    assert_eq!(always.code(), "config.value");
    assert_eq!(refused(&self::with("call_within_hours = 8", "call_within_hours = 0")).code(), "config.value");
}

#[test]
fn all_that_is_wrong_is_named_at_once_with_line_and_column() {
    let text = with("[limits]", "[limits]\nbodys = 3")
        .replacen("\nconnections = 1_024", "\nconnections = \"many\"", 1)
        .replacen("internal = \"127.0.0.1:8080\"", "internal = \"192.0.2.1:8080\"", 1)
        .replacen("container_ratio = 200", "container_ratio = 0", 1)
        .replacen("id = \"63\"", "id = \"6 3\"", 1);
    let found = Config::parse_all(&text, Path::new("/srv")).err().unwrap();
    let found: Vec<_> = found.iter().map(|error| (error.code(), error.place().unwrap())).collect();
    let has = |code: &str, key: &str| {
        let place = found.iter().find(|(found, place)| *found == code && place.key == key);
        let (_, place) = place.unwrap_or_else(|| panic!("{key}: {found:?}"));
        let line = text.lines().nth(place.line - 1).unwrap();
        line.chars().skip(place.column - 1).collect::<String>()
    };
    assert!(has("config.key", "limits.bodys").starts_with("bodys"));
    assert!(has("config.value", "limits.connections").starts_with("\"many\""));
    assert!(has("config.plain-http", "listen.internal").starts_with("internal"));
    assert!(has("config.value", "limits.container_ratio").starts_with("container_ratio"));
    assert!(has("config.value", "tenant[0].unit[1].id").starts_with("id"));
    assert!(found.iter().all(|(_, place)| place.line > 0 && place.column > 0), "{found:?}");
}

#[test]
fn what_is_missing_in_one_entry_hides_nothing_of_the_next() {
    let tenants = "\n[[tenant]]\nname = \"A\"\n[[tenant]]\nid = \"b\"\nname = 3\n[[tenant]]\nid = \"c\"\n";
    let text = EXAMPLE.split("\n[[tenant]]").next().unwrap().to_owned() + tenants;
    let found = Config::parse_all(&text, Path::new("/srv")).err().unwrap();
    let keys: Vec<_> = found.iter().map(|error| error.place().unwrap().key.as_str()).collect();
    for key in ["tenant[0]", "tenant[1].name", "tenant[2]"] {
        assert!(keys.contains(&key), "{key}: {keys:?}");
    }
}
