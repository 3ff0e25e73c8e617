//! Distinguished names as text, judged by the JDK.

use std::{path::Path, process::Command};

use seal::x509::Certificate;

/// Everything that has to be escaped, and types without a keyword.
const SUBJECTS: [&str; 6] = [
    "/C=DE/O=Kreis, Amt + Co/OU=a=b<c>;d/CN=\"Zitat\" \\\\ Ende",
    "/C=DE/CN=# vorn/L= Rand /ST=NRW/street=Weg 1",
    "/DC=de/DC=kreis/UID=u1/CN=Mueller äöüß €",
    "/C=DE/emailAddress=a@example.org/serialNumber=4711/GN=Eva/SN=Maus/CN=Eva Maus",
    "/C=DE/O=Kreis+OU=Amt+CN=drei in einem",
    "/CN=a  b",
];

const REQUEST: &str = "req -x509 -new -nodes -keyout k -days 9 -utf8 -multivalue-rdn -outform der \
                       -newkey ec -pkeyopt ec_paramgen_curve:P-256";

#[test]
fn names_are_written_as_java_writes_them() {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java/Names.java");
    let mut files = Vec::new();
    for (index, subject) in SUBJECTS.iter().enumerate() {
        let name = format!("{index}.cer");
        let output = Command::new("openssl")
            .args(REQUEST.split(' '))
            .args(["-out", &name, "-subj", subject])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{subject}: {}", String::from_utf8_lossy(&output.stderr));
        files.push(name);
    }
    let output = Command::new("java")
        .args(["-Dfile.encoding=UTF-8", "-XX:TieredStopAtLevel=1"])
        .arg(program)
        .args(&files)
        .current_dir(folder.path())
        .output()
        .expect("java (Debian: default-jdk-headless) judges this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    let own = files.iter().map(|file| {
        Certificate::from_der(&std::fs::read(folder.path().join(file)).unwrap()).unwrap().subject().unwrap()
    });
    assert_eq!(own.collect::<Vec<_>>(), names.lines().collect::<Vec<_>>());
}
