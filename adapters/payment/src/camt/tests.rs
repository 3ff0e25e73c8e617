//! Statements as banks write them: the samples, statements made here in both forms (judged by the official schemas), containers, damage.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use model::payment::statement::{Line, Statements};
use model::{Failure, FailureKind};
use proptest::prelude::*;

use super::Camt;

/// A folder of the shared material, or `None` with a loud word.
fn shared(path: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if !folder.exists() {
        println!("SKIPPED: ../shared/{path} is absent");
        return None;
    }
    Some(folder)
}

fn lines(bytes: &[u8]) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    Camt.read(&mut Cursor::new(bytes), &mut |line| {
        lines.push(line);
        Ok(())
    })?;
    Ok(lines)
}

fn sample(name: &str) -> Option<Vec<Line>> {
    let bytes = std::fs::read(shared("samples/epayment/camt")?.join(name)).unwrap();
    Some(lines(&bytes).unwrap())
}

/// A statement of one account.
fn statement(message: &str, version: &str, entries: &str) -> String {
    let (body, statement) = match message {
        "052" => ("BkToCstmrAcctRpt", "Rpt"),
        "053" => ("BkToCstmrStmt", "Stmt"),
        _ => ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
    };
    let balance = match message {
        "053" => {
            "<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">1</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-23</Dt></Dt></Bal>"
        }
        _ => "",
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.{message}.001.{version}\"><{body}>\
         <GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-11-23T06:00:00Z</CreDtTm></GrpHdr>\
         <{statement}><Id>S-1</Id><CreDtTm>2026-11-23T06:00:00Z</CreDtTm>\
         <Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>{balance}{entries}</{statement}></{body}></Document>"
    )
}

/// An entry as version 02 or 08 has it.
fn entry(version: &str, amount: &str, direction: &str, reference: Option<&str>, details: &str) -> String {
    let status = if version == "08" { "<Cd>BOOK</Cd>" } else { "BOOK" };
    let reference = reference.map_or_else(String::new, |it| format!("<AcctSvcrRef>{it}</AcctSvcrRef>"));
    format!(
        "<Ntry><Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd><Sts>{status}</Sts>\
         <BookgDt><Dt>2026-11-23</Dt></BookgDt>{reference}\
         <BkTxCd><Prtry><Cd>NTRF+166</Cd></Prtry></BkTxCd>{details}</Ntry>"
    )
}

/// A transaction as version 02 or 08 has it.
fn transaction(version: &str, amount: &str, end_to_end: &str, rest: &str) -> String {
    let amount = match version {
        "08" => format!("<Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>"),
        _ => format!("<AmtDtls><TxAmt><Amt Ccy=\"EUR\">{amount}</Amt></TxAmt></AmtDtls>"),
    };
    format!("<TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId></Refs>{amount}{rest}</TxDtls>")
}

/// Everything that is looked at, in one statement.
fn everything(message: &str, version: &str) -> String {
    let charges = match version {
        "08" => {
            "<Chrgs><Rcrd><Amt Ccy=\"EUR\">0.30</Amt></Rcrd><Rcrd><Amt Ccy=\"EUR\">0.20</Amt></Rcrd></Chrgs>"
        }
        _ => "<Chrgs><Amt Ccy=\"EUR\">0.30</Amt></Chrgs><Chrgs><Amt Ccy=\"EUR\">0.20</Amt></Chrgs>",
    };
    let text = "<RmtInf><Ustrd>Kassenzeichen 4200000000061</Ustrd></RmtInf>";
    let structured = "<RmtInf><Strd><CdtrRefInf><Ref>RF594200000000061</Ref></CdtrRefInf></Strd></RmtInf>";
    let returned = format!("{text}<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>");
    let details = |transactions: &str| format!("<NtryDtls>{transactions}</NtryDtls>");
    let pair = transaction(version, "20.00", "e-1", structured) + &transaction(version, "35.00", "e-2", "");
    let entries = [
        entry(
            version,
            "25.00",
            "CRDT",
            Some("A1"),
            &details(&transaction(version, "25.00", "NOTPROVIDED", text)),
        ),
        entry(
            version,
            "24.50",
            "CRDT",
            Some("A2"),
            &details(&transaction(version, "25.00", "e-0", &(charges.to_owned() + text))),
        ),
        entry(version, "55.00", "CRDT", Some("A3"), &details(&pair)),
        entry(
            version,
            "30.00",
            "DBIT",
            Some("A4"),
            &details(&transaction(version, "30.00", "4200000000062", &returned)),
        )
        .replace("</CdtDbtInd><Sts>", "</CdtDbtInd><RvslInd>true</RvslInd><Sts>"),
        entry(
            version,
            "980.00",
            "CRDT",
            Some("A5"),
            "<NtryDtls><Btch><NbOfTxs>40</NbOfTxs></Btch></NtryDtls><AddtlNtryInf>Sammler</AddtlNtryInf>",
        ),
        entry(version, "7.00", "CRDT", None, ""),
    ];
    statement(message, version, &entries.concat())
}

