//! JOSE against the vectors of FIT-Connect and against PyPI `jwcrypto`.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, LazyLock},
};

use seal::{
    jose::{
        Algorithm, Decryptor, Encryptor, Jws, KeySet, Opened, PrivateKey, Protected, PublicKey,
        compact_bytes, decrypt, encrypt, sign,
    },
    xmlenc::Staging,
};
use serde_json::{Value, json};

const TYP: &str = "secevent+jwt";
const SECRET: &[u8] = b"{\"F60000238\":\"Mustermann\"}";

fn vector(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/fit-connect");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

static KEYS: LazyLock<Value> = LazyLock::new(|| vector("keys.TEST-ONLY.json"));

fn public(name: &str) -> PublicKey {
    PublicKey::from_value(&KEYS[name]).unwrap()
}

fn private(name: &str) -> PrivateKey {
    PrivateKey::from_json(KEYS[name].to_string().as_bytes()).unwrap()
}

fn ours() -> Arc<[PrivateKey]> {
    Arc::from([private("destination_encryption_private")])
}

fn code<T>(result: seal::Result<T>) -> &'static str {
    result.map(|_| ()).unwrap_err().code()
}

fn open(compact: &[u8], limit: u64, piece: usize) -> seal::Result<(Opened, Vec<u8>)> {
    let mut decryptor = Decryptor::new(ours(), Staging::new(0, limit))?;
    compact.chunks(piece).try_for_each(|piece| decryptor.update(piece))?;
    let opened = decryptor.finish()?;
    let mut plain = Vec::new();
    opened.plain.open().read_to_end(&mut plain).unwrap();
    Ok((opened, plain))
}

