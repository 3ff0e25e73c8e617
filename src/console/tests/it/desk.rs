//! The clerks' desk: everybody sees what is theirs and nothing else, acts do what they say and leave an event, and nothing that came from
//! outside runs in a browser.

use axum::body::Body;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Timestamp;
use model::adapter::CallbackRequest;
use model::letter::{Hint, HintKind, Letter};
use model::payment::TruthState;
use serde_json::{Value, json};

use crate::bed::{Bed, FORM, request};
use crate::gateway::{ALL_ROLES, Answer, Call, Gateway, MOST_BYTES};
use crate::inputs::Sound;
use crate::outside::OUTSIDE;

/// A title that would run if it were not escaped.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script>\"'>";

/// One page that says a word.
const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n\
4 0 obj<</Length 40>>stream\nBT /F 24 Tf 30 100 Td (Guten Tag) Tj ET  \nendstream endobj\n\
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R/Size 6>>\n%%EOF\n";

/// Those of another unit, of another public service, and of another tenant.
const STRANGERS: [&str; 3] = ["clerk-70", "clerk-waste", "clerk-unna"];

pub(crate) fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

pub(crate) fn id(json: &Value) -> String {
    json["id"].as_str().unwrap().to_owned()
}

/// Where an act led.
#[track_caller]
pub(crate) fn led(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", text(answer));
    answer.header("location")
}

/// The value of a hidden field of a page.
pub(crate) fn value_of(page: &str, field: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{field}\" value=\"")).expect("the page has the field");
    rest.split_once('"').unwrap().0.to_owned()
}

/// A message of unit 63 that cannot be read, and so waits for a human.
pub(crate) async fn parked(bed: &Bed, xml: &str) -> String {
    let raw = Call::post("/messages?fileName=Nachricht.xml").with("content-type", "application/xml");
    let message = bed.gateway.call(&bed.token, raw.bytes(xml.to_owned())).await.is(202).json();
    let park = Call::post(&format!("/messages/{}/park", id(&message)));
    bed.gateway.call(&bed.token, park.json(json!({ "note": "bitte ansehen" }))).await.is(200);
    id(&message)
}

pub(crate) async fn case(bed: &Bed, title: &str, reference: &str) -> String {
    let new = json!({ "unit": "63", "title": title, "publicService": "baugenehmigung",
        "references": [{ "kind": "antrag", "value": reference }] });
    id(&bed.gateway.call(&bed.token, Call::post("/cases").json(new)).await.is(201).json())
}

/// A letter on the desk of unit 63 with one document of these files.
pub(crate) async fn letter(bed: &Bed, subject: &str, hints: Vec<Hint>, files: Vec<(&str, &[u8])>) -> String {
    let at = Timestamp::parse("2026-11-27T08:00:00Z").unwrap();
    let letter = Letter {
        key: subject.to_owned(),
        way: "scan".into(),
        received_at: at,
        subject: Some(subject.to_owned()),
        from: Some(HOSTILE.to_owned()),
        hints,
        ..Letter::default()
    };
    bed.gateway.outside.brings(letter, files);
    let request = CallbackRequest {
        method: "POST".into(),
        path: "/".into(),
        headers: vec![],
        body: Box::new(std::io::Cursor::new(vec![])),
    };
    assert_eq!(bed.gateway.broker.callback(OUTSIDE, request).await.unwrap().status, 200);
    let listed = bed.gateway.call(&bed.token, Call::get("/interactions?status=open&limit=200")).await.json();
    let mut letters = listed["items"].as_array().unwrap().iter();
    id(letters.find(|it| it["subject"] == subject).expect("the letter lies on the desk"))
}

fn hint(value: &str, confidence: u8) -> Hint {
    Hint { kind: HintKind::RecordReference, value: value.into(), confidence, place: "page 1".into() }
}

