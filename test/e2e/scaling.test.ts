/**
 * A region whose nodes were measured to take few: its load rises, a second node starts and takes those who wait;
 * the load falls, that node is emptied and goes, and whoever played there plays on in the same room.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { z } from "zod";
import { callOps } from "../../core/ops/cli-client.ts";
import { opsCommand } from "../../core/ops/test-ops.ts";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import type { Connection } from "../../shared/client/connection.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import type { Play } from "../../shared/client/play.ts";
import { StatusAnswer } from "../../shared/protocol/ops.ts";
import { CapacityAnswer } from "../../shared/protocol/ops-capacity.ts";
import { ScalingAnswer } from "../../shared/protocol/ops-scaling.ts";
import { until } from "../until.ts";
import { worldForTests } from "../world.ts";

const BUILD = "measured";
const lines: string[] = [];
const world = worldForTests({
  regions: 1,
  scaling: true,
  report: (line) => lines.push(line),
  env: {
    LOG_LEVEL: "warn",
    BUILD,
    ADMISSION_HEADROOM: "0",
    // So that it is those who wait for whom a node is started.
    SCALING_FILL: "1",
    SCALING_NODES_MAX: "2",
    SCALING_COOL_DOWN_MS: "2000",
    SCALING_LEAD_MS: "0",
    SCALING_PERIOD_MS: "200",
  },
});
/** Five seats a node, less the margin. */
const MEASURED = 6;
/** Nodes start and end meanwhile, beside other tests. */
const PATIENCE_MS = 40_000;

function ask<T>(path: string, answer: z.ZodType<T>, body?: unknown): Promise<T> {
  const { core, operatorToken: token } = world();
  const method = body === undefined ? "GET" : "POST";
  return callOps(
    { url: core.opsUrl, token },
    { method, path, answer, ...(body !== undefined && { body }) },
  );
}

async function region() {
  const { regions, decisions } = await ask("/ops/scaling", ScalingAnswer);
  return { ...regions[0], decisions };
}

interface Player {
  readonly play: Play<ArenaState>;
  readonly phases: Connection["phase"][];
}
const players: Player[] = [];
after(() => Promise.all(players.map(({ play }) => play.leave())));

async function joined(): Promise<Player> {
  const phases: Connection["phase"][] = [];
  const play = await new Meridian({ url: world().core.url }).join<ArenaState>("arena", {
    onConnection: ({ phase }) => phases.push(phase),
  });
  const player = { play, phases };
  players.push(player);
  return player;
}

const nodeOf = ({ play }: Player) => play.seat?.reservation.processId;

async function canMove({ play }: Player): Promise<void> {
  const me = () => play.state.players.get(play.sessionId);
  const { x, lastInput } = await until("the player is in the state", me);
  play.send("move", { x: x > 0 ? -1 : 1, y: 0, input: lastInput + 1 });
  await until("the player moves", () => me()?.x !== x);
}

test("load rises, a node starts and takes the next; load falls, it is emptied and goes, nobody is lost", async () => {
  const limit = {
    playersPerNode: MEASURED,
    build: BUILD,
    measuredAt: new Date().toISOString(),
    hardware: "a test",
    serviceLevel: "a test",
  };
  const stored = await ask("/ops/regions/beijing/capacity", CapacityAnswer, limit);
  assert.equal(stored.seatsPerNode, 5);

  // One after the other, so that they meet in one room.
  for (let count = 0; count < stored.seatsPerNode; count += 1) await joined();
  const first = nodeOf(players[0] as Player);
  assert.ok(players.every((player) => nodeOf(player) === first));
  // There is no seat for these: they wait, and are let in at the node that starts for them.
  const late = await Promise.all([joined(), joined()]);
  const second = nodeOf(late[0]);
  assert.ok(second && second !== first, "the next plays at another node");
  assert.equal(nodeOf(late[1]), second);
  assert.ok(
    late.every(({ phases }) => phases.includes("queued")),
    "both have waited",
  );
  assert.equal((await region()).running, 2);
  const up = (await region()).decisions.find(({ from, to }) => from === 1 && to === 2);
  assert.equal(up?.reason, "queue");
  assert.match(up?.why ?? "", /^2 nodes: 5 play, [12] wait.* at 100% of 5 seats a node they take/);

  const { core, operatorToken: token } = world();
  const shown = await opsCommand({ privateUrl: core.opsUrl })(["scale"], {
    MERIDIAN_OPERATOR_TOKEN: token,
  });
  assert.match(shown.out, /beijing 1 → 2: 2 nodes: \d play/);
  assert.ok(lines.some((line) => /^↕ beijing: 1 node, 2 from now on\./.test(line)));

  // Most leave. Three stay: one at the first node, two at the second.
  const [stays, ...leave] = players.splice(0, stored.seatsPerNode);
  assert.ok(stays);
  players.push(stays);
  await Promise.all(leave.map(({ play }) => play.leave()));
  const places = late.map(({ play }) => [play.roomId, play.sessionId]);
  await until("one node is wanted", async () => (await region()).wanted === 1, PATIENCE_MS);
  await until(
    "the second node is gone",
    async () => {
      const { regions } = await ask("/ops/status", StatusAnswer);
      const live = regions[0]?.nodes.filter(({ state }) => state !== "down") ?? [];
      return live.length === 1 && live[0]?.nodeId === first;
    },
    PATIENCE_MS,
  );
  await until("all play", () => players.every(({ play }) => play.connection.phase === "playing"));
  assert.ok(players.every((player) => nodeOf(player) === first));
  assert.deepEqual(
    late.map(({ play }) => [play.roomId, play.sessionId]),
    places,
    "the same room and session",
  );
  for (const player of players) {
    await canMove(player);
    const lost = player.phases.filter((phase) => ["lost", "left", "failed"].includes(phase));
    assert.deepEqual(lost, []);
  }
  assert.ok(!stays.phases.includes("reconnecting"), "who plays at the other node notices nothing");
  const down = (await region()).decisions.find(({ from, to }) => from === 2 && to === 1);
  assert.match(down?.why ?? "", /^1 node, one fewer: 1 have sufficed for 2 s\./);
  assert.ok(lines.some((line) => /^↕ beijing: .* is empty and goes: 1 node\./.test(line)));
});
