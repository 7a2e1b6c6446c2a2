/** `npm run bots` in a world: everybody plays for all to see, and Ctrl-C leaves nothing behind. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import { until } from "../until.ts";
import { regionsOf, seatsHeld, worldForTests } from "../world.ts";

const PROGRAM = join(import.meta.dirname, "../../loadtest/bots/main.ts");
const BOTS = 12;
/** Coins lie anywhere: the first walk to a bank may lead across half the ground. */
const BANKED_WITHIN_MS = 40_000;

const world = worldForTests({ regions: 1 });

function startBots(...args: readonly string[]): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, [PROGRAM, "--url", world().core.url, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  return { child, output: () => text };
}

function online(players: number): Promise<unknown> {
  return until(`${players} players are online`, async () => {
    const { playersOnline } = await regionsOf(world());
    return playersOnline === players;
  });
}

test("all bots play, bank coins, and leave at Ctrl-C", async (t) => {
  const { child, output } = startBots("--players", String(BOTS), "--seed", "1");
  t.after(() => child.kill("SIGKILL"));
  const play = await new Meridian({ url: world().core.url }).join<ArenaState>("arena");
  t.after(() => play.leave());
  const bots = () => [...play.state.players].filter(([id]) => id !== play.sessionId);

  await until("all bots are in the room", () => bots().length === BOTS);
  const starts = bots().map(([id, { x, y }]) => ({ id, x, y }));
  await until("each of them has moved", () =>
    starts.every(({ id, x, y }) => {
      const now = play.state.players.get(id);
      return now && (now.x !== x || now.y !== y);
    }),
  );
  await until("coins are banked", () => play.state.banked > 0, BANKED_WITHIN_MS);
  await online(BOTS + 1);

  child.kill("SIGINT");
  await until("the program has ended", () => child.exitCode !== null || child.signalCode !== null);
  assert.equal(child.exitCode, 0, output());
  assert.match(output(), new RegExp(`up to ${BOTS} bots at play`));
  assert.match(output(), /failures +none/);
  // Who has banked coins and leaves is paid by the core.
  await until("the leavers are paid", async () => {
    const answer = await fetch(`${world().core.opsUrl}/metrics`);
    const paid = /^meridian_value_ops_total\{outcome="committed"[^}]*\} (\d+)$/m;
    return Number(paid.exec(await answer.text())?.[1] ?? 0) > 0;
  });
  await until("the bots are gone from the room", () => bots().length === 0);
  await play.leave();
  await online(0);
  assert.equal(await seatsHeld(world()), 0, "no seat is kept for anyone");
});

test("with --seconds the bots leave by themselves", async (t) => {
  const { child, output } = startBots("--players", "2", "--seconds", "1");
  t.after(() => child.kill("SIGKILL"));
  await until("the program has ended", () => child.exitCode !== null);
  assert.equal(child.exitCode, 0, output());
  await online(0);
});
