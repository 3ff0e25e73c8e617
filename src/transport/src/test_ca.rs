//! For tests: a certification authority made with OpenSSL's own tool, which is independent of ours.

use std::path::Path;
use std::process::Command;

use seal::x509::{Certificate, Crl, Trust};
use tempfile::TempDir;

/// `good` and `other` are valid, `bad` is revoked.
pub(crate) struct TestCa(TempDir);

impl TestCa {
    pub(crate) fn build() -> Self {
        let ca = TestCa(tempfile::tempdir().unwrap());
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        ca.openssl(&format!(
            "req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca -days 9 -addext keyUsage=critical,keyCertSign,cRLSign"
        ));
        let mut index = String::new();
        for (serial, name) in [(1, "good"), (2, "bad"), (3, "other")] {
            ca.openssl(&format!("req -new {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
            ca.openssl(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -set_serial {serial} -days 9 -out {name}.pem"
            ));
            let (state, since) = if name == "bad" { ("R", "260101000000Z") } else { ("V", "") };
            index += &format!("{state}\t491231235959Z\t{since}\t0{serial}\tunknown\t/CN={name}\n");
        }
        std::fs::write(ca.path().join("index.txt"), index).unwrap();
        std::fs::write(
            ca.path().join("ca.cnf"),
            "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ndefault_md=sha256\n",
        )
        .unwrap();
        ca
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn openssl(&self, arguments: &str) {
        let done =
            Command::new("openssl").args(arguments.split(' ')).current_dir(self.path()).output().unwrap();
        assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
    }

    pub(crate) fn certificate(&self, name: &str) -> Certificate {
        let pem = std::fs::read(self.path().join(format!("{name}.pem"))).unwrap();
        Certificate::all_from_pem(&pem).unwrap().remove(0)
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::new(&[self.certificate("ca")]).unwrap()
    }

    pub(crate) fn list(&self) -> Crl {
        self.openssl("ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.pem -crldays 9 -out ca.crl");
        Crl::read(&std::fs::read(self.path().join("ca.crl")).unwrap()).unwrap()
    }
}
