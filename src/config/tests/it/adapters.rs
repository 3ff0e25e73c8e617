//! `[[adapter]]`, of every kind.

use std::path::Path;

use config::{AdapterKind, Config};
use model::{EventKind, RecordKind};

use crate::{EXAMPLE, refused, swap};

/// The example with all adapters in force, but of two ways to do one thing the first.
fn whole() -> String {
    let begins = EXAMPLE.find("# A channel to the outside").unwrap();
    let (before, section) = EXAMPLE.split_at(begins);
    let section = section.split("# An authority that is reached through").next().unwrap();
    let is_setting = |line: &&str| {
        let key = line.strip_prefix("# ").unwrap_or_default();
        key.starts_with('[') || key.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '))
    };
    let lines = section.lines().filter(is_setting).filter(|line| !line.starts_with("# identity = "));
    let lines: String = lines.map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
    format!("{before}{lines}")
}

fn parsed(text: &str) -> Config {
    Config::parse(text, Path::new("/srv/amtsbote")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_examples_of_all_kinds_are_valid() {
    let config = parsed(&whole());
    assert_eq!(config.adapters.len(), 23);
    let AdapterKind::Remote(remote) = &config.adapters[0].kind else { panic!("the first is remote") };
    assert_eq!(remote.secret, "file:/srv/amtsbote/data/adapter-land.secret");
    assert_eq!(remote.follows[&RecordKind::Case], [EventKind::RecordCreated, EventKind::RecordChanged]);
    let AdapterKind::Scan(scan) = &config.adapters[7].kind else { panic!("the eighth is scan") };
    assert_eq!(scan.folder, Path::new("/srv/amtsbote/scan"));
    let channel = config.adapters[0].channel().unwrap();
    assert!(channel.scope.covers("musterkreis", "63", Some("baugenehmigung")));
    assert!(!channel.scope.covers("musterkreis", "63", Some("gewerbe")));
    assert!(config.adapters[16].channel().is_none());
}

#[test]
fn a_submission_may_be_as_large_as_its_largest_attachment_unless_that_is_set() {
    let set = "max_attachment_mb = 1_024\nmax_submission_mb = 4_096\n";
    for (given, expected) in [("max_attachment_mb = 8_192\n", 8_192), ("max_attachment_mb = 512\n", 4_096)] {
        let config = parsed(&swap(&whole(), set, given));
        let AdapterKind::FitConnect(it) = &config.adapters[17].kind else { panic!("FIT-Connect") };
        assert_eq!(it.most_submission_mb(), expected);
    }
}

#[test]
fn what_is_shown_is_what_was_read() {
    let shown = toml::to_string(&parsed(&whole())).unwrap();
    assert_eq!(toml::to_string(&parsed(&shown)).unwrap(), shown);
    for line in shown.lines() {
        let Some((key, _)) = line.split_once(" = ").filter(|(_, value)| *value != "[]") else { continue };
        let key = key.trim_matches('"');
        assert!(EXAMPLE.contains(&format!("{key} = ")), "{key} is not explained");
    }
}

#[test]
fn what_is_wrong_with_adapters_is_refused_by_line_and_key() {
    let value = "config.value";
    for (from, to, code, key) in [
        ("kind = \"remote\"", "kind = \"fax\"", value, "adapter[0].kind"),
        ("kind = \"remote\"", "", "config.key", "adapter[0]"),
        (
            "unit = \"63\"\npublic_service",
            "unit = \"99\"\npublic_service",
            "config.undefined",
            "adapter[17].mapping[0].unit",
        ),
        ("told_after_days = 3", "told_after_days = 14", value, "adapter[17].told_after_days"),
        ("max_data_mb = 8", "max_data_mb = 0", value, "adapter[17].max_data_mb"),
        ("max_submission_mb = 4_096", "max_submission_mb = 512", value, "adapter[17].max_submission_mb"),
        (
            "levels = { gold = \"high\" }",
            "levels = { gold = \"golden\" }",
            value,
            "adapter[17].mapping[0].levels.gold",
        ),
        ("reconciles = true", "reconcile = true", "config.key", "adapter[0].reconcile"),
        ("reconciles = true", "reconciles = 5", value, "adapter[0].reconciles"),
        ("from_beginning = false", "from_beginning = 1", value, "adapter[0].from_beginning"),
        (
            "[\"record.created\", \"record.changed\"]",
            "[\"record.made\"]",
            value,
            "adapter[0].follows.case[0]",
        ),
        ("id = \"files\"", "id = \"dms\"", "config.duplicate", "adapter[2].id"),
        ("unit = \"63\"\nunits", "unit = \"99\"\nunits", "config.undefined", "adapter[0].unit"),
        ("units = [\"10\", \"63\"]", "units = [\"10\"]", value, "adapter[0].unit"),
        ("authority = \"bab:00000001\"\nunit = \"63\"\nunits", "unit = \"63\"\nunits", value, "adapter[0]"),
        (
            "tenant = \"musterkreis\"\nauthority = \"bab:00000001\"\nunit = \"63\"\nkind = \"cmis\"",
            "kind = \"cmis\"",
            value,
            "adapter[1]",
        ),
        ("patience_hours = 24", "patience_hours = 0", value, "adapter[0].patience_hours"),
        ("\"file:data/dms.secret\"", "\"geheim\"", "config.literal-secret", "adapter[1].password"),
        ("binding = \"browser\"", "binding = \"soap\"", value, "adapter[1].binding"),
        ("folder = \"/Fach", "folder = \"Fach", value, "adapter[1].folder"),
        ("poll_seconds = 60", "poll_seconds = 0", value, "adapter[1].poll_seconds"),
        ("own_folder = \".amtsbote\"", "own_folder = \"\"", value, "adapter[2].own_folder"),
        ("import = \"dms/in\"", "import = \"dms/out\"", value, "adapter[5].import"),
        ("\"=amtsbote\"", "\"amtsbote\"", value, "adapter[6].processes"),
        ("title = \"=Antrag prüfen\", ", "", "config.key", "adapter[6].topics[0]"),
        ("form = \"pdfa-3\"", "form = \"pdf\"", value, "adapter[7].read.form"),
        ("key = \"file:data/scan.key\"", "", value, "adapter[7].note"),
        ("\"file:data/sheets.word\"", "\"geheim\"", "config.literal-secret", "adapter[7].separate.word"),
        ("security = \"tls\"", "security = \"ssl\"", value, "adapter[8].server.security"),
        ("retention_years = 30", "retention_years = 0", value, "adapter[14].retention_years"),
        ("appraisal = \"nobody\"", "appraisal = \"me\"", value, "adapter[14].appraisal"),
        ("own_folder = \".amtsbote\"", "own_folder = \"a/b\"", value, "adapter[2].own_folder"),
        ("rfc3161\", policy = \"1.3", "rfc3161\", policy = \"x.3", value, "adapter[14].stamps.policy"),
        ("\"http://tsa.example/ca.crl\"", "\"ldap://tsa\"", value, "adapter[14].stamps.revocation_url"),
        ("\"file:data/ari.secret\"", "\"geheim\"", "config.literal-secret", "adapter[22].password"),
        ("outside = \"PJSIP/{}@trunk\"", "outside = \"PJSIP/trunk\"", value, "adapter[22].outside"),
        ("contexts = [\"inbound\"]", "contexts = []", value, "adapter[22].contexts"),
        ("may_call = [\"+49\"]", "may_call = [\"0049\"]", value, "adapter[22].may_call"),
        ("may_not_call = [\"+4932\"]", "may_not_call = [\"+49\"]", value, "adapter[22].may_not_call"),
        ("kind = \"asterisk\"", "units = [\"10\"]\nkind = \"asterisk\"", value, "adapter[22].units"),
        ("kind = \"asterisk\"", "services = [\"x\"]\nkind = \"asterisk\"", value, "adapter[22].services"),
        ("area = \"381\"", "area = \"0381\"", value, "adapter[22].area"),
        ("service = [\"mo-fr 08:00-18:00\"]", "service = [\"mo 8-18\"]", value, "hours.service"),
        ("# holidays = [\"2026-12-25\", ", "holidays = [\"25.12.2026\", ", value, "hours.holidays"),
        (
            "document = { id = \"262144\", own_field = \"AMTSBOTE\"",
            "document = { id = \"262144\", own_field = \"\"",
            value,
            "adapter[4].document.own_field",
        ),
    ] {
        let text = swap(&whole(), from, to);
        let error = refused(&text);
        assert_eq!(error.code(), code, "{to}: {error}");
        assert!(error.to_string().contains(key), "{to}: {error}");
        assert!(error.to_string().starts_with("line "), "{to}: {error}");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }
    let follows_nothing =
        swap(&swap(&whole(), "keeps_records = false", "keeps_records = true"), "follows = {", "# {");
    assert!(refused(&follows_nothing).to_string().contains("adapter[0].keeps_records"));
    let none = format!("adapter = 5\n{EXAMPLE}");
    assert!(refused(&none).to_string().contains("[[adapter]]"));
}

#[test]
fn what_an_adapter_would_never_look_at_is_refused() {
    let value = "config.value";
    for (from, to, code, key) in [
        // Of a topic of another kind.
        (
            "result = \"ergebnis\"",
            "result = \"ergebnis\", refused = \"X\"",
            "config.key",
            "adapter[6].topics[0]",
        ),
        (
            "does = \"close\"",
            "does = \"close\", fields = { note = \"x\" }",
            "config.key",
            "adapter[6].topics[1]",
        ),
        ("does = \"amend\"", "does = \"amend\", variable = \"x\"", "config.key", "adapter[6].topics[2]"),
        ("name = \"zdA\"", "name = \"pruefen\"", value, "adapter[6].topics[1]"),
        ("does = \"note\"", "does = \"nothing\"", value, "adapter[6].topics[4].does"),
        ("name = \"zdA\"", "name = \"\"", value, "adapter[6].topics[1]"),
        ("variable = \"aktenzeichen\"", "variable = \"\"", value, "adapter[6].topics[3]"),
        ("key = \"baugenehmigung\"", "key = \"\"", value, "adapter[6].processes"),
        // Of a system whose changes nobody sees, and of fields that nobody changes.
        (
            "mark_property = \"STAND\"",
            "mark_property = \"STAND\"\npoll_seconds = 5",
            "config.key",
            "adapter[3].poll_seconds",
        ),
        (
            "mark_property = \"STAND\"",
            "mark_property = \"STAND\"\nfolder_fields = [{ field = \"title\", property = \"T\", comes_back = true }]",
            value,
            "adapter[3].folder_fields",
        ),
        ("changes = \"auto\"", "changes = \"off\"", value, "adapter[1].folder_fields"),
        (
            "type = \"date\", comes_back = false",
            "type = \"date\", comes_back = true",
            value,
            "adapter[1].folder_fields",
        ),
        // Nobody could be written to.
        (
            "recipients = [\"file:mail/land.pem\"]\nonly_encrypted = false",
            "only_encrypted = true",
            value,
            "adapter[12].only_encrypted",
        ),
        // Of those who are told of records alone.
        ("kind = \"archive-folder\"", "patience_hours = 5\nkind = \"archive-folder\"", value, "adapter[16]"),
        (
            "kind = \"archive-folder\"",
            "from_beginning = true\nkind = \"archive-folder\"",
            value,
            "adapter[16]",
        ),
    ] {
        let error = refused(&swap(&whole(), from, to));
        assert_eq!(error.code(), code, "{to}: {error}");
        assert!(error.to_string().contains(key), "{to}: {error}");
    }
}

#[test]
fn no_two_adapters_have_one_folder_mailbox_or_way() {
    let duplicate = "config.duplicate";
    let mailbox = "[[adapter]]\nid = \"mail-2\"\ntenant = \"musterkreis\"\nauthority = \"bab:00000001\"\nunit = \"63\"\nkind = \"mail\"\n\
         server = { host = \"IMAP.kreis.example\", port = 993 }\nuser = \"poststelle\"\npassword = \"file:x\"\n";
    let fetcher =
        EXAMPLE.split("# id = \"fit\"").nth(1).unwrap().split("# Secret of callbacks").next().unwrap();
    let fetcher = format!("[[adapter]]\nid = \"fit-2\"{}", fetcher.replace("\n# ", "\n"));
    let printer = |units: &str| {
        format!(
            "[[adapter]]\nid = \"print-2\"\ntenant = \"musterkreis\"\nauthority = \"bab:00000001\"\nunit = \"63\"\n{units}kind = \"print\"\n\
             folder = \"print-2\"\n"
        )
    };
    let telephone = "[[adapter]]\nid = \"telephone-2\"\ntenant = \"musterkreis\"\nauthority = \"bab:00000001\"\nunit = \"63\"\n\
         kind = \"asterisk\"\nurl = \"https://pbx.example/ari\"\nuser = \"a\"\npassword = \"file:x\"\ncontexts = [\"in\"]\n\
         outside = \"PJSIP/{}@trunk\"\ncaller_id = \"+493815550\"\n";
    for (text, code, key) in [
        (format!("{}{telephone}", whole()), "config.value", "adapter[23]"),
        (swap(&whole(), "folder = \"bags\"", "folder = \"./scan/\""), duplicate, "adapter[16].folder"),
        (
            swap(&whole(), "folder = \"bags\"", "folder = \"/srv/amtsbote/print\""),
            duplicate,
            "adapter[16].folder",
        ),
        (
            swap(&whole(), "import = \"dms/in\"", "import = \"danrw/incoming\""),
            duplicate,
            "adapter[15].folder",
        ),
        (format!("{}{mailbox}", whole()), duplicate, "adapter[23].folder"),
        (format!("{}{}", whole(), printer("")), "config.value", "adapter[23]"),
        (format!("{}{fetcher}", whole()), duplicate, "adapter[23].destination"),
        (
            swap(&whole(), "kind = \"print\"", "from_beginning = true\nkind = \"print\""),
            "config.value",
            "adapter[10].from_beginning",
        ),
    ] {
        let error = refused(&text);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(key), "{key}: {error}");
    }
    let parted = swap(&whole(), "kind = \"print\"", "units = [\"10\"]\nkind = \"print\"");
    parsed(&format!("{parted}{}", printer("units = [\"63\"]\n")));
}

#[test]
fn partners_and_adapters_fit_each_other() {
    let hotfolder = "adapter = \"hotfolder\"";
    for (to, key) in
        [("adapter = \"scan\"", "partner[0].adapter"), ("adapter = \"land\"", "adapter[5].partner")]
    {
        let error = refused(&swap(&whole(), hotfolder, to));
        assert_eq!(error.code(), "config.value", "{error}");
        assert!(error.to_string().contains(key), "{error}");
    }
}

#[test]
fn whom_an_archive_trusts_is_loaded_like_all_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::parse(&whole(), folder.path()).unwrap();
    let entry = &config.adapters[14];
    let AdapterKind::ArchiveTresor(archive) = &entry.kind else { panic!("the thirteenth is an archive") };
    let load = || config.adapter_authorities(entry, "trust", &archive.target.trust).map(drop);
    assert_eq!(load().unwrap_err().code(), "config.unreadable");
    std::fs::create_dir(folder.path().join("archive")).unwrap();
    std::fs::write(folder.path().join("archive/tsa.pem"), "no certificate").unwrap();
    assert!(load().unwrap_err().to_string().contains("adapter[14].trust[0]"));
}

