#!/usr/bin/env python3
"""Whether the package does on a clean machine what it promises: installed, started, checked, upgraded with data, restored elsewhere, purged.

    check.py PACKAGE --archive FILE [--previous PACKAGE]

Roots are clean ones of Debian 12 (debootstrap), entered by chroot, in namespaces of their own: no network but a loopback, and whatever ends
this ends all of it. Needs root. Simulated are systemd (see `systemctl`), and without `--previous` the previous version: the same program under
a lower number, on a store that is taken back to the schema of migration 13, so that the migrations behind it run over data.
"""

import argparse
import base64
import hashlib
import json
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import older
from roots import CONFIG, Failed, Root, Steps, base, loopback_up, own_namespaces, run, verify

OLDER_SCHEMA = 13
API = "http://127.0.0.1:8080/api/v1"
DATABASE = "/var/lib/amtsbote/amtsbote.db"
CONTENT = bytes(at % 251 for at in range(300_000))
TOWN = """
[[tenant]]
id = "musterstadt"
name = "Musterstadt"

[[tenant.unit]]
id = "63"
name = "Bauordnungsamt"

[[tenant.authority]]
key = "bab:00000002"
name = "Musterstadt"
unit = "63"
"""


class Rest:
    """A system of the county with its token."""

    def __init__(self, root, tenant, authority):
        told = root.gateway(
            "token", "create", "--tenant", tenant, "--name", "probe", "--json", "--role", "system", "--role", "record-keeping",
            "--role", "auditor", "--unit", "*", "--service", "*", "--authority", authority,
        )
        self.secret = json.loads(told)["secret"]

    def __call__(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers["Authorization"] = f"Bearer {self.secret}"
        if method != "GET":
            headers["Idempotency-Key"] = hashlib.sha256(f"{method} {path} {body}".encode()).hexdigest()[:32]
        if isinstance(body, dict):
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(API + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                read = answer.read()
        except urllib.error.HTTPError as refused:
            raise Failed(f"{method} {path}: {refused.code} {refused.read().decode(errors='replace')[:300]}") from None
        return json.loads(read) if read[:1] in (b"{", b"[") else read

    def until(self, path, holds):
        for _ in range(600):
            found = self("GET", path)
            if holds(found):
                return found
            time.sleep(0.1)
        raise Failed(f"{path} does not become what it should")


def renamed(package, folder, version):
    """The same package under another version."""
    run(["dpkg-deb", "-R", package, folder / "older"])
    control = folder / "older/DEBIAN/control"
    lines = control.read_text().splitlines()
    control.write_text("\n".join(f"Version: {version}" if line.startswith("Version:") else line for line in lines) + "\n")
    made = folder / "previous.deb"
    run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", folder / "older", made])
    return made


def installed(root, package):
    root.install(package)
    verify(root.is_active(), f"the gateway runs after the installation; {root.log()}")
    verify(root.calls() == ["enable amtsbote.service", "restart amtsbote.service"], "it was enabled and started once")
    verify(root.mode("/etc/amtsbote") == "750 root amtsbote", "others do not see the configuration's folder")
    verify(root.mode(CONFIG) == "640 root amtsbote", "the gateway reads its configuration and cannot change it")
    verify(root.mode("/var/lib/amtsbote") == "700 amtsbote amtsbote", "the state is the gateway's alone")
    verify(root.mode("/var/lib/amtsbote/keys/master.key") == "600 amtsbote amtsbote", "the key is the gateway's alone")
    with urllib.request.urlopen("http://127.0.0.1:8081/health/ready", timeout=30) as answer:
        verify(answer.status == 200, "it is ready")


def selftest(root):
    begin = time.monotonic()
    before = root.run("find", "/tmp", "/var/tmp", "/var/lib/amtsbote", "/run", "/root")
    told = root.run("runuser", "-u", "amtsbote", "--", "amtsbote", "selftest")
    verify("failed" not in told and "ok" in told, told)
    took = time.monotonic() - begin
    after = root.run("find", "/tmp", "/var/tmp", "/var/lib/amtsbote", "/run", "/root")
    ours = {line for line in set(after.splitlines()) ^ set(before.splitlines()) if "/payloads" not in line and "amtsbote.db" not in line}
    verify(not ours, f"it left something: {sorted(ours)[:5]}")
    return f"{sum(line.startswith('ok') for line in told.splitlines())} checks in {took:.1f} s, nothing left"


def put_data(root):
    """A case with a document, and a message with it to the other house. What is known of it."""
    root.configure(lambda text: text + TOWN)
    root.run("systemctl", "restart", "amtsbote.service")
    county, town = Rest(root, "musterkreis", "bab:00000001"), Rest(root, "musterstadt", "bab:00000002")
    file = county("POST", "/case-files", {"unit": "10", "title": "Akte der Probe", "recordReference": "10-1/2026"})["id"]
    case = county("POST", "/cases", {"caseFile": file, "unit": "10", "title": "Vorgang der Probe"})["id"]
    document = county("POST", f"/cases/{case}/documents", {"title": "Plan"})["id"]
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    county(
        "PUT", f"/documents/{document}/content?fileName=plan.bin&version=1", CONTENT,
        Content_Type="application/octet-stream", Repr_Digest=f"sha-256=:{digest}:",
    )
    exchange = county("POST", "/exchanges", {"kind": "handover", "to": "bab:00000002", "objects": [file]})["id"]
    county.until(f"/exchanges/{exchange}", lambda it: it["status"] == "received")
    inbox = town("GET", "/inbox")["items"]
    verify(len(inbox) == 1, "the message lies in the other house's mailbox")
    message = county("GET", "/messages?limit=10")["items"]
    verify(len(message) >= 2, "0401 and 0403 are there")
    return {"county": county, "town": town, "file": file, "document": document, "exchange": exchange, "messages": len(message)}


def data_is_there(root, data):
    county, town = data["county"], data["town"]
    verify(county("GET", f"/documents/{data['document']}/content") == CONTENT, "the content comes back byte by byte")
    verify(county("GET", f"/exchanges/{data['exchange']}")["status"] == "received", "the exchange stands as it stood")
    verify(len(county("GET", "/messages?limit=10")["items"]) == data["messages"], "all messages are there")
    verify(len(town("GET", "/inbox")["items"]) == 1, "what waited in the mailbox waits there")
    evidence_verifies(root, data)


def evidence_verifies(root, data):
    for tenant in ("musterkreis", "musterstadt"):
        root.gateway("evidence", "check", "--tenant", tenant)
    bundle = "/var/lib/amtsbote/probe.zip"
    # The events of the last moment are sealed by a job.
    for attempt in range(50):
        told = root.try_run(
            "runuser", "-u", "amtsbote", "--", "amtsbote", "--config", CONFIG, "evidence", "export", data["file"], "--tenant",
            "musterkreis", "--content", "--output", bundle,
        )
        if told.returncode == 0:
            break
        time.sleep(0.2)
    verify(told.returncode == 0, told.stderr)
    root.file("/var/lib/amtsbote/key.pem").write_text(root.gateway("evidence", "key"))
    root.run("amtsbote", "evidence", "verify", bundle, "--key", "/var/lib/amtsbote/key.pem")
    for name in ("probe.zip", "key.pem"):
        root.file(f"/var/lib/amtsbote/{name}").unlink()


def upgraded(root, package, data, simulate):
    database = root.file(DATABASE)
    told = ""
    if simulate:
        root.run("systemctl", "stop", "amtsbote.service")
        rows = older.take_back(database, OLDER_SCHEMA)
        verify(older.version(database) == OLDER_SCHEMA, "the store is an older one")
        told = f", {rows} rows"
    before = older.version(database)
    root.calls()
    root.install(package)
    calls = root.calls()
    verify(calls[0] == "stop amtsbote.service" and calls[-1] == "restart amtsbote.service", f"stopped, then started: {calls}")
    verify(root.is_active(), f"the gateway runs after the upgrade; {root.log()}")
    verify(older.version(database) == older.newest(), "the store has the newest schema")
    verify(TOWN in root.file(CONFIG).read_text(), "the changed configuration stays")
    data_is_there(root, data)
    return f"schema {before} to {older.newest()}{told}; content, exchange, mailbox and evidence are as they were"


def broken_configuration(root, package):
    """Neither an upgrade nor a start takes a broken configuration; the package is installed all the same."""
    root.configure(lambda text: text.replace("[listen]", "[listen]\nno_such_key = 1"))
    root.install(package)
    verify(not root.is_active(), "it is not started")
    verify(root.calls() == ["stop amtsbote.service"], "it was not even tried")
    verify("install ok installed" in root.run("dpkg-query", "-W", "-f", "${Status}", "amtsbote"), "the package is installed")
    verify(root.try_run("systemctl", "start", "amtsbote.service").returncode != 0, "nor does the unit start it")
    root.configure(lambda text: text.replace("[listen]\nno_such_key = 1", "[listen]"))
    aside = root.file(CONFIG + ".aside")
    root.file(CONFIG).rename(aside)
    root.calls()
    root.install(package)
    verify(not root.file(CONFIG).exists(), "one that was taken away is not put back")
    verify(root.calls() == ["stop amtsbote.service"], "nor is it started without one; the package is installed all the same")
    aside.rename(root.file(CONFIG))
    root.run("systemctl", "start", "amtsbote.service")
    verify(root.is_active(), "mended, it starts")


def restored(root, package, data, scratch, archive):
    """A backup of the running gateway becomes the store of a root that never had one; only the keys are carried there besides."""
    root.gateway("backup", "/var/lib/amtsbote/backup")
    key = "/var/lib/amtsbote/key.pem"
    root.file(key).write_text(root.gateway("evidence", "key"))
    root.run("runuser", "-u", "amtsbote", "--", "amtsbote", "backup", "verify", "/var/lib/amtsbote/backup", "--key", key)
    root.run("systemctl", "stop", "amtsbote.service")
    other = Root(scratch / "second", archive)
    try:
        # It is not started by the package: that would make keys and a store.
        other.file("/usr/bin/systemctl").chmod(0o644)
        other.install(package)
        other.file("/usr/bin/systemctl").chmod(0o755)
        other.configure(lambda _: root.file(CONFIG).read_text())
        for part in ("keys", "backup"):
            shutil.copytree(root.file(f"/var/lib/amtsbote/{part}"), other.file(f"/var/lib/amtsbote/{part}"))
        other.run("chown", "-R", "amtsbote:amtsbote", "/var/lib/amtsbote")
        other.gateway("restore", "/var/lib/amtsbote/backup")
        other.run("systemctl", "start", "amtsbote.service")
        data_is_there(other, data)
        other.run("systemctl", "stop", "amtsbote.service")
    finally:
        other.end()
    root.run("systemctl", "start", "amtsbote.service")
    return "backup verified; content, exchange, mailbox and evidence are as they were"


def removed(root, package, data):
    root.run("dpkg", "--remove", "amtsbote")
    verify(not root.is_active(), "it does not run any more")
    verify(root.file(DATABASE).exists() and root.file(CONFIG).exists(), "data and configuration stay")
    root.install(package)
    verify(root.is_active(), "installed again, it starts again")
    data_is_there(root, data)
    root.run("dpkg", "--purge", "amtsbote")
    verify(not root.is_active(), "it does not run any more")
    verify(not root.file("/var/lib/amtsbote").exists() and not root.file("/etc/amtsbote").exists(), "all of it is gone")
    verify("amtsbote" not in root.file("/etc/passwd").read_text(), "so is its user")
    verify(not list(root.file("/etc/systemd").rglob("amtsbote*")), "systemd does not know it any more")


def told_by(options, scratch):
    steps = Steps()
    loopback_up()
    package = Path(options.package)
    previous = Path(options.previous) if options.previous else renamed(package, scratch, "0.0.1")
    root = Root(scratch / "first", Path(options.archive))
    try:
        steps("install the previous version, which starts", installed, root, previous)
        steps("selftest under the gateway's user", selftest, root)
        data = steps("a case with a document, and a message to another house", put_data, root)
        steps("upgrade with data in it", upgraded, root, package, data, not options.previous)
        steps("selftest of the new version", selftest, root)
        steps("a broken configuration is never started", broken_configuration, root, package)
        steps("the data after a restart", data_is_there, root, data)
        steps("back up, and restore on another root", restored, root, package, data, scratch, Path(options.archive))
        steps("remove, install again, then purge", removed, root, package, data)
    finally:
        root.end()
    print("all steps hold", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("package")
    parser.add_argument("--archive", required=True, help="where the clean root is kept")
    parser.add_argument("--previous", help="a package of the version before; else it is simulated")
    return parser.parse_args()


def main():
    options = arguments()
    base(Path(options.archive), options.package)
    own_namespaces("--mount", "--pid", "--net")
    # The first process of a namespace hears only what it asks for. What is open ends by what stands behind `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="amtsbote-root-") as folder:
        try:
            told_by(options, Path(folder))
        except (Failed, OSError, KeyError, ValueError):
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


sys.exit(main())
