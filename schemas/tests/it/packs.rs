//! Importing packs: what is taken, what is refused, and that it is there after a restart.
use crate::{check, shared};
use schemas::{Error, Origin, Schemas, Verdict};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

fn schema(namespace: &str, body: &str) -> String {
    format!(
        "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns:c='http://xoev.de/schemata/code/1_0' \
         targetNamespace='{namespace}'>{body}</xs:schema>"
    )
}

fn zip_of(folder: &TempDir, files: &[(&str, &[u8])]) -> PathBuf {
    let path = folder.path().join("pack.zip");
    let mut archive = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    for (name, bytes) in files {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
    path
}

const IMPORT: &str = "<xs:import namespace='http://xoev.de/schemata/code/1_0' \
     schemaLocation='http://xoev.de/schemata/code/1_0/xoev-code.xsd'/><xs:element name='a' type='c:Code'/>";

#[test]
fn a_pack_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let kept = folder.path().join("schemas");
    let pack = zip_of(&folder, &[("x/a.xsd", schema("urn:x", IMPORT).as_bytes()), ("x/readme.pdf", b"%PDF")]);
    let added = Schemas::open(&kept).unwrap().add_pack(&pack).unwrap();
    assert_eq!((added.namespaces.as_slice(), added.schemas), (["urn:x".to_owned()].as_slice(), 1));
    let again = Arc::new(Schemas::open(&kept).unwrap());
    assert_eq!(again.list()[0], added);
    assert!(check(&again, b"<x:a xmlns:x='urn:x'><code>1</code></x:a>").is_valid());
    assert!(!check(&again, b"<x:a xmlns:x='urn:x'><x:code>1</x:code></x:a>").is_valid());
    assert!(again.check_all().is_empty());
    // What was cut off while it was written does not count; an old pack is put back.
    let place = kept.join(&added.name);
    fs::create_dir(place.with_added_extension("new")).unwrap();
    fs::rename(&place, place.with_added_extension("old")).unwrap();
    assert_eq!(Schemas::open(&kept).unwrap().list()[0], added);
}

#[test]
fn a_pack_of_the_same_namespaces_is_replaced() {
    let folder = TempDir::new().unwrap();
    let schemas = Arc::new(Schemas::open(folder.path().join("schemas")).unwrap());
    for kind in ["xs:int", "xs:date"] {
        let body = format!("<xs:element name='a' type='{kind}'/>");
        let pack = zip_of(&folder, &[("a.xsd", schema("urn:x", &body).as_bytes())]);
        schemas.add_pack(&pack).unwrap();
    }
    assert_eq!(schemas.list().len(), 2);
    assert!(check(&schemas, b"<x:a xmlns:x='urn:x'>2024-01-01</x:a>").is_valid());
    assert!(!check(&schemas, b"<x:a xmlns:x='urn:x'>1</x:a>").is_valid());
}

#[test]
fn files_of_packs_are_told_in_order_and_one_that_is_lost_is_missing() {
    let folder = TempDir::new().unwrap();
    let kept = folder.path().join("schemas");
    let schemas = Schemas::open(&kept).unwrap();
    let (first, second) = (schema("urn:x", "<xs:element name='a'/>"), schema("urn:x", ""));
    let files =
        [("x/b.xsd", first.as_bytes()), ("a.xsd", second.as_bytes()), ("readme.pdf", b"%PDF".as_slice())];
    schemas.add_pack(&zip_of(&folder, &files)).unwrap();
    let other = schema("urn:y", "<xs:element name='a'/>");
    let later = schemas.add_pack(&zip_of(&folder, &[("a.xsd", other.as_bytes())])).unwrap();
    let told = |schemas: &Schemas| {
        let packs = schemas.pack_files(<[u8]>::len).into_iter();
        packs.map(|(pack, files)| (pack.name, files)).collect::<Vec<_>>()
    };
    let packs = told(&Schemas::open(&kept).unwrap());
    assert_eq!(packs[0], (later.name, vec![("a.xsd".to_owned(), other.len())]));
    assert_eq!(packs[1].1, [("a.xsd".to_owned(), second.len()), ("x/b.xsd".to_owned(), first.len())]);
    fs::remove_file(kept.join(&packs[1].0).join("a.xsd")).unwrap();
    assert_eq!(told(&schemas)[1].1, [("x/b.xsd".to_owned(), first.len())]);
}

#[test]
fn an_imported_pack_takes_precedence_over_our_own() {
    let folder = TempDir::new().unwrap();
    let schemas = Arc::new(Schemas::new());
    let (namespace, root) = ("urn:xoev-de:xdomea:schema:3.0.0", "Abgabe.Abgabe.0401");
    assert_eq!(schemas.knows(namespace, root), Some(Origin::Own));
    let body = format!("<xs:element name='{root}' type='xs:int'/>");
    schemas.add_pack(&zip_of(&folder, &[("a.xsd", schema(namespace, &body).as_bytes())])).unwrap();
    assert_eq!(schemas.knows(namespace, root), Some(Origin::Pack));
    assert_eq!(schemas.knows(namespace, "Abgabe.EmpfangBestaetigen.0403"), Some(Origin::Own));
    assert!(check(&schemas, format!("<x:{root} xmlns:x='{namespace}'>1</x:{root}>").as_bytes()).is_valid());
}

#[test]
fn a_missing_import_is_named_and_nothing_is_kept() {
    let folder = TempDir::new().unwrap();
    let kept = folder.path().join("schemas");
    let body =
        "<xs:import namespace='urn:y' schemaLocation='http://example.org/y.xsd'/><xs:element name='a'/>";
    let pack = zip_of(&folder, &[("a.xsd", schema("urn:x", body).as_bytes())]);
    let schemas = Schemas::open(&kept).unwrap();
    match schemas.add_pack(&pack).unwrap_err() {
        Error::Missing { url } => assert_eq!(url, "http://example.org/y.xsd"),
        other => panic!("{other}"),
    }
    assert_eq!(schemas.list().len(), 1);
    assert!(!kept.exists());
}

