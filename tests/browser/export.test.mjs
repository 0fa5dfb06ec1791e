// Exported records, read by another implementation of Automerge, say what `fieldgrid show --json` says (docs/schema.md, "Documents").
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import * as Automerge from "@automerge/automerge";
import { decode } from "cborg";

const cbor = { decode: (bytes) => decode(bytes, { useMaps: true }) };
/** Places of an action's CBOR array, and keys of its fields. */
const AT = 2;
const FIELDS = 8;
const TEXT = 1;

test("exported records agree with what the phone shows", async () => {
  const folder = await mkdtemp(join(tmpdir(), "export-"));
  await promisify(execFile)(process.env.SYNC_SERVER ?? "sync-server", ["demo", "--once", "--seed", "7", "--households", "5", "--export", folder]);
  const count = { case: 0, household: 0 };
  for (const file of (await readdir(folder)).filter((name) => name.endsWith(".automerge"))) {
    const document = Automerge.load(await readFile(join(folder, file)));
    const shown = JSON.parse(await readFile(join(folder, file.replace(/automerge$/, "json")), "utf8"));
    count[shown.kind] += 1;
    if (shown.kind === "case") sameCase(document, shown.case);
    else sameHousehold(document, shown.household);
  }
  assert.ok(count.case > 50 && count.household === 20, JSON.stringify(count));
  await rm(folder, { recursive: true });
});

function sameCase(document, shown) {
  assert.deepEqual(Object.keys(document.actions).sort(), shown.history.map(({ id }) => id).sort());
  for (const [id, bytes] of Object.entries(document.actions)) {
    assert.equal(createHash("sha256").update(bytes).digest("hex").slice(0, 32), id);
    const action = cbor.decode(bytes);
    const entry = shown.history.find((one) => one.id === id).action;
    assert.equal(action[AT][0], entry.at.wall_ms);
    assert.equal(action[FIELDS].get(TEXT), entry.fields.text);
  }
}

function sameHousehold(document, shown) {
  const read = (value) => (Array.isArray(value) ? (value[1]?.[0] ?? null) : value);
  const plain = (edits) => Object.fromEntries(edits.map(([name, value]) => [name, value instanceof Automerge.ImmutableString ? value.val : value]));
  const fields = { ...Object.fromEntries([...cbor.decode(document.base)].map(([name, value]) => [name, read(value)])), ...plain(Object.entries(document.fields)) };
  assert.deepEqual(fields, shown.fields);
  const persons = Object.entries(document.persons).filter(([key]) => !key.includes("."));
  assert.deepEqual(persons.map(([id]) => id).sort(), Object.keys(shown.persons).sort());
  for (const [id, base] of persons) {
    const edits = Object.entries(document.persons).filter(([key]) => key.startsWith(`${id}.`)).map(([key, value]) => [key.slice(id.length + 1), value]);
    const said = { ...Object.fromEntries([...cbor.decode(base)].map(([name, value]) => [name, read(value)])), ...plain(edits) };
    assert.deepEqual(said, shown.persons[id]);
  }
}
