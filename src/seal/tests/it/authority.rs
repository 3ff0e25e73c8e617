//! A certification authority made by the openssl program, in a folder of its own.

use std::path::{Path, PathBuf};

use seal::x509::{Certificate, Crl};

use crate::identities::openssl;

const CONFIGURATION: &str = "
[ca]
default_ca = here
[here]
dir = .
database = index.txt
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 3650
default_crl_days = 30
policy = any
unique_subject = no
crl_extensions = of_crl
[any]
C = optional
O = optional
CN = supplied
[req]
distinguished_name = empty
[empty]
[of_crl]
authorityKeyIdentifier = keyid
[of_point]
issuingDistributionPoint = critical,@point
[point]
fullname = URI:http://a.invalid/a.crl
[of_users]
issuingDistributionPoint = critical,@users
[users]
onlyuser = TRUE
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[sub]
basicConstraints = critical,CA:true,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[no_signer]
basicConstraints = critical,CA:true
keyUsage = critical,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
[cipher]
basicConstraints = critical,CA:false
keyUsage = critical,keyEncipherment
[point_leaf]
basicConstraints = critical,CA:false
crlDistributionPoints = URI:http://a.invalid/a.crl
[responder]
basicConstraints = critical,CA:false
extendedKeyUsage = OCSPSigning
";

pub(crate) const P256: &str = "ec -pkeyopt ec_paramgen_curve:P-256";

/// Its files: `ca.pem`, `ca.key`, and those of what it issued.
pub(crate) struct Authority(PathBuf);

impl Authority {
    /// A root with this common name.
    pub(crate) fn root(parent: &Path, name: &str) -> Self {
        let own = Self::folder(parent, name);
        let new = format!("req -x509 -new -newkey {P256} -nodes -keyout ca.key -out ca.pem -days 3650");
        own.openssl(&format!("{new} -subj /C=DE/O=Test/CN={name} -config ca.cnf -extensions root"));
        own
    }

    /// An authority under this one.
    pub(crate) fn sub(&self, parent: &Path, name: &str, section: &str) -> Self {
        let own = Self::folder(parent, name);
        self.issue(name, section, P256, "");
        for (from, to) in [("pem", "ca.pem"), ("key", "ca.key")] {
            std::fs::copy(self.0.join(format!("{name}.{from}")), own.0.join(to)).unwrap();
        }
        own
    }

    fn folder(parent: &Path, name: &str) -> Self {
        let own = Authority(parent.join(name));
        std::fs::create_dir(&own.0).unwrap();
        for (file, text) in [("ca.cnf", CONFIGURATION), ("index.txt", ""), ("serial", "1000\n")] {
            std::fs::write(own.0.join(file), text).unwrap();
        }
        own
    }

    pub(crate) fn openssl(&self, arguments: &str) -> Vec<u8> {
        openssl(&self.0, arguments)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    /// Issues a certificate with this name, extensions and kind of key.
    pub(crate) fn issue(&self, name: &str, section: &str, key: &str, more: &str) -> Certificate {
        let request = format!("req -new -newkey {key} -nodes -keyout {name}.key -out {name}.csr");
        self.openssl(&format!("{request} -subj /C=DE/O=Test/CN={name} -config ca.cnf"));
        let issue =
            format!("ca -batch -notext -config ca.cnf -in {name}.csr -out {name}.pem -extensions {section}");
        self.openssl(format!("{issue} {more}").trim_end());
        self.certificate(name)
    }

    pub(crate) fn certificate(&self, name: &str) -> Certificate {
        let pem = std::fs::read(self.path(&format!("{name}.pem"))).unwrap();
        Certificate::all_from_pem(&pem).unwrap().remove(0)
    }

    pub(crate) fn own(&self) -> Certificate {
        self.certificate("ca")
    }

    pub(crate) fn revoke(&self, name: &str) {
        self.openssl(&format!("ca -config ca.cnf -revoke {name}.pem"));
    }

    pub(crate) fn crl(&self, more: &str) -> Crl {
        self.openssl(format!("ca -config ca.cnf -gencrl -out ca.crl {more}").trim_end());
        Crl::read(&std::fs::read(self.path("ca.crl")).unwrap()).unwrap()
    }
}
