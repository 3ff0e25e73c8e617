#!/usr/bin/env python3
"""What the program is made of, from `cargo metadata`: a bill of materials (CycloneDX 1.6, JSON) and the copyright file of the package.

    parts.py sbom [FILE]          write it, or print it; judged by the schema if cyclonedx-python-lib is there
    parts.py copyright FOLDER     `copyright` (DEP-5) and `THIRD-PARTY.gz` with the texts of all licences
"""

import collections
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = "x86_64-unknown-linux-gnu"
# Native libraries: linked to the machine's, or compiled into the program by the crate.
LINKED = [("openssl", "libssl3", "Apache-2.0", "openssl"), ("libxml2", "libxml2", "MIT", "libxml-2.0")]
COMPILED = [("sqlite", "libsqlite3-sys", "blessing")]
# Scripts of others that are handed out to browsers: file, registry, licence.
HANDED_OUT = [("htmx.org", "src/console/assets/htmx.min.js", "npm", "0BSD")]
TEXTS = re.compile(r"^(licen[cs]e|copying|notice|unlicense|copyright)", re.IGNORECASE)


def metadata():
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", TARGET]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def shipped(data):
    """Packages that the program is compiled from, and what each uses: normal dependencies alone, from the root package on."""
    packages = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    root = data["resolve"]["root"]
    uses, waiting = {}, [root]
    while waiting:
        at = waiting.pop()
        if at in uses:
            continue
        normal = [it["pkg"] for it in nodes[at]["deps"] if any(kind["kind"] is None for kind in it["dep_kinds"])]
        uses[at] = sorted(set(normal))
        waiting += normal
    return root, packages, uses


def checksums():
    """SHA-256 of each crate as the lock file has it."""
    text = (ROOT / "Cargo.lock").read_text()
    found = re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"\nsource = "[^"]+"\nchecksum = "([0-9a-f]{64})"', text)
    return {(name, version): digest for name, version, digest in found}


def licence(package):
    # Some write the old form with a slash.
    return (package["license"] or "").replace("/", " OR ").replace("  ", " ") or "NOASSERTION"


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, digests):
    part = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "licenses": [{"expression": licence(package)}],
    }
    # Our own crates are in no registry: whoever looked for their names there would find others'.
    if package["source"]:
        part["purl"] = reference(package)
    if package["description"]:
        part["description"] = " ".join(package["description"].split())
    digest = digests.get((package["name"], package["version"]))
    if digest:
        part["hashes"] = [{"alg": "SHA-256", "content": digest}]
    if package["repository"]:
        part["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return part


def native(packages, uses):
    """What is no crate. What is linked has the version that it was built against."""
    parts = []
    for name, debian, licence_id, module in LINKED:
        version = subprocess.run(["pkg-config", "--modversion", module], check=True, capture_output=True, text=True)
        parts.append({
            "type": "library", "bom-ref": f"native:{name}", "name": name, "version": version.stdout.strip(),
            "licenses": [{"license": {"id": licence_id}}], "purl": f"pkg:deb/debian/{debian}",
            "description": "linked from the machine; its updates are the distribution's",
        })
    by_name = {packages[it]["name"]: packages[it] for it in uses}
    for name, crate, licence_id in COMPILED:
        header = Path(by_name[crate]["manifest_path"]).parent / "sqlite3/sqlite3.h"
        version = re.search(r'#define SQLITE_VERSION\s+"([^"]+)"', header.read_text(errors="replace")).group(1)
        parts.append({
            "type": "library", "bom-ref": f"native:{name}", "name": name, "version": version,
            "licenses": [{"license": {"id": licence_id}}], "purl": f"pkg:generic/{name}@{version}",
            "description": f"compiled into the program by {crate}",
        })
    for name, file, registry, licence_id in HANDED_OUT:
        content = (ROOT / file).read_bytes()
        version = re.search(rb'version:"([0-9.]+)"', content).group(1).decode()
        parts.append({
            "type": "library", "bom-ref": f"script:{name}", "name": name, "version": version,
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}],
            "licenses": [{"license": {"id": licence_id}}], "purl": f"pkg:{registry}/{name}@{version}",
            "description": "compiled into the program, for browsers",
        })
    return parts