fn shown(line: &Line) -> String {
    format!(
        "{} {}{}{} {} e={} r={} t={:?} why={} fee={} n={}",
        if line.id.len() == 32 { "digest" } else { &line.id },
        if line.credit { "+" } else { "-" },
        line.amount_cents,
        if line.reversal { " back" } else { "" },
        if line.booked { "booked" } else { "announced" },
        line.end_to_end.as_deref().unwrap_or_default(),
        line.creditor_reference.as_deref().unwrap_or_default(),
        line.text,
        line.return_reason.as_deref().unwrap_or_default(),
        line.charges_cents,
        line.transactions,
    )
}

#[test]
fn all_messages_and_versions_say_the_same() {
    for version in ["02", "08"] {
        for message in ["052", "053", "054"] {
            let found = lines(everything(message, version).as_bytes()).unwrap();
            let shown: Vec<_> = found.iter().map(shown).collect();
            assert_eq!(
                shown,
                [
                    "A1 +2500 booked e= r= t=\"Kassenzeichen 4200000000061\" why= fee=0 n=1",
                    "A2 +2450 booked e=e-0 r= t=\"Kassenzeichen 4200000000061\" why= fee=50 n=1",
                    "A3#1 +2000 booked e=e-1 r=RF594200000000061 t=\"\" why= fee=0 n=1",
                    "A3#2 +3500 booked e=e-2 r= t=\"\" why= fee=0 n=1",
                    "A4#reversal -3000 back booked e=4200000000062 r= t=\"Kassenzeichen 4200000000061\" why=AC04 fee=0 n=1",
                    "A5 +98000 booked e= r= t=\"Sammler\" why= fee=0 n=40",
                    "digest +700 booked e= r= t=\"\" why= fee=0 n=1",
                ],
                "camt.{message}.001.{version}"
            );
            assert!(found.iter().all(|line| line.iban == "DE89370400440532013000" && line.currency == "EUR"));
            assert!(found.iter().all(|line| line.booked_on.as_deref() == Some("2026-11-23")));
        }
    }
}

/// What the tests call a statement is one by the official schemas.
#[test]
fn the_statements_of_these_tests_are_valid() {
    let Some(schemas) = shared("packs/camt/iso20022") else { return };
    let folder = tempfile::tempdir().unwrap();
    for (message, version) in [("052", "08"), ("053", "02"), ("053", "08"), ("054", "02"), ("054", "08")] {
        let file = folder.path().join("statement.xml");
        std::fs::write(&file, everything(message, version)).unwrap();
        let schema = schemas.join(format!("camt.{message}.001.{version}.xsd"));
        let output =
            Command::new("xmllint").args(["--noout", "--schema"]).args([&schema, &file]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn samples_of_others_are_read() {
    let Some(found) = sample("camt053.v8.xml") else { return };
    assert_eq!(found.len(), 1);
    // The account shows 8.85 EUR, whatever the transaction says in another currency.
    let line = &found[0];
    assert_eq!((line.amount_cents, line.currency.as_str(), line.credit), (885, "EUR", true));
    assert_eq!(line.id, "AAAASESS-FP-CN_98765/01");
    assert_eq!(line.booked_on.as_deref(), Some("2014-12-31"));
    assert_eq!(line.creditor_reference.as_deref(), Some("4654654654654654"));

    // Three transactions without amounts: one line that a human has to look at.
    let found = sample("camt054.v2.xml").unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].amount_cents, found[0].transactions, found[0].credit), (20_000_000, 3, false));
    assert_eq!((&*found[0].text, &found[0].end_to_end), ("", &None));
}

#[test]
fn our_own_sample_names_every_transaction() {
    let Some(found) = sample("own-camt054-kassenzeichen.xml") else { return };
    let shown: Vec<_> = found.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            "2026112300000001 +2500 booked e= r= t=\"Kassenzeichen 4200000000061 Gebuehr 2026-000123\" why= fee=0 n=1",
            "2026112300000002#reversal -3000 back booked e=4200000000062 r= t=\"\" why=AC04 fee=0 n=1",
            "2026112300000003#1 +2500 booked e=b52e7ff4-2713-4287-817f-488bfab079 r=RF594200000000061 t=\"\" why= fee=0 n=1",
            "2026112300000003#2 +3000 booked e=x2 r= t=\"\" why= fee=0 n=1",
        ]
    );
}

