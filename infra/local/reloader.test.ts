import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { FakeClock } from "../../shared/fake-clock.ts";
import { StartError } from "./node-process.ts";
import { Reloader } from "./reloader.ts";

let taken = {};
const node = createServer((_request, response) => response.end(JSON.stringify(taken)));
before(() => new Promise<void>((listening) => node.listen(0, "127.0.0.1", listening)));
after(() => {
  node.close();
  node.closeAllConnections();
});

/** Two regions, of which the second has the players. */
function world() {
  const lines: string[] = [];
  const done: string[] = [];
  const failing = new Map<string, Error>();
  const step = async (name: string) => {
    const failure = failing.get(name);
    if (failure) throw failure;
    done.push(name);
  };
  const privateUrl = `http://127.0.0.1:${(node.address() as AddressInfo).port}`;
  const reloader = new Reloader({
    regions: ["beijing", "tianjin"].map((id) => ({
      id,
      pid: 1,
      privateUrl,
      succeed: () => step(id),
    })),
    players: async () => new Map([["tianjin", 2]]),
    buildPages: () => step("pages"),
    clock: new FakeClock(),
    report: (line) => lines.push(line),
  });
  return { lines, done, failing, reloader };
}

test("the region with the players comes first, and what became of the rooms is told", async () => {
  taken = { restored: [{ players: 2 }], afresh: [] };
  const { lines, done, reloader } = world();
  await reloader.changed(["duel/duel-rules.ts"]);
  assert.deepEqual(done, ["pages", "tianjin", "beijing"]);
  assert.deepEqual(lines, [
    "✓ reloaded duel/duel-rules.ts  0.0 s  2 rooms went on, with 4 players",
  ]);
});

test("a room that can't go on is told with the reason", async () => {
  taken = { restored: [], afresh: [{ roomId: "r1", game: "duel", why: "its state differs" }] };
  const { lines, reloader } = world();
  await reloader.changed(["duel/duel-state.ts", "duel/duel-room.ts"]);
  assert.deepEqual(lines.slice(0, 2), [
    "✓ reloaded duel/duel-state.ts and 1 other file  0.0 s",
    "! duel room r1 starts afresh: its state differs",
  ]);
});

test("a change of a page alone leaves the nodes alone", async () => {
  const { done, reloader } = world();
  await reloader.changed(["duel/page/main.ts", "duel/page/style.css"]);
  assert.deepEqual(done, ["pages"]);
});

test("code that does not run, and a page that is not built, change nothing", async () => {
  const { lines, done, failing, reloader } = world();
  failing.set("tianjin", new StartError("exit 1", "duel-rules.ts:3: SyntaxError: no", "a.log"));
  failing.set("pages", new Error("the page can't be built: main.ts:1:2: ERROR"));
  await reloader.changed(["duel/duel-rules.ts"]);
  assert.deepEqual(done, []);
  assert.deepEqual(lines, [
    "✗ the page can't be built: main.ts:1:2: ERROR; the page stays as it was",
    "✗ the new code does not run, the old one runs on: duel-rules.ts:3: SyntaxError: no",
  ]);
});

test("what is saved during a reload makes one more, and no two at once", async () => {
  taken = { restored: [], afresh: [] };
  const { lines, reloader } = world();
  const first = reloader.changed(["a.ts"]);
  await Promise.all([first, reloader.changed(["b.ts"]), reloader.changed(["c.ts"])]);
  assert.deepEqual(lines, ["✓ reloaded a.ts  0.0 s", "✓ reloaded b.ts and 1 other file  0.0 s"]);
});
