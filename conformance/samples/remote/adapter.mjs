#!/usr/bin/env node
// A remote adapter for Amtsbote: keeps what it is told in a folder, and brings what is put into its outbox. The contract is
// adapters/remote/openapi.yaml; Node 18 or newer is enough, without any package. adapter.py beside this file does the same.
//
// Run it as: AMTSBOTE_SECRET=whsec_... node adapter.mjs FOLDER [--port PORT] [--assign PREFIX]
//
//   FOLDER/deliveries/ID/     what was told: delivery.json, about.json, the files, and the receipt, which is always the same
//   FOLDER/records/...        case files, cases and documents as folders within each other, with the files of documents
//   FOLDER/outbox/NAME.json   changes that the gateway fetches, in the order of their names; their files in FOLDER/contents/NAME
//   FOLDER/outcomes/KEY.json  what became of each
import { createHash, createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { createReadStream, existsSync, mkdirSync } from "node:fs";
import { copyFile, mkdir, open, readFile, readdir, rename, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join, relative, resolve } from "node:path";
import { pipeline } from "node:stream/promises";

const option = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at > 0 ? process.argv[at + 1] : otherwise;
};
const FOUND = resolve(process.argv[2]);
const ASSIGNS = option("--assign", "");
const SECRET = Buffer.from(process.env.AMTSBOTE_SECRET.replace(/^whsec_/, ""), "base64");
const PAGE = 100;
const ID = /^[0-9a-f-]{36}$/;
const FOLLOWS = [
  ...["caseFile", "case", "document"].map((record) => ({ event: "record.created", record })),
  { event: "record.changed", record: "case" },
  { event: "record.reference-assigned", record: "case" },
  { event: "document.content-added", record: "document" },
];

/** An answer other than the one that was hoped for. */
class Refused extends Error {
  constructor(status, code) {
    super(code);
    Object.assign(this, { status, code });
  }
}

const plain = (name) => name.replace(/[^\p{L}\p{N}_.,()+ -]/gu, "_").replace(/^[. ]+/, "").slice(0, 120) || "file";
const json = async (path) => JSON.parse(await readFile(path));

async function sync(path) {
  const handle = await open(path, "r");
  await handle.sync();
  await handle.close();
}

/** Writes a file under another name first, so that it is there as a whole or not at all. */
async function durable(path, data) {
  const other = join(dirname(path), `.${randomUUID()}`);
  const handle = await open(other, "w");
  await handle.writeFile(data);
  await handle.sync();
  await handle.close();
  await rename(other, path);
  await sync(dirname(path));
}

/** Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and text; not older than five minutes. */
function signed({ headers }, text) {
  const [id, at] = [headers["webhook-id"] ?? "", headers["webhook-timestamp"] ?? ""];
  const wanted = createHmac("sha256", SECRET).update(`${id}.${at}.`).update(text).digest();
  const fits = (headers["webhook-signature"] ?? "").split(" ").some((one) => {
    const given = Buffer.from(one.replace(/^v1,/, ""), "base64");
    return one.startsWith("v1,") && given.length === wanted.length && timingSafeEqual(given, wanted);
  });
  if (!fits || !(Math.abs(Date.now() / 1000 - Number(at)) <= 300)) throw new Refused(401, "adapter.not-signed");
}

/** A body that is read in parts: as many bytes as wanted, a piece at a time. */
class Body {
  constructor(request) {
    this.pieces = request[Symbol.asyncIterator]();
    this.piece = Buffer.alloc(0);
  }

  /** Whether there is anything left. */
  async fill() {
    while (this.piece.length === 0) {
      const { value, done } = await this.pieces.next();
      if (done) return false;
      this.piece = value;
    }
    return true;
  }