/// The answer of jwcrypto; nothing where there is no Python with it.
fn judge(task: &Value) -> Option<Value> {
    let named = std::env::var_os("AMTSBOTE_TEST_ZEEP").map(PathBuf::from);
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    let python = named.unwrap_or_else(|| target.join("zeep/bin/python3"));
    let has = Command::new(&python).args(["-c", "import jwcrypto"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|it| it.success()) {
        eprintln!("SKIPPED: there is no Python with jwcrypto");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jose_judge.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(task.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "jwcrypto refuses it");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn the_submission_of_the_vectors_is_decrypted_and_has_its_tags_and_hashes() {
    let vector = vector("submission-json.json");
    let metadata = vector["submission"]["encryptedMetadata"].as_str().unwrap();
    let (opened, plain) = open(metadata.as_bytes(), 100_000, 7).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&plain).unwrap(), vector["plain_metadata"]);
    assert_eq!(opened.tag, vector["authenticationTags"]["metadata"]);
    assert_eq!(opened.media_type.as_deref(), Some("application/json"));
    for (id, jwe) in vector["encryptedAttachments"].as_object().unwrap() {
        let (opened, _) = open(jwe.as_str().unwrap().as_bytes(), 100_000, 1_000).unwrap();
        let listed = vector["plain_metadata"]["contentStructure"]["attachments"].as_array().unwrap();
        let listed = listed.iter().find(|one| one["attachmentId"] == **id).unwrap();
        assert_eq!(opened.sha512, listed["hash"]["content"]);
        assert_eq!(opened.tag, vector["authenticationTags"]["attachments"][id]);
    }
}

#[test]
fn what_we_encrypt_is_decrypted_by_jwcrypto_and_has_the_length_that_was_told() {
    let key = public("destination_encryption_public");
    let (token, sealed) = encrypt(&key, "application/json", SECRET).unwrap();
    assert_eq!(token.len() as u64, compact_bytes(&key, "application/json", SECRET.len() as u64));
    assert!(token.ends_with(&format!(".{}", sealed.tag)));
    let task = json!({ "do": "decrypt", "token": token, "key": KEYS["destination_encryption_private"] });
    let Some(answer) = judge(&task) else { return };
    assert_eq!(answer["plain"], std::str::from_utf8(SECRET).unwrap());
    assert_eq!(answer["header"]["cty"], "application/json");
    assert_eq!(answer["header"]["kid"], key.kid());
}

#[test]
fn what_jwcrypto_encrypts_is_decrypted_deflated_and_under_a_thumbprint_too() {
    let key = public("destination_encryption_public");
    let text = "Wohnsitz ".repeat(30_000);
    for (zip, kid) in
        [(false, key.kid().to_owned()), (true, key.kid().to_owned()), (true, key.thumbprint().unwrap())]
    {
        let task = json!({ "do": "encrypt", "plain": text, "zip": zip, "kid": kid,
            "key": KEYS["destination_encryption_public"] });
        let Some(answer) = judge(&task) else { return };
        let token = answer["token"].as_str().unwrap();
        let (opened, plain) = open(token.as_bytes(), 1_000_000, 333).unwrap();
        assert_eq!((plain == text.as_bytes(), opened.kid), (true, kid));
        // What inflates to more than it may is not taken, however short it is.
        assert_eq!(code(open(token.as_bytes(), 100_000, 333)), "encryption.too-large");
    }
}

#[test]
fn whatever_is_wrong_with_key_ciphertext_or_tag_is_one_error() {
    let (token, _) = encrypt(&public("destination_encryption_public"), "application/json", SECRET).unwrap();
    let segments: Vec<&str> = token.split('.').collect();
    let changed = |at: usize| {
        let mut all: Vec<String> = segments.iter().map(|text| (*text).to_owned()).collect();
        let other = if all[at].starts_with('A') { "B" } else { "A" };
        all[at].replace_range(..1, other);
        all.join(".")
    };
    for at in 1..5 {
        assert_eq!(code(open(changed(at).as_bytes(), 1_000, 100)), "encryption.failed", "segment {at}");
    }
    let (other, _) = encrypt(&public("sender_reply_public"), "application/json", SECRET).unwrap();
    assert_eq!(code(open(other.as_bytes(), 1_000, 100)), "encryption.failed");
    // The same key id over another key: the content key cannot be unwrapped, and nothing tells so.
    let foreign = PrivateKey::new(
        private("destination_encryption_private").kid(),
        Algorithm::RsaOaep256,
        private("sender_reply_private").key().to_owned(),
    );
    assert_eq!(code(decrypt(&Arc::from([foreign.unwrap()]), token.as_bytes(), 1_000)), "encryption.failed");
}

#[test]
fn what_is_no_jwe_is_malformed_and_other_algorithms_are_forbidden() {
    let (token, sealed) =
        encrypt(&public("destination_encryption_public"), "application/json", SECRET).unwrap();
    let rest = token.split_once('.').unwrap().1;
    let with = |header: Value| {
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
        format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()))
    };
    let kid = private("destination_encryption_private").kid().to_owned();
    for (alg, enc) in
        [("RSA1_5", "A256GCM"), ("RSA-OAEP", "A256GCM"), ("dir", "A256GCM"), ("RSA-OAEP-256", "A128GCM")]
    {
        let token = with(json!({ "alg": alg, "enc": enc, "kid": kid }));
        assert_eq!(code(open(token.as_bytes(), 1_000, 100)), "algorithm.forbidden", "{alg} {enc}");
    }
    for (name, value) in [("crit", json!(["exp"])), ("zip", json!("GZIP"))] {
        let mut header = json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": kid });
        header[name] = value;
        assert_eq!(code(open(with(header).as_bytes(), 1_000, 100)), "jose.malformed", "{name}");
    }
    let without_tag = token.strip_suffix(&sealed.tag).unwrap().to_owned();
    let long = "A".repeat(100_000);
    for wrong in
        ["", "a.b.c", &without_tag, &format!("{token}A"), &format!("{token}."), &format!("{token}\n"), &long]
    {
        assert_eq!(code(open(wrong.as_bytes(), 1_000, 100)), "jose.malformed");
    }
}

