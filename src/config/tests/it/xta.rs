//! TLS and the server of XTA in the configuration.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use broker::house::CourtForm;
use config::{Config, Error};

use crate::{EXAMPLE, refused, swap};

/// The example with everything of TLS and XTA, which is commented out there.
fn with_xta() -> String {
    let mut inside = false;
    let mut text = String::new();
    for line in EXAMPLE.lines() {
        inside |= ["# [tls]", "# [xta]", "# [[xta.account]]"].contains(&line);
        let is_own = inside || line.starts_with("# machines = ") || line.starts_with("# xta_box = ");
        let is_key = line.contains(" = ") || line.starts_with("# [");
        text += line.strip_prefix("# ").filter(|_| is_own && is_key).unwrap_or(line);
        text.push('\n');
        inside &= !line.is_empty();
    }
    text
}

#[test]
fn the_example_s_server_is_valid_and_shows_every_key_with_its_default() {
    let text = with_xta();
    let config = Config::parse(&text, Path::new("/srv/amtsbote")).unwrap();
    assert_eq!(config.tls.as_ref().unwrap().identity.key, "file:/srv/amtsbote/tls/server.p12");
    let xta = config.xta.as_ref().unwrap();
    assert_eq!(xta.trust, ["file:/srv/amtsbote/xta/ca.pem"]);
    assert_eq!(xta.crl, ["file:/srv/amtsbote/xta/ca.crl"]);
    assert_eq!(xta.accounts[0].certificates, ["file:/srv/amtsbote/xta/land.pem"]);
    assert!(config.tenants[0].authorities[0].xta_box && !config.tenants[0].authorities[1].xta_box);
    let written = toml::to_string(&config).unwrap();
    for line in written.lines().filter(|line| !line.starts_with('[')) {
        let Some((key, _)) = line.split_once(" = ").filter(|(_, value)| *value != "[]") else { continue };
        assert!(text.contains(&format!("{key} = ")), "{key}");
    }
    let front = text.find("\n[xta]\n").unwrap();
    let defaults = [
        "without_revocation = \"warn\"\n",
        "container_mb = 40\n",
        "message_id_days = 7\n",
        "check = true\n",
        "locked = false\n",
        "lenient = false\n",
        "delivers = false\n",
    ];
    let bare = defaults.iter().fold(text[front..].to_owned(), |bare, default| swap(&bare, default, ""));
    let bare = Config::parse(&(text[..front].to_owned() + &bare), Path::new("/srv/amtsbote")).unwrap();
    assert_eq!(toml::to_string(&bare).unwrap(), written);
}

#[test]
fn machines_are_listened_to_everywhere_with_tls_and_on_loopback_without() {
    let text = swap(&with_xta(), "machines = \"127.0.0.1:8443\"", "machines = \"0.0.0.0:8443\"");
    assert!(Config::parse(&text, Path::new("/")).is_ok());
    let plain = swap(EXAMPLE, "# machines = \"127.0.0.1:8443\"", "machines = \"0.0.0.0:8443\"");
    assert_eq!(refused(&plain).code(), "config.plain-http");
    let osci = swap(&text, "# osci_plain = \"127.0.0.1", "osci_plain = \"192.0.2.1");
    assert_eq!(refused(&osci).code(), "config.plain-http", "TLS is for machines alone");
}