  /** Writes the next bytes into a file, as many as were announced (all, if nobody knows), and compares the digest. */
  async save(path, { size, sha256 }) {
    const digest = createHash("sha256");
    const handle = await open(path, "w");
    try {
      for (let left = size ?? Infinity; left > 0; ) {
        if (!(await this.fill())) {
          if (left === Infinity) break;
          throw new Refused(400, "adapter.broke-off");
        }
        const part = this.piece.subarray(0, Math.min(left, this.piece.length));
        digest.update(part);
        await handle.write(part);
        this.piece = this.piece.subarray(part.length);
        left -= part.length;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (sha256 && digest.digest("hex") !== sha256) throw new Refused(401, "adapter.other-digest");
  }

  async drain() {
    while (await this.fill()) this.piece = Buffer.alloc(0);
  }
}

/** Puts what was told into its place; the folder is what the record is called here. Doing it again changes nothing. */
async function filed(delivery, { record, above, files }, folder) {
  const home = join(FOUND, "records", ...above.map(({ id }) => id), record.id);
  await mkdir(home, { recursive: true });
  await durable(join(home, "record.json"), JSON.stringify(record));
  for (const [number, file] of files.entries()) {
    const name = plain(`${file.version}-${file.name}`);
    await copyFile(join(folder, `${number}-${plain(file.name)}`), join(home, `.${name}`));
    await rename(join(home, `.${name}`), join(home, name));
  }
  await sync(home);
  const reference = relative(FOUND, home);
  const links = [{ kind: record.kind, record: record.id, reference }];
  const receipt = { reference: record.id, data: { folder: reference }, links };
  if (ASSIGNS && delivery.kind === "record.created" && record.kind === "case" && !record.recordReference) {
    const recordReference = ASSIGNS + record.id.replaceAll("-", "").slice(-8);
    receipt.changes = [{ do: "assignReference", record: { kind: record.kind, id: record.id }, recordReference }];
  }
  return receipt;
}

/** A delivery, once: what is there is answered as it was. Those of the same id wait for each other. */
const underWay = new Map();
async function take(request) {
  const told = Buffer.from(request.headers["amtsbote-delivery"] ?? "", "base64");
  signed(request, told);
  const delivery = JSON.parse(told);
  if (!ID.test(delivery.id)) throw new Refused(400, "adapter.bad-id");
  await underWay.get(delivery.id)?.catch(() => {});
  const work = takeOnce(delivery, told, new Body(request));
  underWay.set(delivery.id, work);
  return work.finally(() => underWay.get(delivery.id) === work && underWay.delete(delivery.id));
}

async function takeOnce(delivery, told, body) {
  const place = join(FOUND, "deliveries", delivery.id);
  const folder = join(FOUND, "deliveries", `.${randomUUID()}`);
  try {
    if (!existsSync(join(place, "receipt.json"))) {
      await mkdir(folder);
      await durable(join(folder, "delivery.json"), told);
      let receipt = { reference: delivery.id, data: {} };
      if (delivery.about) {
        await body.save(join(folder, "about.json"), delivery.about);
        const about = await json(join(folder, "about.json"));
        for (const [number, file] of about.files.entries()) {
          await body.save(join(folder, `${number}-${plain(file.name)}`), file);
        }
        receipt = await filed(delivery, about, folder);
      } else if (await body.fill()) {
        await body.save(join(folder, "content"), { sha256: delivery.detail.sha256 });
      }
      await durable(join(folder, "receipt.json"), JSON.stringify(receipt));
      await rename(folder, place);
      await sync(dirname(place));
    }
    return await json(join(place, "receipt.json"));
  } finally {
    // What nobody wants is read, too, so that the other side comes to read the answer.
    await body.drain().catch(() => {});
    await rm(folder, { recursive: true, force: true });
  }
}

async function changes(after) {
  const all = (await readdir(join(FOUND, "outbox"))).filter((name) => name.endsWith(".json") && name > after).sort();
  const names = all.slice(0, PAGE);
  const found = await Promise.all(names.map((name) => json(join(FOUND, "outbox", name))));
  return { changes: found, cursor: names.at(-1) ?? after, more: all.length > PAGE, pauseSeconds: 1 };
}

async function outcomes(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  signed(request, body);
  for (const outcome of JSON.parse(body).outcomes) {
    await durable(join(FOUND, "outcomes", `${plain(outcome.key)}.json`), JSON.stringify(outcome));
  }
}

async function handle(request, response) {
  const answer = (told, status = 200) => {
    response.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" });
    response.end(JSON.stringify(told));
  };
  try {
    const url = new URL(request.url, "http://adapter");
    const [, kind, name = ""] = url.pathname.split("/");
    if (request.method === "POST" && kind === "deliveries") return answer(await take(request));
    if (request.method === "POST" && kind === "outcomes") {
      await outcomes(request);
      return response.writeHead(204).end();
    }
    signed(request, "");
    if (kind === "describe") {
      const capabilities = ["deliver", "reconcile", "run"];
      return answer({ channel: "folder", capabilities, follows: FOLLOWS, keepsRecords: true });
    }
    if (kind === "changes") return answer(await changes(url.searchParams.get("after") ?? ""));
    if (kind === "deliveries" && ID.test(name)) {
      const receipt = join(FOUND, "deliveries", name, "receipt.json");
      if (!existsSync(receipt)) throw new Refused(404, "delivery.unknown");
      return answer(await json(receipt));
    }
    const content = join(FOUND, "contents", name);
    if (kind === "contents" && /^[A-Za-z0-9_-]+$/.test(name) && existsSync(content)) {
      const { size } = await stat(content);
      response.writeHead(200, { "content-type": "application/octet-stream", "content-length": size });
      return await pipeline(createReadStream(content), response);
    }
    throw new Refused(404, "adapter.nothing-here");
  } catch (error) {
    if (response.headersSent) return response.destroy();
    request.resume();
    answer({ code: error.code ?? "adapter.failed" }, error.status ?? 500);
  }
}

for (const name of ["deliveries", "records", "outbox", "contents", "outcomes"]) {
  mkdirSync(join(FOUND, name), { recursive: true });
}
const server = createServer(handle);
server.listen(Number(option("--port", "0")), "127.0.0.1", () => console.log(server.address().port));
