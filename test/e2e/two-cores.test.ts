/**
 * Two cores behind HAProxy. The one that leads is killed, and later stands still: the other leads within seconds, no
 * room notices, joins work again, and what is worth money is there once.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { CoreHandle } from "../../infra/local/cores.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import { systemClock } from "../../shared/clock.ts";
import { auditDiariesAtRest, auditNow } from "../faults/audits.ts";
import { WORLD_OPTIONS } from "../faults/campaign.ts";
import * as checks from "../faults/checks.ts";
import { Traders } from "../faults/value/traders.ts";
import { WatchedPlayers } from "../faults/watched-players.ts";
import { until } from "../until.ts";
import { allRegionsActive, worldForTests } from "../world.ts";

const seed = Number(process.env.TEST_SEED ?? 1);
const world = worldForTests({ ...WORLD_OPTIONS, regions: 1, cores: 2 });

interface Crowd {
  readonly players: WatchedPlayers;
  readonly traders: Traders;
  stop(): Promise<void>;
}

/** Bots in the arena and traders in the treasury, all of whom play. */
async function crowd(t: TestContext): Promise<Crowd> {
  const end = new AbortController();
  const common = { url: world().core.url, regionIds: [...world().regions.keys()], seed };
  const players = new WatchedPlayers({ ...common, perRegion: 3 });
  const traders = new Traders({ ...common, perRegion: 3, closed: players.closed });
  const playing = Promise.all([players.run(end.signal), traders.run(end.signal)]);
  const stop = async () => {
    end.abort();
    await playing;
  };
  t.after(stop);
  await checks.allPlay([...players.all, ...traders.all]);
  await until("every trader was told that notes are saved", () =>
    traders.all.every(({ diary }) => diary.pages.at(-1)?.saved),
  );
  return { players, traders, stop };
}

async function statusOf({ privateUrl }: CoreHandle, exclude = ""): Promise<number> {
  const url = `${privateUrl}/readyz${exclude && `?exclude=${exclude}`}`;
  return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).status;
}

/** The one that leads instead of `former`, with the regions, and money that moves again. */
async function takenOver(former: CoreHandle, { traders }: Crowd): Promise<CoreHandle> {
  const other = world().cores.find((core) => core !== former);
  assert.ok(other);
  await until("the other leads", async () => (await statusOf(other)) === 200);
  assert.equal(await world().leader(), other);
  await allRegionsActive(world());
  const told = traders.records.promised.length;
  await until("money moves again", () => traders.records.promised.length > told);
  const meridian = new Meridian({ url: world().core.url });
  await meridian.logIn({ name: "Ada" });
  await (await meridian.join("arena")).leave();
  return other;
}

test("the leader killed, and the next one stopped for a while: another leads, rooms go on, money is there once", async (t) => {
  const all = await crowd(t);
  const { players, traders } = all;
  const connections = () => traders.all.map(({ diary }) => diary.pages.length);
  const before = connections();
  for (const player of players.all) player.forget();
  const first = await world().leader();
  const since = (ms: number) => Math.round(systemClock.monotonicMs() - ms);

  const killedAtMs = systemClock.monotonicMs();
  first.kill("SIGKILL");
  const second = await takenOver(first, all);
  t.diagnostic(`all well ${since(killedAtMs)} ms after a kill`);
  await first.restart();
  assert.deepEqual([await statusOf(first), await statusOf(first, "leadership")], [503, 200]);

  const { pid } = second;
  const stoppedAtMs = systemClock.monotonicMs();
  second.kill("SIGSTOP");
  assert.equal(await takenOver(second, all), first);
  t.diagnostic(`all well ${since(stoppedAtMs)} ms after one stood still`);
  assert.equal(second.pid, pid);
  second.kill("SIGCONT");
  await until("the former leader has ended by itself", () => second.pid === undefined);
  await second.restart();
  assert.deepEqual([await statusOf(second), await statusOf(second, "leadership")], [503, 200]);
  assert.equal(await world().leader(), first);

  checks.requireUndisturbed(players.all);
  assert.deepEqual(connections(), before, "nobody was disconnected");
  await all.stop();
  await auditNow(world(), traders);
  const diaries = await auditDiariesAtRest(world(), traders);
  assert.deepEqual([diaries.wentWithNodes, diaries.refused], [0, 0]);
});