#[test]
fn what_is_wrong_is_refused_by_line_and_key() {
    let text = with_xta();
    let account = "xta.account[0]";
    let parties = "parties = [\"bab:00000003\"]";
    for (from, to, code, key) in [
        (
            "\nidentity = { key = \"file:",
            "\nidentity = { key = \"",
            "config.literal-secret",
            "tls.identity.key",
        ),
        ("\"env:TLS_PIN\"", "\"geheim\"", "config.literal-secret", "tls.identity.password"),
        ("[tls]\n", "[tls]\nversion = \"1.3\"\n", "config.key", "tls"),
        ("machines = \"127.0.0.1:8443\"\n", "", "config.value", "tls"),
        ("server = \"amtsbote-musterkreis\"", "server = \"\"", "config.value", "xta.server"),
        ("server = \"amtsbote-musterkreis\"", "server = \"a:b\"", "config.value", "xta.server"),
        (
            "server = \"amtsbote-musterkreis\"",
            "server = \"a123456789b123456789c123456789d123456789e1\"",
            "config.value",
            "xta.server",
        ),
        ("trust = [\"file:xta/ca.pem\"]", "trust = []", "config.value", "xta.trust"),
        ("trust = [\"file:xta/ca.pem\"]", "trust = [\"ca.pem\"]", "config.value", "xta.trust[0]"),
        ("\ncrl = [\"file:xta", "\ncrl = [\"xta", "config.value", "xta.crl[0]"),
        ("\nocsp = \"http:", "\nocsp = \"ldap:", "config.value", "xta.ocsp"),
        ("\nwithout_revocation = \"warn\"", "\nwithout_revocation = \"no\"", "config.value", "xta.without"),
        ("\ncontainer_mb = 40", "\ncontainer_mb = 0", "config.value", "xta.container_mb"),
        ("\nmessage_id_days = 7", "\nmessage_id_days = 0", "config.value", "xta.message_id_days"),
        ("\ncheck = true", "\ncheck = 1", "config.value", "xta.check"),
        ("\ncheck = true", "\nchek = true", "config.key", "xta"),
        ("id = \"land-bab\"", "id = \"land bab\"", "config.value", "xta.account[0].id"),
        ("\ntenant = \"musterkreis\"", "\ntenant = \"niemand\"", "config.undefined", ".tenant"),
        ("certificates = [\"file:xta/land.pem\"]", "certificates = []", "config.value", ".certificates"),
        ("certificates = [\"file:xta", "certificates = [\"xta", "config.value", ".certificates[0]"),
        (parties, "parties = []", "config.value", ".parties"),
        (parties, "parties = [\"gesperrt\"]", "config.value", ".parties[0]"),
        (parties, "parties = [\"bab:00000002\"]", "config.value", ".parties[0]"),
        ("container_mb = 200", "container_mb = 0", "config.value", ".container_mb"),
        ("locked = false", "locked = \"nein\"", "config.value", ".locked"),
        ("lenient = false", "tolerant = false", "config.key", "xta.account[0]"),
    ] {
        let error = refused(&swap(&text, from, to));
        let said = error.to_string();
        let key = if key.starts_with('.') { format!("{account}{key}") } else { key.to_owned() };
        assert_eq!(error.code(), code, "{to}: {said}");
        assert!(
            said.contains(&key) && said.starts_with("line ") && !said.contains("geheim"),
            "{key}: {said}"
        );
    }
    let tls = text.find("\n[tls]\n").unwrap()..text.find("\n# The server of XTA").unwrap();
    let without = [&text[..tls.start], &text[tls.end..]].concat();
    assert!(refused(&without).to_string().contains("xta: callers are known by TLS"), "no XTA without TLS");
    let locked = swap(&text, parties, "parties = [\"gesperrt\"]");
    let locked = swap(&locked, "locked = false", "locked = true");
    assert!(Config::parse(&locked, Path::new("/")).is_ok(), "whoever is shut out needs no key");
}

