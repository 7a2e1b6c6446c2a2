/** What a bot does when it is not let in, against a core that does what the test says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../../shared/client/connection.ts";
import { ScriptedWorld } from "../../shared/client/scripted-world.testkit.ts";
import { systemClock } from "../../shared/clock.ts";
import { type ErrorKind, MeridianError } from "../../shared/errors.ts";
import { BotPlayer } from "./bot-player.ts";

/** Runs a bot whose first joins fail, until it is let in. Each of its waits is as short as can be. */
async function runUntilLetIn(failures: readonly ErrorKind[]) {
  const world = new ScriptedWorld();
  const url = await world.start();
  const left = [...failures];
  world.script = ({ path }) => {
    const kind = path === "/v1/join" ? left.shift() : undefined;
    return kind && new MeridianError(kind);
  };
  const stop = new AbortController();
  const failed: ErrorKind[] = [];
  const bot = new BotPlayer({
    url,
    name: "Ada",
    clock: systemClock,
    random: () => 0,
    observer: { joined: () => stop.abort(), failed: ({ kind }) => failed.push(kind) },
  });
  await bot.run(stop.signal);
  world.stop();
  return { world, failed, connection: bot.connection };
}

test("a bot that is let in leaves politely when told to", async () => {
  const { failed, connection } = await runUntilLetIn([]);
  assert.deepEqual(failed, []);
  assert.deepEqual(connection, { phase: "left", reason: "asked" });
});

test("a core that does not know the guest any more is met again as a new guest", async () => {
  // The SDK itself renews its tokens once.
  const { world, failed } = await runUntilLetIn(["unauthorized", "unauthorized"]);
  assert.deepEqual(failed, ["unauthorized"]);
  const logIns = world.asked.filter(({ path }) => path === "/v1/guests");
  assert.deepEqual(
    logIns.map(({ body }) => body.secret),
    [undefined, undefined],
  );
});

test("a bot that waits for its next try is gone at once when told to leave", async () => {
  const stop = new AbortController();
  const connections: Connection[] = [];
  const bot = new BotPlayer({
    url: "http://127.0.0.1:1",
    name: "Ada",
    clock: systemClock,
    random: () => 0,
    observer: {
      connection: (connection) => connections.push(connection),
      failed: () => stop.abort(),
    },
  });
  await bot.run(stop.signal);
  assert.deepEqual(
    connections.map(({ phase }) => phase),
    ["joining", "failed", "left"],
  );
});

test("a bot that finds no room stays the guest it is, and tries again", async () => {
  const tries = Array.from({ length: 9 }, () => "no_region" as const);
  const { world, failed } = await runUntilLetIn(tries);
  assert.deepEqual(failed, ["no_region"], "the SDK itself tries eight times");
  assert.equal(world.count("/v1/guests"), 1);
  assert.equal(world.count("/v1/join"), 10);
});
