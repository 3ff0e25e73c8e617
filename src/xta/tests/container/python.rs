//! Against independent tools: recorded messages and our own are read by Python, and ours are valid by the schemas.

use std::path::{Path, PathBuf};
use std::process::Command;

use xta::model::Content;

use crate::{BARE, PYTHON, Seen, Stored, plain, read, shared, write};

/// For each file (HTTP head and body, or a bare envelope) one line with each content: attributes and bytes in hex.
const READER: &str = r#"
import base64, re, sys
import xml.etree.ElementTree as E
X = "{http://xoev.de/transport/xta/211}"
for path in sys.argv[1:]:
    body, parts = open(path, "rb").read(), {}
    if path.endswith(".http"):
        head, body = body.split(b"\r\n\r\n", 1)
        boundary = re.search(rb'boundary="([^"]+)"', head)
        if boundary:
            pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.group(1))[1:-1]
            split = [piece.split(b"\r\n\r\n", 1) for piece in pieces]
            ids = [re.search(rb"(?i)content-id: *<([^>]*)>", head).group(1).decode() for head, _ in split]
            parts = dict(zip(ids, [content for _, content in split]))
            body = split[0][1]
    found = []
    for content in E.fromstring(body).find(".//" + X + "ContentContainer"):
        bytes = parts[content[0].get("href")[4:]] if len(content) else base64.b64decode(content.text or "")
        names = ["contentType", "contentDescription", "encoding", "filename", "id", "lang", "size"]
        found.append("|".join([content.get(name) or "-" for name in names] + [bytes.hex()]))
    print(" ".join(found))
"#;

fn python(paths: &[PathBuf]) -> Vec<String> {
    let output = Command::new(PYTHON).args(["-c", READER]).args(paths).output();
    let output = output.expect("python3 is needed for this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn line(seen: &[Seen]) -> String {
    let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let one = |(content, bytes): &Seen| {
        let Content { media_type, description, encoding, file_name, id, language, size, .. } = content;
        let texts = [description, encoding, file_name, id, language, &size.map(|size| size.to_string())];
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{media_type}|{}|{hex}", texts.map(or_dash).join("|"))
    };
    seen.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn read_file(path: &Path) -> Vec<Seen> {
    let file = std::fs::read(path).unwrap();
    if path.extension().unwrap() == "xml" {
        return read(BARE, &file[..]).unwrap();
    }
    let end = file.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(file[..end].to_vec()).unwrap();
    let is_it = |line: &&str| line.to_ascii_lowercase().starts_with("content-type:");
    let content_type = head.lines().find(is_it).unwrap()["content-type:".len()..].trim().to_owned();
    read(&content_type, &file[end + 4..]).unwrap()
}

#[test]
fn recorded_containers_are_read_as_python_reads_them() {
    let recorded = [
        "v3-jaxws-wire/04_request.http",
        "v3-jaxws-wire/08_response.http",
        "v3-zeep-requests/06_sendMessage.xml",
    ];
    let paths: Vec<_> = recorded.iter().map(|name| shared(&format!("samples/xta/{name}"))).collect();
    let ours: Vec<_> = paths.iter().map(|path| line(&read_file(path))).collect();
    assert!(ours.iter().all(|line| line.contains(' ')), "each has an attachment");
    assert_eq!(ours, python(&paths));
}

/// A folder of its own for the files of one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn save(folder: &Path, name: &str, contents: &[Seen], as_package: bool) -> PathBuf {
    let (content_type, body) = write(&Stored::new(contents), as_package).unwrap();
    let path = folder.join(format!("{name}.http"));
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n");
    std::fs::write(&path, [head.as_bytes(), &body].concat()).unwrap();
    path
}

fn ours() -> Vec<Seen> {
    let every: Vec<u8> = (0..=255).collect();
    let long = every.repeat(300);
    let mut seen = plain(&[b"<a/>", &every, &long, b"\r\n--MIME_boundary_\r\n"]);
    seen[1].0 = Content {
        description: Some("Bild <1> & \"2\"".to_owned()),
        encoding: Some("UTF-8".to_owned()),
        file_name: Some("Anlage ä.png".to_owned()),
        id: Some("a1".to_owned()),
        language: Some("de".to_owned()),
        size: Some(256),
        ..seen[1].0.clone()
    };
    seen
}

#[test]
fn python_reads_the_containers_that_we_write() {
    let folder = folder("python");
    let paths = [save(&folder, "bare", &ours(), false), save(&folder, "package", &ours(), true)];
    let expected = line(&ours());
    assert_eq!(python(&paths), [expected.clone(), expected]);
}

#[test]
fn the_containers_that_we_write_are_valid_by_the_schemas() {
    let folder = folder("schemas");
    let encrypted = "<e:EncryptedData xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"><e:CipherData>\
        <e:CipherValue>YQ==</e:CipherValue></e:CipherData></e:EncryptedData>";
    let encrypted = crate::envelope(encrypted);
    let encrypted = read(BARE, encrypted.as_bytes()).unwrap();
    let paths = [
        save(&folder, "bare", &ours(), false),
        save(&folder, "package", &ours(), true),
        save(&folder, "encrypted-bare", &encrypted, false),
        save(&folder, "encrypted-package", &encrypted, true),
    ];
    let checker = shared("senders/xta/validate.py");
    let output = Command::new(PYTHON).arg(checker).arg("v3").args(paths).output();
    let output = output.expect("python3 with lxml is needed for this test");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("ok ").count(), 4, "{said}");
    assert_eq!(said.matches("GenericContentContainer").count(), 4, "{said}");
}