#[test]
fn many_megabytes_go_through_in_pieces() {
    let key = public("destination_encryption_public");
    let mut encryptor = Encryptor::new(&key, "application/pdf", Vec::new()).unwrap();
    let mut decryptor = Decryptor::new(ours(), Staging::new(0, 1 << 30)).unwrap();
    let piece = vec![0x2a; 100_001];
    for _ in 0..100 {
        encryptor.update(&piece).unwrap();
        decryptor.update(&std::mem::take(encryptor.sink_mut())).unwrap();
    }
    let (rest, sealed) = encryptor.finish().unwrap();
    decryptor.update(&rest).unwrap();
    let opened = decryptor.finish().unwrap();
    assert!(opened.plain.is_in_file());
    assert_eq!(opened.plain.length(), sealed.plain_bytes);
    assert_eq!((opened.sha512, opened.tag), (sealed.sha512, sealed.tag));
}

#[test]
fn our_signatures_are_verified_by_jwcrypto_and_its_ones_by_us() {
    let payload = r#"{"iss":"879ee109-a690-4db8-ab32-424284184d7d"}"#;
    let set = private("destination_signature_private");
    let vapid = PrivateKey::random("vapid-1", Algorithm::Es256).unwrap();
    let author = PrivateKey::new("author", Algorithm::Rs512, set.key().to_owned()).unwrap();
    for (key, algorithm) in
        [(&set, Algorithm::Ps512), (&author, Algorithm::Rs512), (&vapid, Algorithm::Es256)]
    {
        let protected = Protected { typ: Some(TYP), kid: Some(key.kid()) };
        let token = sign(key, protected, payload.as_bytes()).unwrap();
        let public = key.public().unwrap();
        let read = Jws::read(&token, algorithm, TYP).unwrap();
        assert_eq!(read.verify(&public).unwrap(), payload.as_bytes());
        let json = public.to_json().unwrap();
        assert!(PublicKey::from_value(&json).is_ok());
        let Some(answer) = judge(&json!({ "do": "verify", "token": token, "key": json })) else { return };
        assert_eq!((&answer["payload"], &answer["header"]["typ"]), (&json!(payload), &json!(TYP)));
    }
    let header = json!({ "alg": "PS512", "typ": TYP, "kid": set.kid() });
    let task = json!({ "do": "sign", "payload": payload, "header": header,
        "key": KEYS["destination_signature_private"] });
    let Some(answer) = judge(&task) else { return };
    let token = answer["token"].as_str().unwrap();
    let key = public("destination_signature_public");
    assert_eq!(Jws::read(token, Algorithm::Ps512, TYP).unwrap().verify(&key).unwrap(), payload.as_bytes());
}

#[test]
fn a_token_is_of_the_algorithm_type_and_key_that_are_expected_or_nothing() {
    let negative = vector("sets-negative.json");
    let token = |at: usize| negative["items"][at]["set"].as_str().unwrap();
    let key = public("destination_signature_public");
    assert_eq!(code(Jws::read(token(0), Algorithm::Ps512, TYP)), "algorithm.forbidden");
    assert_eq!(code(Jws::read(token(1), Algorithm::Ps512, TYP)), "jose.malformed");
    // Signed by the delivery service: no key of the destination has that id, and its own is no key of the destination.
    let of_service = || Jws::read(token(2), Algorithm::Ps512, TYP).unwrap();
    assert_eq!(code(of_service().verify(&key)), "jose.signature");
    let service = KeySet::from_json(KEYS["delivery_service_jwks"].to_string().as_bytes()).unwrap();
    let found = service.find(of_service().kid().unwrap(), Algorithm::Ps512).unwrap();
    assert!(of_service().verify(found).is_ok());
    assert!(service.find(found.kid(), Algorithm::Rs512).is_none());
    let signed = token(3);
    assert!(Jws::read(signed, Algorithm::Ps512, TYP).unwrap().verify(&key).is_ok());
    let (head, signature) = signed.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let wrong = format!("{head}.{flipped}{}", &signature[1..]);
    assert_eq!(code(Jws::read(&wrong, Algorithm::Ps512, TYP).unwrap().verify(&key)), "jose.signature");
    for malformed in ["", "a.b", "..", &format!("{signed}."), &format!("{signed}=")] {
        assert_eq!(code(Jws::read(malformed, Algorithm::Ps512, TYP)), "jose.malformed", "{malformed}");
    }
}