def bill():
    root, packages, uses = shipped(metadata())
    digests = checksums()
    others = sorted((packages[it] for it in uses if it != root), key=lambda it: (it["name"], it["version"]))
    natives = native(packages, uses)
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH") or committed_at())
    parts = [component(package, digests) for package in others] + natives
    edges = {reference(packages[it]): sorted({reference(packages[used]) for used in uses[it]}) for it in uses}
    edges[reference(packages[root])] += [part["bom-ref"] for part in natives]
    main = component(packages[root], digests)
    main.update({"type": "application"})
    made_of = hashlib.sha256(json.dumps([parts, seconds], sort_keys=True).encode()).hexdigest()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(made_of[:32], version=4)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": main,
        },
        "components": parts,
        "dependencies": [{"ref": ref, "dependsOn": on} for ref, on in sorted(edges.items())],
    }


def committed_at():
    told = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True)
    return told.stdout.strip()


def judged(text):
    """Whether the schema's own library takes it; says so if the library is not there."""
    try:
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
        finding = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    except Exception as missing:  # The library says by its own kind of exception which of its parts is not there.
        print(f"not judged by the schema: {missing}", file=sys.stderr)
        return True
    print(f"schema of CycloneDX 1.6: {'valid' if finding is None else finding}", file=sys.stderr)
    return finding is None


def texts_of(package):
    """Texts of licences and notices in the crate's folder."""
    folder = Path(package["manifest_path"]).parent
    files = [it for it in sorted(folder.iterdir()) if it.is_file() and TEXTS.match(it.name)]
    return [file.read_text(errors="replace").strip() for file in files]


def copyright_of(folder):
    root, packages, uses = shipped(metadata())
    ours = set(packages[it]["name"] for it in uses if packages[it]["source"] is None)
    foreign = sorted((packages[it] for it in uses if packages[it]["source"]), key=lambda it: (it["name"], it["version"]))
    by_licence, by_text = collections.defaultdict(list), collections.defaultdict(list)
    for package in foreign:
        name = f"{package['name']} {package['version']}"
        by_licence[licence(package)].append(name)
        for text in texts_of(package):
            by_text[text].append(name)
    lines = [
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
        "Upstream-Name: amtsbote",
        f"Comment: The program holds {len(ours)} crates of its own and {len(foreign)} of others, each under its licence, SQLite, which is",
        " in the public domain, and htmx (0BSD), which asks for no notice. The texts of their licences and notices are in",
        " /usr/share/doc/amtsbote/THIRD-PARTY.gz, the bill of materials in /usr/share/doc/amtsbote/sbom.cdx.json.",
        "",
        "Files: *",
        "Copyright: the authors of Amtsbote",
        "License: EUPL-1.2",
        " Licensed under the European Union Public Licence, version 1.2. Its text in all languages of the Union:",
        " https://joinup.ec.europa.eu/collection/eupl/eupl-text-eupl-12",
    ]
    for name, crates in sorted(by_licence.items()):
        lines += ["", f"Files: {' '.join('crates/' + it.replace(' ', '-') for it in crates)}"]
        name = name.replace(" OR ", " or ").replace(" AND ", " and ")
        lines += ["Copyright: the authors of each crate, as named in THIRD-PARTY.gz", f"License: {name}", " As in THIRD-PARTY.gz."]
    (folder / "copyright").write_text("\n".join(lines) + "\n")
    whole = [f"{', '.join(sorted(names))}\n{'-' * 72}\n{text}\n" for text, names in sorted(by_text.items(), key=lambda it: it[1])]
    (folder / "THIRD-PARTY.gz").write_bytes(gzip.compress("\n\n".join(whole).encode(), 9, mtime=0))


def main():
    if sys.argv[1:2] == ["copyright"]:
        copyright_of(Path(sys.argv[2]))
        return 0
    text = json.dumps(bill(), indent=1, ensure_ascii=False) + "\n"
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(text)
    else:
        sys.stdout.write(text)
    return 0 if judged(text) else 1


sys.exit(main())
