//! Lines of bank statements that fit no claim: the cash office alone sees them, says what they are, by two where the house wants that, and
//! about what the page showed.

use serde_json::{Value, json};

use crate::bed::Bed;
use crate::desk::{HOSTILE, case, id, led, paid, text, value_of};
use crate::gateway::Call;

const LINES: &str = "/accounts/gebuehren/statement-lines";

/// Takes a statement with one line of 25 euros and this text; gives the line.
pub(crate) async fn told(bed: &Bed, words: &str) -> Value {
    let statement = Call::post("/accounts/gebuehren/statements").with("content-type", "application/xml");
    bed.gateway.call(&bed.token, statement.bytes(words.to_owned())).await.is(200);
    let listed = bed.gateway.call(&bed.token, Call::get(&format!("{LINES}?limit=200"))).await.is(200).json();
    let mut lines = listed["items"].as_array().unwrap().iter();
    lines.find(|line| line["body"]["text"] == words).expect("the line was taken").clone()
}

/// The line as it stands now.
async fn now(bed: &Bed, line: &str) -> Value {
    let listed = bed.gateway.call(&bed.token, Call::get(&format!("{LINES}?limit=200"))).await.is(200).json();
    let mut lines = listed["items"].as_array().unwrap().iter();
    lines.find(|it| it["id"] == line).unwrap().clone()
}

/// A claim of 25 euros: its id and its Kassenzeichen.
async fn owed(bed: &Bed, case: &str) -> (String, String) {
    let owed = json!({ "amountCents": 2_500, "purpose": "Gebühr" });
    let claim = Call::post(&format!("/cases/{case}/claims")).json(owed);
    let claim = bed.gateway.call(&bed.token, claim).await.is(201).json();
    (id(&claim), claim["cashReference"].as_str().unwrap().to_owned())
}

fn page_of(line: &str) -> String {
    format!("/statement-lines/gebuehren/{line}")
}

#[tokio::test]
async fn a_line_that_fits_nothing_waits_for_the_cash_office_of_its_account_alone() {
    let bed = Bed::start().await;
    let empty = text(&bed.see("cashier", "/statement-lines").await.is(200));
    assert!(empty.contains("class=\"empty\"") && empty.contains("Hier gibt es keinen Umsatz."), "{empty}");
    assert!(!text(&bed.see("cashier", "/desk").await.is(200)).contains("die warten"));
    let line = id(&told(&bed, HOSTILE).await);
    let list = text(&bed.see("cashier", "/statement-lines").await.is(200));
    for part in [&*line, "25,00", "30. November 2026", "nennt nichts Bekanntes", "&lt;script&gt;alert"] {
        assert!(list.contains(part), "{part}: {list}");
    }
    let page = text(&bed.see("cashier", &page_of(&line)).await.is(200));
    assert!(page.contains("beiseitelegen") && page.contains("25,00"), "{page}");
    assert!(!list.contains("<script>alert") && !page.contains("<script>alert"), "{page}");
    let desk = text(&bed.see("cashier", "/desk").await.is(200));
    assert!(desk.contains("Umsätze der Kontoauszüge, die warten</a>: 1"), "{desk}");
    let english = text(&bed.see("cashier", &format!("{}?lang=en", page_of(&line))).await.is(200));
    assert!(english.contains("What is this line?") && english.contains("30 November 2026"), "{english}");

    // The account of the test is the whole tenant's.
    for stranger in ["cashier-70", "cashier-unna"] {
        let list = text(&bed.see(stranger, "/statement-lines").await.is(200));
        assert!(list.contains("class=\"empty\"") && !list.contains(&line), "{stranger}: {list}");
        bed.see(stranger, &page_of(&line)).await.is(404);
        assert!(!text(&bed.see(stranger, "/desk").await.is(200)).contains("die warten"), "{stranger}");
        let ignore = [("decision", "\"ignore\""), ("shown", "1")];
        bed.send(stranger, &format!("{}/decision", page_of(&line)), &ignore).await.is(404);
    }
    for other in ["clerk", "operator", "auditor"] {
        for path in ["/statement-lines", &page_of(&line)] {
            bed.see(other, path).await.is(403);
        }
        bed.send(other, &format!("{}/decision", page_of(&line)), &[("decision", "\"ignore\"")]).await.is(403);
    }
    for path in [
        "/statement-lines/anderes/".to_owned() + &line,
        page_of("x"),
        page_of(&model::ids::new_id().to_string()),
    ] {
        bed.see("cashier", &path).await.is(404);
    }
    assert_eq!(now(&bed, &line).await["state"], "unmatched");
}