#[test]
fn what_does_not_add_up_is_not_divided() {
    let pair = |rest: &str| transaction("08", "20.00", "a", rest) + &transaction("08", "35.00", "b", "");
    let whole =
        |details: &str| entry("08", "54.50", "CRDT", Some("B"), &format!("<NtryDtls>{details}</NtryDtls>"));
    let count = |details: &str| lines(statement("053", "08", &whole(details)).as_bytes()).unwrap().len();
    assert_eq!(count(&pair("")), 1, "50 cents are missing");
    let charges = "<Chrgs><TtlChrgsAndTaxAmt Ccy=\"EUR\">0.50</TtlChrgsAndTaxAmt></Chrgs>";
    assert_eq!(count(&pair(charges)), 2, "they are fees");
    let counted = format!("<Btch><NbOfTxs>3</NbOfTxs></Btch>{}", pair(charges));
    assert_eq!(count(&counted), 1, "the bank counts one more than it shows");
    let one = "<TxDtls><Refs><EndToEndId>E-1</EndToEndId></Refs><RmtInf><Ustrd>4200000000061</Ustrd></RmtInf></TxDtls>";
    let shown = |count: u32| {
        let details = format!("<Btch><NbOfTxs>{count}</NbOfTxs></Btch>{one}");
        lines(statement("053", "08", &whole(&details)).as_bytes()).unwrap().remove(0)
    };
    assert_eq!((shown(1).end_to_end.as_deref(), shown(1).text.as_str()), (Some("E-1"), "4200000000061"));
    let of_several = shown(2);
    assert_eq!((of_several.end_to_end, of_several.text, of_several.transactions), (None, String::new(), 2));
}

#[test]
fn what_is_only_announced_is_told_as_such() {
    for (version, status) in [("02", "PDNG"), ("08", "<Cd>PDNG</Cd>"), ("08", "<Prtry>X</Prtry>")] {
        let booked = if version == "08" { "<Cd>BOOK</Cd>" } else { "BOOK" };
        let text = statement("052", version, &entry(version, "1.00", "CRDT", Some("C"), ""));
        assert!(!lines(text.replace(booked, status).as_bytes()).unwrap()[0].booked, "{status}");
    }
}

