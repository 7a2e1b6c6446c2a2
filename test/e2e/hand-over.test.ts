/**
 * A node is succeeded by its next life in mid-game: players of both kinds of client stay in their
 * room.
 */
import "../standard-websocket.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Callbacks, Client, type Room } from "@colyseus/sdk";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import type { Connection } from "../../shared/client/connection.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import { systemClock } from "../../shared/clock.ts";
import { until } from "../until.ts";
import { allRegionsActive, worldForTests } from "../world.ts";

const world = worldForTests({ regions: 1 });

function region() {
  const [only] = world().regions.values();
  assert.ok(only);
  return only;
}

test("players of both kinds stay in their room and in their places, twice", async (t) => {
  const phases: { phase: Connection["phase"]; atMs: number }[] = [];
  const play = await new Meridian({ url: world().core.url }).join<ArenaState>("arena", {
    onConnection: ({ phase }) => phases.push({ phase, atMs: systemClock.monotonicMs() }),
  });
  t.after(() => play.leave());
  const stock: Room<unknown, ArenaState> = await new Client(world().core.url).joinOrCreate("arena");
  t.after(() => stock.leave());
  // The SDK gives up on a connection that was up for less than 5 s.
  stock.reconnection.minUptime = 0;
  await until("both are in one room", () => play.state.players.size === 2);
  const { roomId, sessionId } = play;
  const names = () => [...play.state.players.values()].map(({ name }) => name).sort();
  const before = names();
  const [state, me] = [play.state, play.state.players.get(sessionId)];
  assert.ok(me);
  const heard = { changed: 0, listened: 0 };
  play.onChange(() => {
    heard.changed += 1;
  });
  const callbacks = Callbacks.get<ArenaState>(play);
  callbacks.listen(me, "x", () => {
    heard.listened += 1;
  });
  let input = 0;

  for (const life of [2, 3]) {
    phases.length = 0;
    let back = false;
    stock.onReconnect.once(() => {
      back = true;
    });
    await region().succeed();
    await until("the player is back", () => phases.at(-1)?.phase === "playing");
    await until("the stock client's player is back", () => back);
    assert.deepEqual([play.roomId, play.sessionId], [roomId, sessionId], `life ${life}`);
    assert.deepEqual(names(), before);
    await until("both are shown as connected", () =>
      [...play.state.players.values()].every(({ connected }) => connected),
    );
    assert.ok(play.state === state && state.players.get(sessionId) === me, "the same instances");
    const known = { ...heard };
    input += 1;
    play.send("move", { input, x: me.x > 1_000 ? -1 : 1, y: 0 });
    await until("who listened before hears of it", () => {
      return heard.changed > known.changed && heard.listened > known.listened;
    });
    const [first, last] = [phases[0], phases.at(-1)];
    t.diagnostic(`away for ${Math.round((last?.atMs ?? 0) - (first?.atMs ?? 0))} ms`);
  }
});

test("without the core nothing is handed over, and everybody plays on", async (t) => {
  const phases: string[] = [];
  const play = await new Meridian({ url: world().core.url }).join<ArenaState>("arena");
  t.after(() => play.leave());
  play.onConnection(({ phase }) => phases.push(phase));
  const { pid } = region();
  world().core.kill("SIGKILL");
  await until("the core is gone", () => world().core.pid === undefined);
  await assert.rejects(region().succeed(), /did not hand its rooms over/);
  assert.equal(region().pid, pid);
  const state = play.state.players.get(play.sessionId);
  const x = state?.x ?? 0;
  play.send("move", { input: 1, x: x > 1_000 ? -1 : 1, y: 0 });
  await until("the player still moves", () => play.state.players.get(play.sessionId)?.x !== x);
  assert.deepEqual(phases, []);
  await world().core.restart();
  await allRegionsActive(world());
});