#[test]
fn a_jwk_says_what_it_is_for_and_is_long_enough() {
    let good = &KEYS["destination_encryption_public"];
    let with = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        code(PublicKey::from_value(&key))
    };
    for (name, value) in [
        ("key_ops", json!(["wrapKey", "encrypt"])),
        ("key_ops", json!(["verify"])),
        ("key_ops", Value::Null),
        ("alg", json!("RSA-OAEP")),
        ("alg", json!("PS512")),
        ("kty", json!("EC")),
        ("kid", json!("")),
        ("kid", Value::Null),
        ("e", json!("Aw")),
        ("n", json!("qvdJdUrQWxBarpopgbn7J58PBPVHY9bL8deW6HXESMY")),
        ("n", json!("q+dJ")),
        ("d", json!("AQAB")),
        ("x5c", json!(["AAAA", "%"])),
    ] {
        assert!(["jose.key", "certificate.malformed"].contains(&with(name, value)), "{name}");
    }
    let mut private = KEYS["destination_encryption_private"].clone();
    private["d"] = KEYS["destination_signature_private"]["d"].clone();
    assert_eq!(code(PrivateKey::from_json(private.to_string().as_bytes())), "jose.key");
    private["key_ops"] = json!(["sign"]);
    assert_eq!(code(PrivateKey::from_json(private.to_string().as_bytes())), "jose.key");
    assert_eq!(code(KeySet::from_json(b"[]")), "jose.key");
    let set = json!({ "keys": [good, { "kty": "oct" }, 7] });
    assert_eq!(KeySet::from_json(set.to_string().as_bytes()).unwrap().keys().len(), 1);
    let mut without = good.clone();
    without.as_object_mut().unwrap().remove("key_ops");
    for (purpose, taken) in [(None, 1), (Some("enc"), 1), (Some("sig"), 0), (Some("Enc"), 0)] {
        if let Some(purpose) = purpose {
            without["use"] = json!(purpose);
        }
        let set = json!({ "keys": [without] });
        let found = KeySet::from_json(set.to_string().as_bytes()).unwrap();
        assert_eq!(found.keys().len(), taken, "{purpose:?}");
        assert_eq!(code(PublicKey::from_value(&without)), "jose.key", "alone it says what it is for");
    }
    // RFC 7638 section 3.1.
    let vapid = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "v", "key_ops": ["verify"],
        "x": "DGRs-NNFx9Dc9sFRcaVrzSL4Fn7tpyNqCuqPQxDTzpg", "y": "AA" });
    assert_eq!(code(PublicKey::from_value(&vapid)), "jose.key");
}

proptest::proptest! {
    #[test]
    fn whatever_comes_is_an_error_and_never_a_panic(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        text in "[A-Za-z0-9_.=-]{0,200}",
    ) {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let mut decryptor = Decryptor::new(Arc::from([]), Staging::new(0, 1_000)).unwrap();
            proptest::prop_assert!(decryptor.update(bytes).and_then(|()| decryptor.finish()).is_err());
            proptest::prop_assert!(PublicKey::from_json(bytes).is_err());
            proptest::prop_assert!(PrivateKey::from_json(bytes).is_err());
        }
        proptest::prop_assert!(Jws::read(&text, Algorithm::Ps512, TYP).is_err());
    }
}