/// Nobody but those of its unit sees a page.
pub(crate) async fn is_theirs_alone(bed: &Bed, path: &str) -> String {
    for stranger in STRANGERS {
        bed.see(stranger, path).await.is(404);
    }
    text(&bed.see("clerk", path).await.is(200))
}

async fn kinds_of_events(bed: &Bed, path: &str) -> Vec<String> {
    let line = bed.gateway.call(&bed.token, Call::get(&format!("{path}/timeline"))).await.is(200).json();
    let items = line["items"].as_array().unwrap().iter();
    items.map(|item| item["event"]["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_lies_on_the_desk_of_its_unit_and_a_task_is_taken_handed_on_and_completed() {
    let bed = Bed::start().await;
    for page in ["/desk", "/post", "/cases", "/payments", "/dispatches"] {
        assert!(text(&bed.see("clerk", page).await.is(200)).contains("class=\"empty\""), "{page}");
    }
    let message = parked(&bed, "<a/>").await;
    let case = case(&bed, HOSTILE, "A-1").await;
    let task = json!({ "unit": "63", "kind": "pruefen", "title": HOSTILE, "case": case,
        "due": "2020-01-01T10:00:00Z" });
    let task = id(&bed.gateway.call(&bed.token, Call::post("/tasks").json(task)).await.is(201).json());

    let desk = text(&bed.see("clerk", "/desk").await.is(200));
    let (overdue, later) = (desk.find(&task).unwrap(), desk.find(&message).unwrap());
    assert!(overdue < later && desk.contains("überfällig seit"), "{desk}");
    assert!(!desk.contains("<script>alert"), "{desk}");
    for stranger in STRANGERS {
        let desk = text(&bed.see(stranger, "/desk").await.is(200));
        assert!(!desk.contains(&task) && !desk.contains(&message), "{stranger}");
    }
    let filtered = text(&bed.see("clerk", "/desk?kind=clarification").await.is(200));
    assert!(filtered.contains(&message) && !filtered.contains(&task));

    let page = is_theirs_alone(&bed, &format!("/tasks/{task}")).await;
    assert!(page.contains(&case) && !page.contains("<script>alert"), "{page}");
    let act = |act: &str| format!("/tasks/{task}/{act}");
    bed.send("clerk-70", &act("take"), &[]).await.is(404);
    assert!(led(&bed.send("clerk", &act("take"), &[("version", "1")]).await).contains("done=taken"));
    assert!(text(&bed.see("clerk", "/desk?whose=mine").await.is(200)).contains(&task));
    bed.send("clerk", &act("complete"), &[("version", "1")]).await.is(409);
    assert!(
        led(&bed.send("clerk", &act("hand-on"), &[("version", "2"), ("unit", "70")]).await).contains("/desk")
    );
    bed.see("clerk-70", &format!("/cases/{case}")).await.is(200);
    for (visitor, does) in [("clerk", false), ("clerk-70", true)] {
        let page = text(&bed.see(visitor, &format!("/tasks/{task}")).await.is(200));
        for act in ["take", "hand-on", "complete"].map(act) {
            assert_eq!(page.contains(&act), does, "who has asked reads it: {visitor} {act}: {page}");
        }
    }
    assert!(
        led(&bed.send("clerk-70", &act("complete"), &[("result", "geprüft")]).await)
            .contains("done=completed")
    );
    let done = bed.gateway.call(&bed.token, Call::get(&format!("/tasks/{task}"))).await.is(200).json();
    assert_eq!((&done["status"], &done["result"]), (&json!("done"), &json!("geprüft")));
    let events = bed.gateway.call(&bed.token, Call::get(&format!("/tasks/{task}"))).await.is(200);
    assert!(!text(&events).contains("Erika"), "no name of a person is kept");
    bed.see("clerk-70", &format!("/cases/{case}")).await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_seen_filed_opened_anew_handed_on_and_put_away() {
    let bed = Bed::start().await;
    let case = case(&bed, "Bauantrag", "A-2").await;
    let files: Vec<(&str, &[u8])> =
        vec![("Brief.pdf", b"%PDF-1.4\n%EOF"), ("Böse.html", b"<script>alert(1)</script>")];
    let unsure = letter(&bed, "Nachtrag zum Antrag", vec![hint("A-2", 60)], files).await;
    let page = is_theirs_alone(&bed, &format!("/post/{unsure}")).await;
    assert!(page.contains(&case) && page.contains("60") && page.contains("Brief.pdf"), "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
    let act = |letter: &str, act: &str| format!("/post/{letter}/{act}");
    bed.send("clerk-70", &act(&unsure, "file"), &[("case", &case)]).await.is(404);
    let searched = text(&bed.see("clerk", &format!("/post/{unsure}?q=A-2")).await.is(200));
    assert!(searched.contains("Bauantrag"));
    let filed = bed.send("clerk", &act(&unsure, "file"), &[("case", &case), ("version", "1")]).await;
    assert!(led(&filed).contains("done=filed"));
    assert!(
        kinds_of_events(&bed, &format!("/interactions/{unsure}")).await.contains(&"record.placed".to_owned())
    );
    let whole = is_theirs_alone(&bed, &format!("/cases/{case}")).await;
    assert!(whole.contains(&unsure) && whole.contains("Nachtrag zum Antrag"), "{whole}");
    bed.send("clerk", &act(&unsure, "dismiss"), &[]).await.is(409);

    let fresh = letter(&bed, "Neues Anliegen", vec![], vec![("a.txt", b"Hallo")]).await;
    bed.send("clerk", &act(&fresh, "new-case"), &[("title", "")]).await.is(409);
    led(&bed.send("clerk", &act(&fresh, "new-case"), &[("title", HOSTILE)]).await);
    let seen = bed.gateway.call(&bed.token, Call::get(&format!("/interactions/{fresh}"))).await.json();
    let opened = seen["caseId"].as_str().unwrap().to_owned();
    assert!(!is_theirs_alone(&bed, &format!("/cases/{opened}")).await.contains("<script>alert"));

    let other = letter(&bed, "Nicht für uns", vec![], vec![("a.txt", b"Hallo")]).await;
    bed.send("clerk", &act(&other, "hand-on"), &[("unit", "99")]).await.is(409);
    led(&bed.send("clerk", &act(&other, "hand-on"), &[("unit", "70")]).await);
    bed.see("clerk", &format!("/post/{other}")).await.is(404);
    led(&bed.send("clerk-70", &act(&other, "dismiss"), &[]).await);
    let gone = bed.gateway.call(&bed.token, Call::get(&format!("/interactions/{other}"))).await.json();
    assert_eq!(gone["status"], "dismissed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_from_outside_never_runs_in_a_preview() {
    let bed = Bed::start().await;
    let svg: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    let files: Vec<(&str, &[u8])> = vec![
        ("a.pdf", b"%PDF-1.4\n%EOF"),
        ("b.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("c.pdf", svg),
        ("d.html", b"<script>alert(1)</script>"),
        ("e.zip", b"PK\x03\x04\0\0"),
        ("\"><img src=x>.pdf", b"%PDF-1.4"),
    ];
    let letter = letter(&bed, "Anlagen", vec![], files.clone()).await;
    let it = bed.gateway.call(&bed.token, Call::get(&format!("/interactions/{letter}"))).await.json();
    let document = it["documents"][0].as_str().unwrap().to_owned();
    is_theirs_alone(&bed, &format!("/documents/{document}")).await;
    for (at, (name, bytes)) in files.iter().enumerate() {
        let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let path = |act: &str| format!("/documents/{document}/{act}?name={name}");
        let preview = is_theirs_alone(&bed, &path("preview")).await;
        assert!(!preview.contains("<script>alert") && !preview.contains("<svg xmlns"), "{preview}");
        assert_eq!(preview.contains("&lt;"), at == 2 || at == 3 || at == 5, "{preview}");
        let shown = bed.see("clerk", &path("shown")).await;
        if matches!(at, 0 | 1 | 5) {
            assert_eq!(shown.status, 200);
            assert_eq!(shown.header("content-type"), if at == 1 { "image/png" } else { "application/pdf" });
            assert!(shown.header("content-disposition").starts_with("inline;"));
            assert!(shown.header("content-security-policy").starts_with("sandbox; default-src 'none'"));
        } else {
            assert_eq!(shown.status, 404, "{name}");
        }
        let kept = bed.see("clerk", &path("file")).await.is(200);
        assert_eq!((kept.body.as_slice(), kept.header("content-type")), (*bytes, "application/octet-stream"));
        for header in ["content-disposition", "content-security-policy", "x-content-type-options"] {
            let value = kept.header(header);
            let wanted = ["attachment;", "sandbox;", "nosniff"];
            assert!(wanted.iter().any(|start| value.starts_with(start)), "{header}: {value}");
        }
        for act in ["preview", "shown", "file"] {
            bed.see("operator", &path(act)).await.is(403);
            bed.see("clerk-70", &path(act)).await.is(404);
        }
    }
}

/// A form with a file, as browsers send it.
async fn upload(
    bed: &Bed,
    visitor: &str,
    path: &str,
    fields: &[(&str, &str)],
    file: Option<&[u8]>,
) -> Answer {
    let mut body = vec![];
    for (name, value) in fields {
        body.extend(
            format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    if let Some(file) = file {
        let head = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"Neu.xml\"\r\n\r\n";
        body.extend(head.bytes());
        body.extend_from_slice(file);
        body.extend(b"\r\n");
    }
    body.extend(b"--b--\r\n");
    let post = request("POST", visitor, path).header("content-type", "multipart/form-data; boundary=b");
    Gateway::ask(&bed.pages, post.body(Body::from(body)).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_message_is_explained_mended_returned_and_forwarded_by_its_unit() {
    let bed = Bed::start().await;
    let message = parked(&bed, "<a>").await;
    let path = format!("/clarifications/{message}");
    let page = is_theirs_alone(&bed, &path).await;
    for part in ["message.parked-by-hand", "lang=\"de\"", "lang=\"en\"", "bitte ansehen", "Berichtigte Datei"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    let fetched = bed.see("clerk", &format!("{path}/file")).await.is(200);
    assert_eq!(fetched.body, b"<a>");
    bed.see("operator", &format!("{path}/file")).await.is(403);

    let mend = format!("{path}/mend");
    let token = ("form", FORM);
    let send = ("act", "send");
    let good = Some(&b"<a/>"[..]);
    for fields in [&[("form", "x"), send][..], &[send, token][..], &[send][..]] {
        upload(&bed, "clerk", &mend, fields, good).await.is(403);
    }
    upload(&bed, "operator", &mend, &[token, send], good).await.is(403);
    upload(&bed, "clerk-70", &mend, &[token, send], good).await.is(404);
    upload(&bed, "clerk", &mend, &[token, send], None).await.is(403);
    let large = vec![b' '; usize::try_from(MOST_BYTES).unwrap() + 1];
    upload(&bed, "clerk", &mend, &[token, send], Some(&large)).await.is(409);
    let fields = [token, send, ("note", "berichtigt")];
    let refused = text(&upload(&bed, "clerk", &mend, &fields, good).await.is(422));
    assert!(refused.contains("message.unknown") && refused.contains("value=\"berichtigt\""), "{refused}");
    let still = bed.gateway.call(&bed.token, Call::get(&path)).await.is(200).json();
    assert_eq!(still["rule"], "message.parked-by-hand", "nothing was changed");

    led(&bed.send("clerk", &format!("{path}/resend"), &[("note", "noch einmal")]).await);
    let waiting = is_theirs_alone(&bed, &path).await;
    assert!(waiting.contains("wird verarbeitet") && waiting.contains("hx-get"), "{waiting}");
    bed.see("clerk", &format!("{path}/state")).await.is(200);
    led(&bed.send("clerk", &format!("{path}/park"), &[]).await);
    bed.send("clerk-70", &format!("{path}/return"), &[]).await.is(404);
    led(&bed.send("clerk", &format!("{path}/return"), &[("rule", "message.returned-by-hand")]).await);
    let returned = bed.gateway.call(&bed.token, Call::get(&format!("/messages/{message}"))).await.json();
    assert_eq!(returned["state"], "returned");
    let events = kinds_of_events(&bed, &format!("/messages/{message}")).await;
    assert!(events.contains(&"message.resent".to_owned()) && events.contains(&"message.returned".to_owned()));

    let other = parked(&bed, "<b/>").await;
    let forward = format!("/clarifications/{other}/forward");
    bed.send("clerk", &forward, &[("to", "bab:0")]).await.is(409);
    led(&bed.send("clerk", &forward, &[("to", "bab:05974028")]).await);
    let gone = bed.gateway.call(&bed.token, Call::get(&format!("/messages/{other}"))).await.json();
    assert_eq!(gone["forwarding"]["to"], "bab:05974028");
}

/// A claim of a case, paid online.
pub(crate) async fn paid(bed: &Bed, case: &str, cents: i64) -> String {
    let owed = json!({ "amountCents": cents, "purpose": "Gebühr" });
    let claims = format!("/cases/{case}/claims");
    let claim = id(&bed.gateway.call(&bed.token, Call::post(&claims).json(owed)).await.is(201).json());
    let begin = Call::post(&format!("/claims/{claim}/payments")).json(json!({}));
    let payment = id(&bed.gateway.call(&bed.token, begin).await.is(201).json());
    bed.gateway.till.says(TruthState::Paid);
    let url = bed.gateway.till.last().notify_url;
    let notice = axum::http::Request::post(url).body("paid".into()).unwrap();
    bed.gateway.knock(notice).await.is(200);
    let is_paid = |json: &Value| json["status"] == "paid";
    bed.gateway.until(&bed.token, &format!("/payments/{payment}"), is_paid).await;
    payment
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_followed_to_the_cash_office_and_given_back_by_two() {
    let bed = Bed::start().await;
    let workers = bed.gateway.work().await;
    let case = case(&bed, "Bauantrag", "A-3").await;
    let payment = paid(&bed, &case, 2_500).await;
    let path = format!("/payments/{payment}");
    let page = is_theirs_alone(&bed, &path).await;
    for part in
        ["25,00", "Gebühr", "Sollstellung", "Zahlungseingang gebucht", "Zahlung begonnen", "Bauantrag"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(text(&bed.see("clerk", "/payments").await.is(200)).contains(&payment));
    let it = bed.gateway.call(&bed.token, Call::get(&path)).await.is(200).json();
    let claim = Call::get(&format!("/claims/{}", it["claimId"].as_str().unwrap()));
    let claim = bed.gateway.call(&bed.token, claim).await.is(200).json();
    let found = format!("/payments?q={}", claim["cashReference"].as_str().unwrap());
    for (visitor, there) in [("clerk", true), ("cashier", true), ("clerk-70", false), ("clerk-waste", false)]
    {
        assert_eq!(text(&bed.see(visitor, &found).await.is(200)).contains(&payment), there, "{visitor}");
    }
    bed.see("operator", &path).await.is(403);
    bed.send("clerk", &format!("{path}/refunds"), &[("amount", "5"), ("reason", "zu viel")]).await.is(403);
    for amount in ["", "0", "25,01", "-1", "x"] {
        let asked = [("amount", amount), ("reason", "zu viel")];
        let again = text(&bed.send("cashier", &format!("{path}/refunds"), &asked).await.is(422));
        for part in ["Bitte prüfen Sie den Betrag.", &format!("value=\"{amount}\""), "value=\"zu viel\""] {
            assert!(again.contains(part), "{part}: {again}");
        }
    }
    let unsaid = text(&bed.send("cashier", &format!("{path}/refunds"), &[("amount", "5,00")]).await.is(422));
    assert!(unsaid.contains("Bitte prüfen Sie den Grund.") && unsaid.contains("value=\"5,00\""), "{unsaid}");
    // Where somebody may not go nothing leads, but what is there is said.
    let of_case = text(&bed.see("auditor", &format!("/cases/{case}")).await.is(200));
    assert!(of_case.contains("Zahlung über") && !of_case.contains("/payments/"), "{of_case}");
    let asked = [("amount", "5,00"), ("reason", HOSTILE)];
    let form = text(&bed.see("cashier", &path).await.is(200));
    let once = value_of(&form, "once");
    let asked = [asked[0], asked[1], ("once", &*once)];
    for _ in 0..2 {
        assert!(led(&bed.send("cashier", &format!("{path}/refunds"), &asked).await).contains("done=asked"));
    }
    let another = [("amount", "6,00"), asked[1], ("once", &*once)];
    bed.send("cashier", &format!("{path}/refunds"), &another).await.is(409);
    let shown = bed.gateway.call(&bed.token, Call::get(&path)).await.is(200).json();
    assert_eq!(shown["refunds"].as_array().unwrap().len(), 1, "a button that is pressed twice asks once");
    let refund = shown["refunds"][0]["id"].as_str().unwrap().to_owned();
    let refund = is_asked_anew(&bed, &path, &refund).await;
    let agreement = format!("{path}/refunds/{refund}/agreement");
    let own = text(&bed.see("cashier", &path).await.is(200));
    assert!(!own.contains("/agreement") && !own.contains("<script>alert"), "{own}");
    bed.send("cashier", &agreement, &[]).await.is(409);
    assert!(text(&bed.see("all", &path).await.is(200)).contains(&agreement));
    assert!(led(&bed.send("all", &agreement, &[]).await).contains("done=agreed"));
    bed.gateway.until(&bed.token, &path, |json| json["refundedCents"] == 500).await;
    assert!(text(&bed.see("clerk", &path).await.is(200)).contains("Erstattung gebucht"));
    workers.stop().await;
}

/// The refund is withdrawn by the one who asked for it, another is declined by a second one, and a third waits: its id.
async fn is_asked_anew(bed: &Bed, path: &str, refund: &str) -> String {
    let mut refund = refund.to_owned();
    for (who, act, done) in [("cashier", "Zurückziehen", "withdrawn"), ("all", "Ablehnen", "declined")] {
        let decline = format!("{path}/refunds/{refund}/decline");
        for visitor in ["cashier", "all"] {
            let page = text(&bed.see(visitor, path).await.is(200));
            assert!(page.contains(&decline) && page.contains(act) == (who == visitor), "{visitor}: {page}");
        }
        assert!(!text(&bed.see("clerk", path).await.is(200)).contains("/decline"));
        bed.send("clerk", &decline, &[("reason", "nein")]).await.is(403);
        let unsaid = text(&bed.send(who, &decline, &[]).await.is(422));
        assert!(
            unsaid.contains("Bitte prüfen Sie den Grund.") && unsaid.contains("details open"),
            "{unsaid}"
        );
        let reason = [("reason", "doch <b>geschuldet</b>")];
        assert!(led(&bed.send(who, &decline, &reason).await).contains(&format!("done={done}")));
        bed.send(who, &decline, &reason).await.is(409);
        let page = text(&bed.see("clerk", path).await.is(200));
        assert!(page.contains("doch &lt;b&gt;geschuldet") && !page.contains("Eine zweite Person"), "{page}");
        let asked = [("amount", "5,00"), ("reason", HOSTILE)];
        led(&bed.send("cashier", &format!("{path}/refunds"), &asked).await);
        let shown = bed.gateway.call(&bed.token, Call::get(path)).await.is(200).json();
        refund = id(shown["refunds"].as_array().unwrap().last().unwrap());
    }
    let line = text(&bed.see("clerk", path).await.is(200));
    assert!(
        line.contains("Erstattungsantrag zurückgezogen") && line.contains("Erstattung abgelehnt"),
        "{line}"
    );
    refund
}

#[tokio::test]
async fn cases_are_found_by_their_names_within_ones_own_units() {
    let bed = Bed::start().await;
    let case = case(&bed, "Bauantrag", "A-4711").await;
    for (visitor, there) in [
        ("clerk", true),
        ("clerk-building", true),
        ("clerk-70", false),
        ("clerk-waste", false),
        ("clerk-unna", false),
    ] {
        let newest = text(&bed.see(visitor, "/cases").await.is(200));
        assert_eq!(newest.contains("Bauantrag"), there, "{visitor}");
        for query in ["A-4711", &case] {
            let page = text(&bed.see(visitor, &format!("/cases?q={query}")).await.is(200));
            assert_eq!(page.contains("Bauantrag"), there, "{visitor} {query}");
        }
    }
    bed.see("clerk", &format!("/cases/{}", model::ids::new_id())).await.is(404);
    bed.see("clerk", "/cases/x").await.is(404);
}

#[tokio::test]
async fn a_full_page_of_a_list_leads_on_only_if_there_is_more() {
    let bed = Bed::start().await;
    for (from, to, more) in [(0, 50, false), (50, 51, true)] {
        for at in from..to {
            case(&bed, "Bauantrag", &format!("A-{at}")).await;
        }
        let page = text(&bed.see("clerk", "/cases").await.is(200));
        assert_eq!(page.contains("rel=\"next\""), more, "{to}: {page}");
    }
}

/// What a clerk mends in a browser: a container that broke off on its way, and the whole one.
pub(crate) async fn facts_of_mending(bed: &Bed) -> Value {
    let workers = bed.gateway.work().await;
    let there = bed.gateway.token("lippstadt", "*", "*", ALL_ROLES).await;
    let sound = Sound::made(&bed.gateway, &there).await;
    workers.stop().await;
    let whole = sound.and(vec![]);
    let cut = whole[..whole.len() / 2].to_vec();
    let post = Call::post(&format!("/messages?fileName={}", sound.file_name));
    let taken = bed.gateway.call(&bed.token, post.with("content-type", "application/zip").bytes(cut.clone()));
    let message = id(&taken.await.is(202).json());
    bed.gateway.call(&bed.token, Call::post(&format!("/messages/{message}/park"))).await.is(200);
    let text = |bytes: &[u8]| STANDARD.encode(bytes);
    json!({ "message": message, "name": sound.file_name, "cut": text(&cut), "whole": text(&whole) })
}

/// What a clerk decides in a browser: a letter that perhaps belongs to a case.
pub(crate) async fn facts_of_post(bed: &Bed) -> Value {
    let case = case(bed, "Nutzungsänderung Scheune", "A-9001").await;
    let files: Vec<(&str, &[u8])> = vec![("Brief.pdf", PDF), ("Notiz.txt", "Bitte um Rückruf.".as_bytes())];
    let letter = letter(bed, "Nachtrag zur Scheune", vec![hint("A-9001", 70)], files).await;
    json!({ "letter": letter, "case": case })
}

/// What is followed in a browser: a payment that arrived.
pub(crate) async fn facts_of_paying(bed: &Bed) -> Value {
    let workers = bed.gateway.work().await;
    let case = case(bed, "Bauantrag Carport", "A-9002").await;
    let payment = paid(bed, &case, 12_345).await;
    workers.stop().await;
    let line = id(&crate::statement_lines::told(bed, "Spende für das Museum").await);
    json!({ "payment": payment, "case": case, "line": line })
}
