/** Refused changes: kept up to a bound, and made or dropped by an operator, only while nobody plays. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { EPOCH_NONE, type Epoch } from "../../shared/epoch.ts";
import { isFailure } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import type { OutboxItem } from "../../shared/protocol/player-state.ts";
import { adding, beijing1, granted, release, setting, startTestStates } from "./test-states.ts";

const KEPT_MAX = 30;
const world = await startTestStates({ refusedKeptMax: KEPT_MAX });
after(() => world.drop());
const { refused, database } = world;

let producers = 0;
function send(items: OutboxItem[]) {
  producers += 1;
  return world.batch(`beijing-1/2/${producers}`, [1, 1], items);
}

/** A player whom nobody holds, with one change that came too late. */
async function withLateChange(late: (playerId: PlayerId, epoch: Epoch) => OutboxItem) {
  const playerId = await world.newPlayer();
  const epoch = await granted(world.load(playerId, beijing1));
  await send([adding(playerId, epoch, { kills: 1 }), release(playerId, epoch)]);
  await send([late(playerId, epoch)]);
  const [row] = await refused.list(playerId, 10);
  assert.ok(row);
  return { playerId, id: row.id };
}

test("applied: on the document as it is now, once, and never while a node holds the player", async () => {
  const { playerId, id } = await withLateChange((player, epoch) => {
    return adding(player, epoch, { kills: 10 });
  });
  const epoch = await granted(world.load(playerId, beijing1));
  await send([adding(playerId, epoch, { kills: 100 })]);
  await assert.rejects(refused.apply(id, "Grace"), (e) => {
    return isFailure(e, "conflict") && /beijing-1 holds the player/.test(e.message);
  });
  await send([release(playerId, epoch)]);
  const twice = await Promise.allSettled([refused.apply(id, "Grace"), refused.apply(id, "Grace")]);
  assert.equal(twice.filter(({ status }) => status === "fulfilled").length, 1);
  assert.deepEqual(await world.fields(playerId), { kills: 111 });
  assert.deepEqual(await refused.list(playerId, 10), []);
  await assert.rejects(refused.drop(id, "Grace"), (e) => isFailure(e, "not_found"));
  const [row] = await database.rows(
    "select resolved_by, resolution from refused_changes where id = $1",
    [id],
  );
  assert.deepEqual(row, { resolved_by: "Grace", resolution: "applied" });
  const next = await world.load(playerId, beijing1);
  assert.equal(next.outcome === "granted" && next.documents[0]?.version, 3);
});

test("dropped: it changes nothing and is not listed any more", async () => {
  const { playerId, id } = await withLateChange((player, epoch) => {
    return setting(player, epoch, { kills: 0 });
  });
  await refused.drop(id, "Grace");
  assert.deepEqual(await world.fields(playerId), { kills: 1 });
  assert.deepEqual(await refused.list(playerId, 10), []);
});

test("what can't be made is refused and stays: another format, too large, no values, no player", async () => {
  const { playerId, id } = await withLateChange((player, epoch) => {
    return { ...adding(player, epoch, { kills: 1 }), format: 2 };
  });
  await assert.rejects(refused.apply(id, "Grace"), /of format 1 by now, the change of 2/);
  const epoch = await granted(world.load(playerId, beijing1));
  const large = setting(playerId, epoch, { text: "x".repeat(70_000) });
  await send([large, setting(playerId, epoch, { text: "\0" }), release(playerId, epoch)]);
  const [unstorable, tooLarge] = await refused.list(playerId, 10);
  await assert.rejects(refused.apply(tooLarge?.id ?? 0, "Grace"), /too_large/);
  await assert.rejects(refused.apply(unstorable?.id ?? 0, "Grace"), /could not be kept/);
  assert.equal((await refused.list(playerId, 10)).length, 3);
  await assert.rejects(refused.apply(999_999, "Grace"), (e) => isFailure(e, "not_found"));
});

test("past the bound the oldest unresolved ones go, and are counted", async () => {
  await database.run("delete from refused_changes");
  const playerId = await world.newPlayer();
  const epoch = await granted(world.load(playerId, beijing1));
  assert.notDeepEqual(epoch, EPOCH_NONE);
  await send([release(playerId, epoch)]);
  const late = (n: number) => setting(playerId, epoch, { n });
  await send(Array.from({ length: 600 }, (_, n) => late(n)));
  await refused.settled();
  const kept = await refused.list(undefined, 1_000);
  assert.equal(kept.length, KEPT_MAX);
  assert.deepEqual(kept.at(0)?.item.set, { n: 599 });
  const text = await world.metrics.metrics();
  assert.match(text, /meridian_refused_changes_dropped_total \d/);
});
