//! Independent tools read the same bundle: zipinfo, unzip, openssl, python3.

use std::{path::Path, process::Command};

use seal::bundle::BundleFile;

use crate::fixture::{BUNDLE, THE_CASE, bytes_of, entries, verdict};

/// Runs a program that must succeed; returns what it printed.
pub(crate) fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program}: {text} {}", String::from_utf8_lossy(&output.stderr));
    text
}

fn unpacked() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["payloads", "stamps"] {
        std::fs::create_dir(folder.path().join(part)).unwrap();
    }
    for (name, bytes) in entries() {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn other_zip_tools_read_the_bundle() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bundle.zip"), &*BUNDLE).unwrap();
    let listing = run("zipinfo", &["-1", "bundle.zip"], folder.path());
    assert_eq!(listing.lines().count(), 12, "{listing}");
    run("unzip", &["-tq", "bundle.zip"], folder.path());
    // Packed again by another program, the bundle is still whole.
    let script = "import zipfile\n\
        source = zipfile.ZipFile('bundle.zip')\n\
        with zipfile.ZipFile('again.zip', 'w') as again:\n    \
            for name in sorted(source.namelist()): again.writestr(name, source.read(name))";
    run("python3", &["-c", script], folder.path());
    assert!(verdict(&std::fs::read(folder.path().join("again.zip")).unwrap()).ok);
}

#[test]
fn openssl_verifies_the_manifest_and_every_head() {
    let folder = unpacked();
    let path = folder.path();
    std::fs::write(path.join("key.pem"), THE_CASE.public().to_pem().unwrap()).unwrap();
    let verify = |signature: &str, file: &str| {
        let arguments = ["dgst", "-sha256", "-verify", "key.pem", "-signature", signature, file];
        assert_eq!(run("openssl", &arguments, path), "Verified OK\n");
    };
    verify("manifest.sig", "manifest.json");
    for signed in &THE_CASE.batches {
        std::fs::write(path.join("head.bin"), signed.batch.head.0).unwrap();
        std::fs::write(path.join("head.sig"), &signed.signature.0).unwrap();
        verify("head.sig", "head.bin");
    }
}

/// Recomputes everything that the verifier computes, from the description alone.
const PYTHON: &str = r#"
import hashlib, json, struct, uuid
sha = lambda *parts: hashlib.sha256(b''.join(parts)).digest()
unhex = bytes.fromhex
rows = lambda name: [json.loads(line) for line in open(name, encoding='utf-8')]

def mth(leaves):
    if len(leaves) == 1: return leaves[0]
    k = 1
    while k * 2 < len(leaves): k *= 2
    return sha(b'\x01', mth(leaves[:k]), mth(leaves[k:]))

def climb(leaf, index, size, path):
    if size == 1: return leaf
    k = 1
    while k * 2 < size: k *= 2
    *below, top = path
    if index < k: return sha(b'\x01', climb(leaf, index, k, below), top)
    return sha(b'\x01', top, climb(leaf, index - k, size - k, below))

previous, batches = bytes(32), {}
for b in rows('batches.jsonl'):
    head = sha(b'amtsbote-head-v1', b['tenant'].encode(), struct.pack('>QQQ', b['no'], b['first'], b['last']),
               unhex(b['root']), previous, struct.pack('>q', b['sealedAtMicros']))
    assert head.hex() == b['head'] and previous.hex() == b['previousHead']
    previous, batches[b['no']] = head, b
for e, p in zip(rows('events.jsonl'), rows('proofs.jsonl'), strict=True):
    if 'event' in e:
        canonical = json.dumps(e['event'], ensure_ascii=False, separators=(',', ':'), sort_keys=True).encode()
        digest = sha(b'amtsbote-event-v1', unhex(e['salt']), canonical)
    else:
        digest = unhex(e['digest'])
    leaf = sha(b'\x00', struct.pack('>Q', e['number']), uuid.UUID(e['eventId']).bytes, digest)
    b = batches[p['batch']]
    assert b['first'] + p['index'] == e['number'] == p['number']
    assert climb(leaf, p['index'], b['last'] - b['first'] + 1, [unhex(h) for h in p['path']]).hex() == b['root']
manifest = json.load(open('manifest.json', encoding='utf-8'))
for name, record in manifest['files'].items():
    content = open(name, 'rb').read()
    assert (len(content), sha(content).hex()) == (record['size'], record['sha256'])
    if name.endswith('.bin'):
        info = json.load(open(name[:-3] + 'json'))
        chunks = [sha(content[i:i + 65536]) for i in range(0, len(content), 65536)]
        assert [c.hex() for c in chunks] == info['chunks']
        assert mth([sha(b'\x00', c) for c in chunks]).hex() == info['chunkRoot']
print('whole', manifest['counts']['events'], previous.hex() == manifest['chain']['head'])
"#;

#[test]
fn python_recomputes_the_whole_chain() {
    let folder = unpacked();
    assert_eq!(run("python3", &["-c", PYTHON], folder.path()), "whole 50 True\n");
}

#[test]
fn a_payload_file_is_plain_json() {
    let mut entries = entries();
    let large = &THE_CASE.large;
    let bytes = bytes_of(&mut entries, BundleFile::PayloadInfo(large.info.id));
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    assert_eq!(value["chunks"].as_array().unwrap().len(), large.chunks.len());
    assert_eq!(value["size"], large.info.size);
}
