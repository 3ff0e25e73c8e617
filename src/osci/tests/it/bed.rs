//! Keys, settings and files of the corpus.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use openssl::pkcs12::Pkcs12;
use osci::intermediary::{Intermediary, Settings};
use osci::message::Features;
use osci::transport::Limits;
use seal::algorithm::{DigestMethod, Policy, Scheme, SignatureMethod};
use seal::identity::Identity;
use seal::x509::{Certificate, Crl, Trust};

use crate::memory::Memory;

/// Password of the corpus' key files.
const PIN: &str = "123456";

/// The folder of the corpus.
pub(crate) fn corpus() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/osci");
    assert!(folder.is_dir(), "the samples must stand beside the project: {}", folder.display());
    folder
}

pub(crate) fn read(name: &str) -> Vec<u8> {
    std::fs::read(corpus().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn certificate(name: &str) -> Certificate {
    Certificate::from_der(&read(&format!("TEST-ONLY/{name}.cer"))).unwrap()
}

pub(crate) fn identity(name: &str) -> Identity {
    static OPENED: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());
    // A key file takes long to be opened, which is what it is for.
    let mut opened = OPENED.lock().unwrap();
    let pem = opened.entry(name.to_owned()).or_insert_with(|| {
        let file = Pkcs12::from_der(&read(&format!("TEST-ONLY/{name}.p12"))).unwrap().parse2(PIN).unwrap();
        let key = file.pkey.unwrap().private_key_to_pem_pkcs8().unwrap();
        [key, file.cert.unwrap().to_pem().unwrap()].concat()
    });
    Identity::from_pem(pem, "").unwrap()
}

pub(crate) fn trust() -> Trust {
    let crl = Crl::read(&read("TEST-ONLY/ca.crl")).unwrap();
    Trust::new(&[certificate("ca")]).unwrap().with_crls(vec![crl])
}

pub(crate) fn settings(policy: Policy) -> Settings {
    Settings {
        cipher: vec![identity("intermed_cipher")],
        signer: identity("intermed_signature"),
        method: SignatureMethod { scheme: Scheme::RsaPkcs1, digest: DigestMethod::Sha256 },
        inspector: Box::new(trust()),
        policy,
        must_be_signed: false,
        must_be_encrypted: false,
        limits: Limits::default(),
        features: Features::default(),
    }
}

pub(crate) fn intermediary(policy: Policy, memory: Memory) -> Intermediary<Memory> {
    Intermediary::new(settings(policy), memory)
}
