#!/usr/bin/env python3
"""A remote adapter for Amtsbote: keeps what it is told in a folder, and brings what is put into its outbox.

The contract is adapters/remote/openapi.yaml; nothing but Python's own library is needed. Copy it and put your system in the place of the
folder. Run it as: AMTSBOTE_SECRET=whsec_... adapter.py FOLDER [--port PORT] [--assign PREFIX]

  FOLDER/deliveries/ID/     what was told: delivery.json, about.json, the files, and the receipt, which is always the same
  FOLDER/records/...        case files, cases and documents as folders within each other, with the files of documents
  FOLDER/outbox/NAME.json   changes that the gateway fetches, in the order of their names; their files in FOLDER/contents/NAME
  FOLDER/outcomes/KEY.json  what became of each
"""
import argparse, base64, hashlib, hmac, json, os, re, shutil, sys, tempfile, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

FOLLOWED = [("record.created", kind) for kind in ("caseFile", "case", "document")]
FOLLOWED += [("record.changed", "case"), ("record.reference-assigned", "case"), ("document.content-added", "document")]
PAGE = 100
FOUND, lock = Path("."), threading.Lock()


class Refused(Exception):
    """An answer other than the one that was hoped for."""


def durable(path, data):
    """Writes a file under another name first, so that it is there as a whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)
    sync(path.parent)


def sync(folder):
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def plain(name):
    """A name as a file may have it, whatever it was."""
    return re.sub(r"[^\w.,()+ -]", "_", name).lstrip(". ")[:120] or "file"


class Adapter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.handled(self.get)

    def do_POST(self):
        self.handled(self.post)

    def handled(self, work):
        self.left = int(self.headers.get("content-length") or 0)
        try:
            work(urlsplit(self.path))
        except Refused as refused:
            self.close_connection = self.left > 1 << 20
            self.drain(min(self.left, 1 << 20))
            self.answer({"code": refused.args[1]}, refused.args[0])

    def get(self, url):
        self.signed(b"")
        kind, _, name = url.path[1:].partition("/")
        if kind == "describe":
            follows = [{"event": event, "record": record} for event, record in FOLLOWED]
            offers = ["deliver", "reconcile", "run"]
            self.answer({"channel": "folder", "capabilities": offers, "follows": follows, "keepsRecords": True})
        elif kind == "deliveries" and re.fullmatch("[0-9a-f-]{36}", name):
            receipt = FOUND / "deliveries" / name / "receipt.json"
            if not receipt.exists():
                raise Refused(404, "delivery.unknown")
            self.answer(json.loads(receipt.read_bytes()))
        elif kind == "changes":
            after = parse_qs(url.query).get("after", [""])[0]
            names = sorted(path.name for path in (FOUND / "outbox").glob("*.json") if path.name > after)
            changes = [json.loads((FOUND / "outbox" / name).read_bytes()) for name in names[:PAGE]]
            cursor = names[:PAGE][-1] if names else after
            self.answer({"changes": changes, "cursor": cursor, "more": len(names) > PAGE, "pauseSeconds": 1})
        elif kind == "contents" and re.fullmatch("[A-Za-z0-9_-]+", name) and (FOUND / "contents" / name).exists():
            with open(FOUND / "contents" / name, "rb") as file:
                self.head(200, os.fstat(file.fileno()).st_size)
                shutil.copyfileobj(file, self.wfile)
        else:
            raise Refused(404, "adapter.nothing-here")

    def post(self, url):
        if url.path == "/deliveries":
            self.answer(self.take())
        elif url.path == "/outcomes":
            body = self.read(min(self.left, 1 << 20))
            self.signed(body)
            for outcome in json.loads(body)["outcomes"]:
                durable(FOUND / "outcomes" / f"{plain(outcome['key'])}.json", json.dumps(outcome).encode())
            self.head(204, 0)
        else:
            raise Refused(404, "adapter.nothing-here")

    def take(self):
        """A delivery, once: what is there is answered as it was."""
        told = base64.b64decode(self.headers.get("amtsbote-delivery", ""))
        self.signed(told)
        delivery = json.loads(told)
        place = FOUND / "deliveries" / str(delivery["id"])
        if not re.fullmatch("[0-9a-f-]{36}", place.name):
            raise Refused(400, "adapter.bad-id")
        if (place / "receipt.json").exists():
            self.drain(self.left)
            return json.loads((place / "receipt.json").read_bytes())
        with tempfile.TemporaryDirectory(dir=FOUND / "deliveries", prefix=".") as folder:
            folder = Path(folder)
            durable(folder / "delivery.json", told)
            about = None
            if "about" in delivery:
                self.save(folder / "about.json", delivery["about"])
                about = json.loads((folder / "about.json").read_bytes())
                for number, file in enumerate(about["files"]):
                    self.save(folder / f"{number}-{plain(file['name'])}", file)
            elif self.left:
                self.save(folder / "content", {"size": self.left, "sha256": delivery["detail"].get("sha256")})
            with lock:  # The same delivery may come twice at the same time.
                if not place.exists():
                    receipt = self.filed(delivery, about, folder) if about else {"reference": place.name, "data": {}}
                    durable(folder / "receipt.json", json.dumps(receipt).encode())
                    os.rename(folder, place)
                    sync(place.parent)
                    folder.mkdir()  # For whoever tidies up.
        return json.loads((place / "receipt.json").read_bytes())

    def filed(self, delivery, about, folder):
        """Puts what was told into its place; the folder is what the record is called here. Doing it again changes nothing."""
        record = about["record"]
        home = FOUND.joinpath("records", *(above["id"] for above in about["above"]), record["id"])
        home.mkdir(parents=True, exist_ok=True)
        durable(home / "record.json", json.dumps(record).encode())
        for number, file in enumerate(about["files"]):
            name = plain(f"{file['version']}-{file['name']}")
            shutil.copyfile(folder / f"{number}-{plain(file['name'])}", home / f".{name}")
            os.replace(home / f".{name}", home / name)
        sync(home)
        reference = str(home.relative_to(FOUND))
        receipt = {"reference": record["id"], "data": {"folder": reference}}
        receipt["links"] = [{"kind": record["kind"], "record": record["id"], "reference": reference}]
        if ASSIGNS and delivery["kind"] == "record.created" and record["kind"] == "case" and "recordReference" not in record:
            known = {"kind": record["kind"], "id": record["id"]}
            number = record["id"].replace("-", "")[-8:]
            receipt["changes"] = [{"do": "assignReference", "record": known, "recordReference": ASSIGNS + number}]
        return receipt

    def signed(self, text):
        """Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and text; not older than five minutes."""
        sent, at = self.headers.get("webhook-id", ""), self.headers.get("webhook-timestamp", "")
        wanted = hmac.new(SECRET, f"{sent}.{at}.".encode() + text, hashlib.sha256).digest()
        wanted = "v1," + base64.b64encode(wanted).decode()
        given = self.headers.get("webhook-signature", "").split(" ")
        fits = any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given)
        if not fits or not at.isdigit() or abs(time.time() - int(at)) > 300:
            raise Refused(401, "adapter.not-signed")

    def read(self, most):
        piece = self.rfile.read(most)
        self.left -= len(piece)
        if len(piece) < most:
            raise Refused(400, "adapter.broke-off")
        return piece

    def drain(self, size):
        """Reads what nobody wants, so that the other side comes to read the answer."""
        while size > 0 and (piece := self.rfile.read(min(size, 1 << 16))):
            size -= len(piece)

    def save(self, path, announced):
        """The next bytes of the body, as many as were announced, with the digest that was announced."""
        digest, size = hashlib.sha256(), announced["size"]
        with open(path, "wb") as file:
            while size:
                piece = self.read(min(size, 1 << 16))
                size -= len(piece)
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if announced["sha256"] not in (None, digest.hexdigest()):
            raise Refused(401, "adapter.other-digest")

    def answer(self, told, status=200):
        body = json.dumps(told).encode()
        self.head(status, len(body), "application/json" if status < 400 else "application/problem+json")
        self.wfile.write(body)

    def head(self, status, length, media_type="application/octet-stream"):
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(length))
        self.end_headers()

    def log_message(self, *_):
        """Says nothing: addresses and names do not belong into logs."""


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--assign", default="", help="assign an Aktenzeichen that begins so to cases that have none")
    chosen = options.parse_args()
    FOUND, ASSIGNS = chosen.folder.resolve(), chosen.assign
    SECRET = base64.b64decode(os.environ["AMTSBOTE_SECRET"].removeprefix("whsec_"))
    for name in ("deliveries", "records", "outbox", "contents", "outcomes"):
        (FOUND / name).mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer(("127.0.0.1", chosen.port), Adapter)
    print(server.server_port, flush=True)
    server.serve_forever()
