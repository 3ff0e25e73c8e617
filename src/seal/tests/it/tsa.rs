//! A time stamp authority made by openssl for one test run; its keys are random and go with its folder. The tests of the
//! store and of the broker use this file too.

use std::{path::Path, process::Command};

use seal::timestamp::{Authorities, Request};
use tempfile::TempDir;

/// What `openssl ca` and `openssl ts` want to be told.
const CONFIGURATION: &str = "
[req]
distinguished_name = dn
prompt = no
[dn]
CN = Test
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[good]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
[not_critical]
extendedKeyUsage = timeStamping
[not_only]
extendedKeyUsage = critical,timeStamping,codeSigning
[no_purpose]
keyUsage = critical,digitalSignature
[tsa]
default_tsa = authority
[authority]
serial = serial
crypto_device = builtin
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.2
digests = sha224, sha256, sha512
accuracy = secs:1, millisecs:500
ess_cert_id_alg = ESS_DIGEST
";

/// An authority in a folder.
pub(crate) struct Tsa {
    folder: TempDir,
}

impl Tsa {
    /// One that does everything right.
    pub(crate) fn good() -> Self {
        Self::of("good", "sha256")
    }

    /// One whose certificate has these extensions, and that names it by this digest.
    pub(crate) fn of(extensions: &str, ess_digest: &str) -> Self {
        let tsa = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(tsa.path().join("tsa.cnf"), CONFIGURATION.replace("ESS_DIGEST", ess_digest)).unwrap();
        std::fs::write(tsa.path().join("serial"), "01").unwrap();
        let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config tsa.cnf";
        tsa.openssl(&format!(
            "req -x509 {new_key} -extensions root -days 30 -subj /CN=Root -keyout ca.key -out ca.pem"
        ));
        tsa.openssl(&format!("req {new_key} -subj /CN=TSA -keyout tsa.key -out tsa.csr"));
        tsa.openssl(&format!(
            "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -days 30 -extfile tsa.cnf -extensions {extensions} -out tsa.pem"
        ));
        tsa
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs openssl in the folder; it must succeed.
    pub(crate) fn openssl(&self, arguments: &str) -> String {
        let output =
            Command::new("openssl").args(arguments.split(' ')).current_dir(self.path()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Answers a request.
    pub(crate) fn answer(&self, request: &Request) -> Vec<u8> {
        self.answer_der(&request.to_der())
    }

    /// Answers a request in DER.
    pub(crate) fn answer_der(&self, request: &[u8]) -> Vec<u8> {
        std::fs::write(self.path().join("query.tsq"), request).unwrap();
        self.openssl("ts -reply -config tsa.cnf -section authority -queryfile query.tsq -out reply.tsr");
        std::fs::read(self.path().join("reply.tsr")).unwrap()
    }

    /// Stamps some bytes.
    pub(crate) fn stamp(&self, data: &[u8]) -> Vec<u8> {
        self.answer(&Request::new(data, None).unwrap())
    }

    /// The root, as an auditor has it.
    pub(crate) fn authorities(&self) -> Authorities {
        Authorities::from_pem(&std::fs::read(self.path().join("ca.pem")).unwrap()).unwrap()
    }
}