#[test]
fn without_a_reference_the_same_statement_names_the_same_lines() {
    let twice = entry("08", "7.00", "CRDT", None, "").repeat(2);
    let once = statement("053", "08", &twice);
    let found = lines(once.as_bytes()).unwrap();
    assert_eq!(found, lines(once.as_bytes()).unwrap());
    assert_ne!(found[0].id, found[1].id, "two equal entries are two");
    let other = lines(once.replace("<Id>S-1</Id>", "<Id>S-2</Id>").as_bytes()).unwrap();
    assert_ne!(found[0].id, other[0].id);
    let nonref = statement("053", "08", &entry("08", "7.00", "CRDT", Some("NONREF"), ""));
    assert_eq!(lines(nonref.as_bytes()).unwrap()[0].id.len(), 32);
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_zip_holds_several_statements() {
    let one = statement("053", "08", &entry("08", "1.00", "CRDT", Some("D1"), ""));
    let two = statement("053", "02", &entry("02", "2.00", "CRDT", Some("D2"), ""));
    let found = lines(&zip(&[("a.xml", &one), ("b.XML", &two)])).unwrap();
    assert_eq!(found.iter().map(|line| &*line.id).collect::<Vec<_>>(), ["D1", "D2"]);

    let code = |bytes: &[u8]| lines(bytes).unwrap_err().code.into_owned();
    assert_eq!(code(&zip(&[("a.xml", &one), ("a.pdf", "x")])), "payment.statement-unknown");
    assert_eq!(code(&zip(&[])), "payment.statement-unknown");
    let bomb = format!("<x>{}</x>", " ".repeat(64 << 20));
    assert_eq!(code(&zip(&[("a.xml", &bomb)])), "payment.statement-broken");
    let mut cut = zip(&[("a.xml", &one)]);
    cut.truncate(cut.len() - 10);
    assert_eq!(code(&cut), "payment.statement-broken");
}

#[test]
fn other_messages_and_versions_are_refused() {
    let good = statement("053", "08", "");
    assert!(lines(good.as_bytes()).unwrap().is_empty());
    for (from, to) in [
        ("camt.053.001.08", "camt.053.001.99"),
        ("camt.053.001.08", "camt.054.001.08"),
        ("camt.053.001.08", "pain.001.001.09"),
        ("BkToCstmrStmt", "Other"),
        ("Document", "Other"),
    ] {
        let failure = lines(good.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!(
            (failure.kind, &*failure.code),
            (FailureKind::Rejected, "payment.statement-unknown"),
            "{to}"
        );
    }
    assert_eq!(lines(b"").unwrap_err().kind, FailureKind::Rejected);
}

#[test]
fn what_is_wrong_is_named_by_line_and_element() {
    let good = statement("053", "08", &entry("08", "12.34", "CRDT", Some("E"), ""));
    for (from, to, what) in [
        ("12.34", "12.345", "Amt"),
        ("12.34", "-1", "Amt"),
        ("Ccy=\"EUR\">12", ">12", "Amt"),
        ("<CdtDbtInd>CRDT</CdtDbtInd><Sts>", "<Sts>", "Ntry/CdtDbtInd"),
        ("<Sts>", "<CdtDbtInd>DBIT</CdtDbtInd><Sts>", "Ntry/CdtDbtInd"),
        ("<Sts><Cd>BOOK</Cd></Sts>", "", "Ntry/Sts"),
        ("<Dt>2026-11-23</Dt></BookgDt>", "<Dt>2026-13-23</Dt></BookgDt>", "BookgDt"),
        ("<IBAN>DE89370400440532013000</IBAN>", "", "Acct/Id"),
    ] {
        assert!(good.contains(from), "{from}");
        let failure = lines(good.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!(&*failure.code, "payment.statement-broken", "{to}");
        assert!(failure.detail.contains(what) && failure.detail.starts_with("line 2"), "{}", failure.detail);
        assert!(!failure.detail.contains("12.34") && !failure.detail.contains("DE89"), "{}", failure.detail);
    }
}

#[test]
fn what_fails_to_be_kept_fails_the_reading() {
    let text = everything("053", "08");
    let failure = Camt.read(&mut text.as_bytes(), &mut |_| Err(Failure::transient("broker.storage", "full")));
    assert_eq!(&*failure.unwrap_err().code, "broker.storage");
}

#[test]
fn names_and_accounts_of_the_other_side_are_left_out() {
    let Some(folder) = shared("samples/epayment/camt") else { return };
    let bytes = std::fs::read(folder.join("own-camt054-kassenzeichen.xml")).unwrap();
    let kept = serde_json::to_string(&lines(&bytes).unwrap()).unwrap();
    assert!(!kept.contains("Mustermann") && !kept.contains("DE02120300000000202051"));
}

/// Counts what was read of a long statement.
struct Counted<'a> {
    text: &'a [u8],
    read: std::rc::Rc<std::cell::Cell<usize>>,
}

impl std::io::Read for Counted<'_> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let count = std::io::Read::read(&mut self.text, target)?;
        self.read.set(self.read.get() + count);
        Ok(count)
    }
}

#[test]
fn lines_come_while_the_statement_is_read() {
    let entry = entry("08", "1.00", "CRDT", Some("F"), "<AddtlNtryInf>Gutschrift</AddtlNtryInf>");
    let text = statement("053", "08", &entry.repeat(20_000));
    let read = std::rc::Rc::new(std::cell::Cell::new(0));
    let mut input = Counted { text: text.as_bytes(), read: std::rc::Rc::clone(&read) };
    let (mut count, mut furthest) = (0_usize, 0_usize);
    Camt.read(&mut input, &mut |_| {
        count += 1;
        furthest = furthest.max(read.get().saturating_sub(count * entry.len()));
        Ok(())
    })
    .unwrap();
    assert_eq!(count, 20_000);
    assert!(furthest < 256 * 1024, "{furthest} bytes were read ahead");
}

proptest! {
    /// A statement with any byte changed is read or refused, and what is cut off is never taken for whole.
    #[test]
    fn damage_is_refused_or_read_but_never_a_panic(at in 0.0_f64..1.0, byte in any::<u8>(), cut in any::<bool>(), packed in any::<bool>()) {
        let text = everything("053", "08");
        let mut bytes = if packed { zip(&[("a.xml", &text)]) } else { text.into_bytes() };
        let at = (at * bytes.len() as f64) as usize;
        match cut {
            true => bytes.truncate(at),
            false => bytes[at] = byte,
        }
        let result = lines(&bytes);
        prop_assert!(!cut || result.is_err());
        if let Err(failure) = result {
            prop_assert_eq!(failure.kind, FailureKind::Rejected);
        }
    }
}