/// A folder with everything that the example's server refers to, made with OpenSSL's own tool.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let openssl = |arguments: &str| {
        let done = Command::new("openssl").args(arguments.split(' ')).current_dir(path).output().unwrap();
        assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
    };
    for part in ["tls", "xta"] {
        std::fs::create_dir(path.join(part)).unwrap();
    }
    for name in ["tls/server", "xta/land", "xta/other"] {
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -days 2";
        openssl(&format!("req -x509 {key} -keyout {name}.key -out {name}.pem"));
    }
    openssl("pkcs12 -export -inkey tls/server.key -in tls/server.pem -out tls/server.p12 -passout pass:123");
    std::fs::copy(path.join("xta/land.pem"), path.join("xta/ca.pem")).unwrap();
    std::fs::write(path.join("tls/pin"), "123").unwrap();
    for secret in ["tls/pin", "tls/server.p12"] {
        std::fs::set_permissions(path.join(secret), Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

#[test]
fn what_the_server_refers_to_is_loaded_and_no_caller_has_two_accounts() {
    let folder = folder();
    let text = swap(&with_xta(), "crl = [\"file:xta/ca.crl\"]\n", "");
    let text = swap(&text, "\"env:TLS_PIN\"", "\"file:tls/pin\"");
    let parse = |text: &str| Config::parse(text, folder.path()).unwrap();
    let settings = |text: &str| -> Result<_, Error> { parse(text).xta_settings() };
    assert!(parse(&text).tls_identity().unwrap().is_some());
    assert!(parse(EXAMPLE).tls_identity().unwrap().is_none() && settings(EXAMPLE).unwrap().is_none());
    let loaded = settings(&text).unwrap().unwrap();
    assert_eq!((loaded.server.as_str(), loaded.check), ("amtsbote-musterkreis", true));
    assert_eq!(loaded.accounts[0].container_bytes, 200 << 20);
    let general = swap(&text, "container_mb = 200\n", "");
    assert_eq!(settings(&general).unwrap().unwrap().accounts[0].container_bytes, 40 << 20);

    let second = |certificate: &str, party: &str| {
        let own = format!("certificates = [\"file:xta/{certificate}.pem\"]\nparties = [\"{party}\"]\n");
        format!("{text}\n[[xta.account]]\nid = \"b\"\ntenant = \"musterkreis\"\n{own}")
    };
    assert_eq!(settings(&second("land", "bab:00000004")).unwrap().unwrap().accounts.len(), 2);
    assert_eq!(settings(&second("other", "bab:00000003")).unwrap().unwrap().accounts.len(), 2);
    assert_eq!(settings(&second("land", "bab:00000003")).err().unwrap().code(), "config.duplicate");
    assert_eq!(settings(&second("absent", "bab:00000004")).err().unwrap().code(), "config.unreadable");
    let same_name = second("other", "bab:00000004").replace("id = \"b\"", "id = \"land-bab\"");
    assert_eq!(refused(&same_name).code(), "config.duplicate");
    let secret = swap(&text, "tls/server.p12", "tls/server.key");
    assert!(parse(&secret).tls_identity().is_err(), "a key without a certificate");
}

#[test]
fn readers_that_answer_at_once_must_fetch_and_are_waited_for_in_bounds() {
    let with = |lines: &str| swap(EXAMPLE, "# xta_box = true\n", lines);
    let reader = |inner: &str| with(&format!("xta_box = true\nxta_reader = {{ {inner} }}\n"));
    let config = Config::parse(&reader("only_synchronous = [\"urn:a\"]"), Path::new("/")).unwrap();
    let read = config.tenants[0].authorities[0].xta_reader.as_ref().unwrap();
    assert_eq!((read.within_seconds, read.only_synchronous.len()), (30, 1));
    let server = |keys: &str, address: &str| {
        with(&format!(
            "xta_box = true\n{keys}xta_reader = {{ server = {{ version = \"5\", address = \"{address}\" }} }}\n"
        ))
    };
    let keys = "xta = { identity = { key = \"file:a.p12\" } }\n";
    let config = Config::parse(&server(keys, "https://xta.test/reader"), Path::new("/")).unwrap();
    let found = config.tenants[0].authorities[0].xta_reader.as_ref().unwrap().server.as_ref().unwrap();
    assert_eq!((found.address.as_str(), found.mtom), ("https://xta.test/reader", true));
    for (text, key) in [
        (server("", "https://xta.test/reader"), "tenant[0].authority[0].xta_reader.server"),
        (server(keys, "http://xta.test/reader"), "tenant[0].authority[0].xta_reader.server.address"),
        (with("xta_reader = {}\n"), "tenant[0].authority[0].xta_reader"),
        (reader("within_seconds = 0"), "tenant[0].authority[0].xta_reader.within_seconds"),
        (reader("within_seconds = 121"), "tenant[0].authority[0].xta_reader.within_seconds"),
        (
            reader("only_synchronous = [\"a\"], only_asynchronous = [\"a\"]"),
            "tenant[0].authority[0].xta_reader.only_synchronous",
        ),
    ] {
        let error = Config::parse(&text, Path::new("/")).err().unwrap().to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn an_author_at_a_server_is_one_partner_of_a_tenant() {
    let partner = |key: &str, more: &str, xta: &str| {
        format!(
            "[[partner]]\nauthority = \"bab:{key}\"\nname = \"P\"\nreads = []\nmost_bytes = 1\n{more}\n\
             xta = {{ server = {{ management = \"https://xta.test/m\", send = \"https://xta.test/s\" }}, {xta} }}\n"
        )
    };
    let both = |more: [&str; 2], xta: [&str; 2]| {
        let text = [partner("00000077", more[0], xta[0]), partner("00000078", more[1], xta[1])].concat();
        Config::parse(&format!("{EXAMPLE}\n{text}"), Path::new("/")).map(drop).map_err(|error| error.code())
    };
    let named = "party = \"bau\"";
    assert_eq!(both(["", ""], ["scheme = \"xoev\"", "scheme = \"xoev\""]), Ok(()), "their keys differ");
    assert_eq!(both(["", ""], [named, named]), Err("config.duplicate"));
    assert_eq!(both(["", ""], [named, "party = \"bau\", scheme = \"xoev\""]), Err("config.duplicate"));
    assert_eq!(
        both(["", ""], ["party = \"bau\", scheme = \"a\"", "party = \"bau\", scheme = \"b\""]),
        Ok(())
    );
    assert_eq!(both(["", ""], ["party = \"bab:00000078\"", "scheme = \"x\""]), Err("config.duplicate"));
}

#[test]
fn servers_of_partners_are_of_either_version_and_named_as_in_theirs() {
    use broker::house::XtaVersion::{V3, V5};
    let partner = |server: &str| {
        format!(
            "{EXAMPLE}\n[[partner]]\nauthority = \"bab:00000077\"\nname = \"P\"\nreads = []\nmost_bytes = 1\n\
             xta = {{ server = {{ {server} }} }}\n"
        )
    };
    let address = |port: &str| format!("https://xta.test/{port}");
    let v3 = format!("management = \"{}\", send = \"{}\"", address("m"), address("s"));
    let v5 = format!(
        "version = \"5\", base = \"{}\", sender = \"{}\", recipient = \"{}\"",
        address("m"),
        address("s"),
        address("r")
    );
    for (server, version, message_box) in [(&v3, V3, None), (&v5, V5, Some(address("r")))] {
        let config = Config::parse(&partner(server), Path::new("/")).unwrap();
        let found = &config.partners.last().unwrap().xta.as_ref().unwrap().server;
        let addresses = (&found.management, found.send.as_ref(), found.message_box.as_ref());
        assert_eq!(
            (found.version, addresses),
            (version, (&address("m"), Some(&address("s")), message_box.as_ref()))
        );
    }
    for (server, key) in [
        (v5.replace("\"5\"", "\"4\""), "xta.server.version"),
        (v5.replace("https://xta.test/s", "http://xta.test/s"), "xta.server.send"),
        (format!("management = \"{}\", {v5}", address("m")), "xta.server"),
    ] {
        let error = Config::parse(&partner(&server), Path::new("/")).err().unwrap().to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn a_partner_may_be_a_court_and_what_is_said_of_it_is_checked() {
    let parse = |more: &str| {
        let server = "server = { management = \"https://x.example/\", send = \"https://x.example/\" }";
        let partner =
            "[[partner]]\nauthority = \"ger:1\"\nname = \"Amtsgericht\"\nreads = []\nmost_bytes = 1_000";
        let text = format!("{EXAMPLE}\n{partner}\n[partner.xta]\n{server}\n{more}\n");
        Config::parse(&text, Path::new("/"))
    };
    let court = |form: &str| format!("profile = \"court\"\ncourt = {{ {form} }}");
    let form = |more: &str| {
        let settings = parse(more).unwrap().xta_parties().unwrap();
        settings.partners.into_iter().next().unwrap().court
    };
    assert_eq!(form("profile = \"plain\""), None);
    let usual = form("profile = \"court\"").unwrap();
    assert_eq!((usual.author_scheme.as_str(), usual.message_type.as_str()), ("XTA_ID", "XTA"));
    assert_eq!(form(&court("files = 5")).unwrap(), CourtForm { files: Some(5), ..usual });
    for (more, key) in [
        ("court = {}".to_owned(), "partner[0].xta.court"),
        (court("payload_schema = \"\""), "partner[0].xta.court.payload_schema"),
        (court("formats = [\".MP4\"]"), "partner[0].xta.court.formats"),
        (court("files = 0"), "partner[0].xta.court.files"),
        (court("megabytes = 0"), "partner[0].xta.court.megabytes"),
        (court("versions = [\"\"]"), "partner[0].xta.court.versions"),
        (court("service = \" x\""), "partner[0].xta.court.service"),
        (court("scenario = \"\\t\""), "partner[0].xta.court.scenario"),
        (court("message_types_version = \"\""), "partner[0].xta.court.message_types_version"),
    ] {
        let error = parse(&more).err().unwrap().to_string();
        assert!(error.contains(key), "{error}");
    }
    assert!(parse(&court("versions = [\"3.5\"]")).is_ok());
}

#[test]
fn a_court_is_not_reached_by_version_5() {
    let partner =
        "[[partner]]\nauthority = \"ger:1\"\nname = \"Amtsgericht\"\nreads = []\nmost_bytes = 1_000";
    let parse = |profile: &str| {
        let server = "server = { version = \"5\", management = \"https://x.example/\", send = \"https://x.example/\" }";
        let text = format!("{EXAMPLE}\n{partner}\n[partner.xta]\n{server}\nprofile = \"{profile}\"\n");
        Config::parse(&text, Path::new("/"))
    };
    assert!(parse("plain").is_ok());
    let error = parse("court").err().unwrap().to_string();
    assert!(error.contains("partner[0].xta.server.version"), "{error}");
}

#[test]
fn all_certificates_that_are_named_are_found_with_their_place() {
    let folder = folder();
    let text = swap(&with_xta(), "crl = [\"file:xta/ca.crl\"]\n", "");
    let text = swap(&text, "\"env:TLS_PIN\"", "\"file:tls/pin\"");
    let config = Config::parse(&text, folder.path()).unwrap();
    let named = config.named_certificates().unwrap();
    let places: Vec<_> = named.iter().map(|it| (it.name.as_str(), it.tenant.as_deref())).collect();
    assert_eq!(
        places,
        [("tls identity", None), ("xta trust", None), ("xta account land-bab", Some("musterkreis"))]
    );
}
