//! What forms become.

use std::collections::BTreeMap;

use adapter_online::mapping::{Data, Mapping, Raw, Sources, for_service};
use model::party::TrustLevel;
use serde_json::{Value, json};

fn table(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// A building application by FIM.
fn raw() -> Raw {
    Raw {
        id: "bau".into(),
        service: Some("urn:de:fim:leika:leistung:99012000000000".into()),
        title: "Bauantrag: {/G1/vorhaben}".into(),
        unit: Some("63".into()),
        public_service: Some("baugenehmigung".into()),
        references: table(&[("portal", "{metadata:/additionalReferenceInfo/senderReference}")]),
        parties: vec![table(&[
            ("family_name", "{/G2/F60000227}"),
            ("given_name", "{/G2/F60000228}"),
            ("born", "{/G2/geboren}"),
            ("email", "{/G2/mail|/G3/mail}"),
            ("town", "{/G2/ort}"),
            ("authentication_source", "bundid"),
            ("authentication_level", "{/konto/niveau}"),
            ("mandate", "{/G2/vollmacht}"),
            ("mailbox", "{metadata:/replyChannel/idBundDeMailbox/mailboxUuid}"),
        ])],
        location: table(&[
            ("latitude", "{/ort/lat}"),
            ("longitude", "{/ort/lon}"),
            ("description", "Flur {/ort/flur}"),
        ]),
        minimum_level: Some(TrustLevel::Substantial),
        required: vec!["party.family_name".into(), "party.email".into()],
        ..Raw::default()
    }
}

fn data() -> Value {
    json!({
        "G1": { "vorhaben": "Carport" },
        "G2": { "F60000227": "Mustermann", "F60000228": ["Max", "M."], "geboren": "01.02.1980", "ort": "Soest",
            "vollmacht": "für Erika Mustermann" },
        "G3": [{ "mail": "max@example.org" }],
        "konto": { "niveau": "STORK-QAA-Level-3" },
        "ort": { "lat": "51,5711", "lon": 8.1057, "flur": 7 },
    })
}

fn apply(data: &Value) -> adapter_online::mapping::Applied {
    let data = Data::read(data.to_string().as_bytes(), "application/json").unwrap();
    let metadata = json!({ "additionalReferenceInfo": { "senderReference": "P-1" } });
    Mapping::new(raw()).unwrap().apply(&Sources { data: &data, metadata: &metadata }, "Leistung")
}

#[test]
fn a_form_becomes_a_case_with_party_place_and_level() {
    let applied = apply(&data());
    assert_eq!(applied.concerns, [] as [&str; 0]);
    assert_eq!(applied.description.title, "Bauantrag: Carport");
    assert_eq!(
        (applied.unit.as_deref(), applied.public_service.as_deref()),
        (Some("63"), Some("baugenehmigung"))
    );
    assert_eq!(applied.description.reference("portal"), Some("P-1"));
    let party = &applied.description.parties[0];
    let person = party.person.as_ref().unwrap();
    assert_eq!((person.given_name.as_deref(), person.born.as_deref()), (Some("Max"), Some("1980-02-01")));
    assert_eq!(
        (party.role.as_deref(), party.contacts[0].value.as_str()),
        (Some("applicant"), "max@example.org")
    );
    let authentication = party.authentication.as_ref().unwrap();
    assert_eq!((authentication.source.as_str(), authentication.level), ("bundid", TrustLevel::Substantial));
    assert_eq!(party.mandate.as_deref(), Some("für Erika Mustermann"));
    assert_eq!(party.mailbox, None);
    let place = &applied.locations[0];
    assert_eq!((place.latitude_micro, place.longitude_micro), (Some(51_571_100), Some(8_105_700)));
    assert_eq!(place.description.as_deref(), Some("Flur 7"));
}

#[test]
fn what_a_clerk_has_to_look_at_is_told_by_codes_and_by_rows() {
    let mut low = data();
    low["konto"]["niveau"] = json!("low");
    assert_eq!(apply(&low).concerns, ["online.level-too-low"]);
    low["konto"] = Value::Null;
    assert_eq!(apply(&low).concerns, ["online.level-too-low"]);
    let mut poor = data();
    poor["G2"]["F60000227"] = json!(" ");
    poor["G2"]["geboren"] = json!("im Mai");
    poor["ort"]["lat"] = json!("99");
    let applied = apply(&poor);
    assert_eq!(applied.concerns, ["online.incomplete", "online.strange-value"]);
    let wrong: Vec<&str> =
        applied.rows.iter().filter(|row| row.wrong.is_some()).map(|row| row.field.as_str()).collect();
    assert_eq!(wrong, ["location.latitude", "location.longitude", "party.family_name", "party.born"]);
    assert_eq!(applied.locations[0].latitude_micro, None);
    let unknown = {
        let mut it = data();
        it["konto"]["niveau"] = json!("gold");
        it
    };
    assert_eq!(apply(&unknown).concerns, ["online.level-too-low", "online.strange-value"]);
}

#[test]
fn nobody_else_stands_in_for_whoever_applies() {
    let mut raw = raw();
    raw.parties.push(table(&[
        ("role", "agent"),
        ("family_name", "{/vertreter/name}"),
        ("authentication_level", "{/vertreter/niveau}"),
    ]));
    raw.required.clear();
    let mapping = Mapping::new(raw).unwrap();
    let apply = |data: Value| {
        let data = Data::read(data.to_string().as_bytes(), "application/json").unwrap();
        let applied = mapping.apply(&Sources { data: &data, metadata: &Value::Null }, "Leistung");
        (applied.concerns, applied.has_applicant, applied.description.parties.len())
    };
    // `bundid` alone, a fixed word of the mapping, is nobody.
    let agent = json!({ "vertreter": { "name": "Muster", "niveau": "high" } });
    assert_eq!(apply(agent.clone()), (vec!["online.level-too-low"], false, 1));
    let mut both = data();
    both["vertreter"] = agent["vertreter"].clone();
    assert_eq!(apply(both), (vec![], true, 2));
}

#[test]
fn a_day_is_a_whole_day_and_nothing_else() {
    let born = |text: &str| {
        let mut it = data();
        it["G2"]["geboren"] = json!(text);
        let applied = apply(&it);
        let person = applied.description.parties[0].person.clone().unwrap();
        assert_eq!(applied.concerns.contains(&"online.strange-value"), person.born.is_none(), "{text}");
        person.born
    };
    for day in ["1980-02-01", "01.02.1980", "1980-02-01Z", "1980-02-01+01:00"] {
        assert_eq!(born(day).as_deref(), Some("1980-02-01"), "{day}");
    }
    for none in
        ["1980-02-01 nonsense", "1980-01-31T23:00:00Z", "1980-02-30", "1980", "01.02.1980Z", "ä980-02-01"]
    {
        assert_eq!(born(none), None, "{none}");
    }
}

#[test]
fn xfall_is_mapped_by_the_same_paths() {
    let xml = br#"<MainApplication xmlns="http://www.eu-dlr.org/x-eu-dlr.org/V2" Action="MAINAPPLICATION">
        <Partner><Name>Muster GmbH</Name></Partner><Partner><Name>Erika</Name></Partner></MainApplication>"#;
    let data = Data::read(xml, "application/xml").unwrap();
    let raw = Raw {
        title: "{/MainApplication/@Action}".into(),
        parties: vec![
            table(&[("organisation", "{/MainApplication/Partner/0/Name}")]),
            table(&[("role", "agent"), ("family_name", "{/MainApplication/Partner/1/Name}")]),
            table(&[("family_name", "{/MainApplication/Partner/2/Name}")]),
        ],
        ..Raw::default()
    };
    let applied =
        Mapping::new(raw).unwrap().apply(&Sources { data: &data, metadata: &Value::Null }, "Leistung");
    assert_eq!(applied.description.title, "MAINAPPLICATION");
    let parties = &applied.description.parties;
    assert_eq!(parties.len(), 2);
    assert_eq!(parties[0].organisation.as_ref().unwrap().name.as_deref(), Some("Muster GmbH"));
    assert_eq!(parties[1].role.as_deref(), Some("agent"));
}

#[test]
fn a_mapping_that_cannot_work_is_refused_by_its_key() {
    let refused = |change: fn(&mut Raw)| {
        let mut it = raw();
        change(&mut it);
        Mapping::new(it).unwrap_err().key
    };
    assert_eq!(refused(|it| it.title = "{titel}".into()), "title");
    assert_eq!(refused(|it| _ = it.parties[0].insert("nachname".into(), "x".into())), "party[0].nachname");
    assert_eq!(refused(|it| _ = it.location.insert("lat".into(), "x".into())), "location.lat");
    assert_eq!(refused(|it| it.required.push("party.phone".into())), "required");
    assert_eq!(refused(|it| _ = it.references.insert("a".into(), "{".into())), "references.a");
}

#[test]
fn a_service_has_its_own_mapping_or_that_for_all() {
    let own = Mapping::new(raw()).unwrap();
    let all = Mapping::new(Raw { id: "alle".into(), service: None, ..raw() }).unwrap();
    let both = [all, own];
    let found = |service: &str| for_service(&both, service).unwrap().id.clone();
    assert_eq!(found("urn:de:fim:leika:leistung:99012000000000"), "bau");
    assert_eq!(found("urn:de:fim:leika:leistung:1"), "alle");
    assert!(for_service(&both[1..], "urn:x:y").is_none());
}