#[test]
fn notices_need_templates_ways_that_carry_them_and_a_link_that_is_one() {
    let config = parsed(&whole());
    let notify = config.adapters.iter().find_map(|entry| match &entry.kind {
        AdapterKind::Notify(it) => Some(it),
        _ => None,
    });
    let notify = notify.unwrap();
    assert_eq!(notify.templates, Path::new("/srv/amtsbote/notices"));
    assert_eq!((notify.notices.len(), notify.notices[1].of.as_deref()), (4, Some("missing-document")));
    for (from, to) in [
        ("ways = [\"portal\", \"mail\", \"call\"]", "ways = [\"portal\", \"print\"]"),
        ("ways = [\"portal\", \"mail\", \"call\"]", "ways = [\"mail\", \"mail\"]"),
        ("https://buerger.kreis.example/citizen/", "javascript:alert(1)"),
        ("area = \"2921\"", "area = \"zwei\""),
        ("template = \"received\"", "template = \"../received\""),
    ] {
        let error = refused(&swap(&whole(), from, to));
        assert_eq!(error.code(), "config.value", "{to}: {error}");
    }
    let unknown = refused(&swap(&whole(), "of = \"missing-document\"", "kind = \"missing-document\""));
    assert_eq!(unknown.code(), "config.key");
}