#[test]
fn a_pack_may_import_from_one_added_before() {
    let folder = TempDir::new().unwrap();
    let schemas = Arc::new(Schemas::open(folder.path().join("schemas")).unwrap());
    let base = schema("urn:y", "<xs:simpleType name='T'><xs:restriction base='xs:int'/></xs:simpleType>");
    schemas.add_pack(&zip_of(&folder, &[("types/y.xsd", base.as_bytes())])).unwrap();
    let user = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns:y='urn:y' targetNamespace='urn:x'>\
        <xs:import namespace='urn:y' schemaLocation='http://example.org/y.xsd'/><xs:element name='a' type='y:T'/></xs:schema>";
    schemas.add_pack(&zip_of(&folder, &[("a.xsd", user.as_bytes())])).unwrap();
    assert!(!check(&schemas, b"<x:a xmlns:x='urn:x'>x</x:a>").is_valid());
}

#[test]
fn a_catalogue_in_the_pack_is_used() {
    let folder = TempDir::new().unwrap();
    let catalog = "<catalog xmlns='urn:oasis:names:tc:entity:xmlns:xml:catalog'>\
        <uri name='http://example.org/other' uri='parts/c.xsd'/></catalog>";
    let body = "<xs:include schemaLocation='http://example.org/other'/><xs:element name='a' type='xs:int'/>";
    let files = [
        ("set/catalog.xml", catalog.to_owned()),
        ("set/a.xsd", schema("urn:x", body)),
        ("set/parts/c.xsd", schema("urn:x", "<xs:element name='b'/>")),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let info = Schemas::new().add_pack(&zip_of(&folder, &files)).unwrap();
    assert_eq!(info.schemas, 2);
}

#[test]
fn a_defect_is_named_with_file_and_line() {
    let folder = TempDir::new().unwrap();
    let body = "\n<xs:element name='a' type='xs:nothing'/>";
    let pack = zip_of(&folder, &[("x/a.xsd", schema("urn:x", body).as_bytes())]);
    let error = Schemas::new().add_pack(&pack).unwrap_err();
    assert!(matches!(&error, Error::Defect { file, line: 2 } if file == "x/a.xsd"), "{error:?}");
}

#[test]
fn tricks_with_zip_entries_are_refused() {
    let folder = TempDir::new().unwrap();
    let good = schema("urn:x", "<xs:element name='a'/>");
    for name in ["../a.xsd", "/a.xsd", "x/../../a.xsd", "..\\a.xsd", "C:/a.xsd", "x//a.xsd", "a\u{7}.xsd"] {
        let pack = zip_of(&folder, &[(name, good.as_bytes())]);
        let error = Schemas::new().add_pack(&pack).unwrap_err();
        assert!(matches!(error, Error::Pack { .. }), "{name}: {error}");
    }
    let bomb = vec![b' '; 20 << 20];
    let error = Schemas::new().add_pack(&zip_of(&folder, &[("a.xsd", &bomb)])).unwrap_err();
    assert!(matches!(error, Error::Pack { .. }), "{error}");
    let names: Vec<String> = (0..10_001).map(|i| format!("{i}.txt")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let error = Schemas::new().add_pack(&zip_of(&folder, &many)).unwrap_err();
    assert!(matches!(error, Error::Pack { .. }), "{error}");
    let path = folder.path().join("no.zip");
    fs::write(&path, "no ZIP").unwrap();
    assert!(matches!(Schemas::new().add_pack(&path).unwrap_err(), Error::Zip));
    assert!(matches!(
        Schemas::new().add_pack(&zip_of(&folder, &[("a.txt", b"")])).unwrap_err(),
        Error::Empty
    ));
}

#[test]
fn one_official_version_alone_can_be_imported() {
    let Some(folder) = shared("packs/xdomea/3.0.0") else { return };
    let schemas = Arc::new(Schemas::new());
    // It refers to `../xoev/xoev-code.xsd`, outside of itself.
    let info = schemas.add_pack(&folder).unwrap();
    assert_eq!(info.namespaces, ["urn:xoev-de:xdomea:schema:3.0.0"]);
    assert_eq!(info.schemas, 20);
}

#[test]
fn code_lists_are_imported_and_known_after_a_restart() {
    let Some(folder) = shared("packs/codelists/xdomea/3.0.0") else { return };
    let directory = TempDir::new().unwrap();
    let kept: &Path = directory.path();
    let schemas = Schemas::open(kept).unwrap();
    let country = "urn:xoev-de:kosit:codeliste:country-codes";
    assert_eq!(schemas.code_lists().check(country, "7", "DE"), Verdict::UnknownList);
    let info = schemas.add_pack(&folder).unwrap();
    assert_eq!((info.schemas, info.code_lists), (0, 48));
    for schemas in [schemas, Schemas::open(kept).unwrap()] {
        let lists = schemas.code_lists();
        let known: Vec<Verdict> = ["DE", "276", "XX"].map(|code| lists.check(country, "7", code)).to_vec();
        assert!(known.contains(&Verdict::Known) && known.contains(&Verdict::UnknownCode), "{known:?}");
        assert_eq!(lists.check(country, "8", "DE"), Verdict::UnknownVersion);
        assert_eq!(lists.check("urn:xoev-de:xdomea:codeliste:medium", "1.0", "001"), Verdict::Known);
    }
}