#[tokio::test]
async fn two_say_what_a_line_is_about_what_its_page_showed() {
    let bed = Bed::careful().await;
    let case = case(&bed, "Bauantrag", "A-7").await;
    let (claim, reference) = owed(&bed, &case).await;
    let line = id(&told(&bed, "Miete").await);
    let (path, decide) = (page_of(&line), format!("{}/decision", page_of(&line)));
    assert!(!text(&bed.see("cashier", &path).await.is(200)).contains(&claim));
    let found = text(&bed.see("cashier", &format!("{path}?q={reference}")).await.is(200));
    assert!(found.contains(&format!("claim-{claim}")) && found.contains(&reference), "{found}");
    let nothing = text(&bed.see("cashier", &format!("{path}?q=4711")).await.is(200));
    assert!(nothing.contains("Nichts gefunden"), "{nothing}");

    let towards = json!({ "claim": claim }).to_string();
    let (once, shown) = (value_of(&found, "once"), value_of(&found, "shown"));
    let first = [("decision", &*towards), ("shown", &*shown), ("once", &*once)];
    for _ in 0..2 {
        let to = bed.send("cashier", &decide, &first).await;
        assert!(led(&to).contains("done=asked"), "a button that is pressed twice asks once");
    }
    let waits = text(&bed.see("cashier", &path).await.is(200));
    assert!(waits.contains("Eine zweite Person muss dasselbe entscheiden."), "{waits}");
    assert!(!waits.contains("Wie oben vorgeschlagen"), "{waits}");
    assert!(text(&bed.see("all", "/statement-lines").await.is(200)).contains("zweite Person fehlt"));

    // Who looked before knows nothing of what was asked for.
    let old = text(&bed.send("all", &decide, &first[..2]).await.is(409));
    assert!(old.contains("model.wrong-state"), "{old}");
    let shown = value_of(&waits, "shown");
    let again = [("decision", &*towards), ("shown", &*shown)];
    let same = text(&bed.send("cashier", &decide, &again).await.is(409));
    assert!(same.contains("model.second-person"), "{same}");
    let second = text(&bed.see("all", &path).await.is(200));
    for part in ["Vorgeschlagen", "Wie oben vorgeschlagen", "Gebühr", &reference] {
        assert!(second.contains(part), "{part}: {second}");
    }
    assert_eq!(now(&bed, &line).await["state"], "unmatched", "nothing is done before somebody agrees");
    assert!(led(&bed.send("all", &decide, &again).await).contains("done=decided"));
    bed.send("all", &decide, &again).await.is(409);

    let paid = bed.gateway.call(&bed.token, Call::get(&format!("/claims/{claim}"))).await.is(200).json();
    assert_eq!(paid["status"], "paid");
    assert!(!text(&bed.see("cashier", "/statement-lines").await.is(200)).contains(&line));
    assert!(text(&bed.see("cashier", "/statement-lines?state=matched").await.is(200)).contains(&line));
    let payment = now(&bed, &line).await["payment"].as_str().unwrap().to_owned();
    let done = text(&bed.see("cashier", &path).await.is(200));
    assert!(done.contains(&format!("/payments/{payment}")) && !done.contains("/decision"), "{done}");
    let followed = text(&bed.see("cashier", &format!("/payments/{payment}")).await.is(200));
    assert!(followed.contains(&path), "{followed}");
    assert!(!text(&bed.see("clerk", &format!("/payments/{payment}")).await.is(200)).contains(&path));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_to_say_the_same_sees_which_payments_are_meant() {
    let bed = Bed::careful().await;
    let workers = bed.gateway.work().await;
    let case = case(&bed, "Bauantrag", "A-9").await;
    let payment = paid(&bed, &case, 2_500).await;
    let path = page_of(&id(&told(&bed, "Auszahlung").await));
    let page = async |who: &str| text(&bed.see(who, &path).await.is(200));
    assert!(!page("all").await.contains(&payment));
    let chosen = [("decision", "chosen"), ("settles", &*payment), ("shown", "1")];
    assert!(led(&bed.send("cashier", &format!("{path}/decision"), &chosen).await).contains("done=asked"));
    let second = page("all").await;
    assert!(second.contains(&format!("/payments/{payment}")) && second.contains("Wie oben"), "{second}");
    workers.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_the_money_of_payments_or_none_of_ours_and_never_what_it_cannot_be() {
    let bed = Bed::start().await;
    let workers = bed.gateway.work().await;
    let case = case(&bed, "Bauantrag", "A-8").await;
    let payment = paid(&bed, &case, 2_500).await;
    let it = bed.gateway.call(&bed.token, Call::get(&format!("/payments/{payment}"))).await.is(200).json();
    let owed_by_it = Call::get(&format!("/claims/{}", it["claimId"].as_str().unwrap()));
    let of_it = bed.gateway.call(&bed.token, owed_by_it).await.is(200).json();
    let reference = of_it["cashReference"].as_str().unwrap();

    let line = id(&told(&bed, "Auszahlung").await);
    let (path, decide) = (page_of(&line), format!("{}/decision", page_of(&line)));
    let found = text(&bed.see("cashier", &format!("{path}?q={reference}")).await.is(200));
    assert!(found.contains(&format!("settles-{payment}")), "{found}");
    let shown = value_of(&found, "shown");
    for (fields, part) in [
        (vec![], "Bitte wählen Sie"),
        (vec![("decision", "keep")], "Bitte wählen Sie"),
        (vec![("decision", "chosen")], "Bitte wählen Sie"),
        (vec![("decision", "chosen"), ("settles", "x")], "Bitte wählen Sie"),
        (vec![("decision", "chosen"), ("settles", &*line)], "Von diesen Zahlungen"),
        (vec![("decision", "{\"claim\":\"019a0000-0000-7000-8000-000000000001\"}")], "Zu dieser Forderung"),
    ] {
        let fields = [fields, vec![("shown", &*shown), ("q", reference)]].concat();
        let again = text(&bed.send("cashier", &decide, &fields).await.is(422));
        assert!(again.contains(part) && again.contains(&format!("settles-{payment}")), "{part}: {again}");
    }
    let chosen = [("decision", "chosen"), ("settles", &*payment), ("shown", &*shown)];
    assert!(led(&bed.send("cashier", &decide, &chosen).await).contains("done=decided"));
    assert_eq!(now(&bed, &line).await["state"], "settled");
    let done = text(&bed.see("cashier", &path).await.is(200));
    assert!(done.contains(&format!("/payments/{payment}")), "{done}");
    let followed = text(&bed.see("cashier", &format!("/payments/{payment}")).await.is(200));
    assert!(followed.contains(&path), "a payout is found by its payments, too: {followed}");

    let (one, other) = (owed(&bed, &case).await, owed(&bed, &case).await);
    let both = id(&told(&bed, &format!("Gebühr {} und {}", one.1, other.1)).await);
    let page = text(&bed.see("cashier", &page_of(&both)).await.is(200));
    for part in ["nennt mehreres", &one.0, &other.0] {
        assert!(page.contains(part), "what it names is offered, {part}: {page}");
    }
    let ignore = [("decision", "\"ignore\""), ("shown", "1")];
    led(&bed.send("cashier", &format!("{}/decision", page_of(&both)), &ignore).await);
    assert_eq!(now(&bed, &both).await["state"], "ignored");
    let aside = text(&bed.see("cashier", "/statement-lines?state=ignored").await.is(200));
    assert!(aside.contains(&both) && !aside.contains(&line), "{aside}");
    workers.stop().await;
}

#[tokio::test]
async fn a_full_page_of_lines_leads_on_only_if_there_is_more() {
    let bed = Bed::start().await;
    for (from, to, more) in [(0, 50, false), (50, 51, true)] {
        for at in from..to {
            told(&bed, &format!("Umsatz {at}")).await;
        }
        let page = text(&bed.see("cashier", "/statement-lines").await.is(200));
        assert_eq!(page.contains("rel=\"next\""), more, "{to}: {page}");
    }
}
