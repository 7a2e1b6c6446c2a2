/**
 * The core is gone for a while: rooms play on and nobody is disconnected, what is worth money fails at once and
 * clearly, players' documents pile up in the outbox, and all of it is at the core soon after it is back.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import type { Play } from "../../shared/client/play.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import { auditDiariesAtRest, auditNow } from "../faults/audits.ts";
import { WORLD_OPTIONS } from "../faults/campaign.ts";
import * as checks from "../faults/checks.ts";
import { diaryAuditText } from "../faults/value/diary-audit.ts";
import { Traders } from "../faults/value/traders.ts";
import { type Ask, NotTold } from "../faults/value/treasury-messages.ts";
import type { TreasuryState } from "../faults/value/treasury-room.ts";
import { WatchedPlayers } from "../faults/watched-players.ts";
import { backlogsOf } from "../outbox-backlog.ts";
import { until } from "../until.ts";
import { allRegionsActive, worldForTests } from "../world.ts";

const AWAY_MS = 8_000;
/** Patches of an arena in which bots move: some seconds' worth. */
const CHANGES_MIN = 50;
const REFUSED_IN_A_ROW = 5;
/** An operation that waits for the core waits longer. */
const FAST_MS = 2_000;
const DRAINED_WITHIN_MS = 15_000;
/** Of what waits while players go on writing. */
const AGE_WHEN_DRAINED_MS = 500;
const seed = Number(process.env.TEST_SEED ?? 1);

const world = worldForTests({ ...WORLD_OPTIONS, regions: 2 });

interface Crowd {
  readonly players: WatchedPlayers;
  readonly traders: Traders;
  /** Resolves when all have left. */
  stop(): Promise<void>;
}

/** Bots in the arena and traders in the treasury, all of whom play. */
async function crowd(t: TestContext): Promise<Crowd> {
  const end = new AbortController();
  const common = { url: world().core.url, regionIds: [...world().regions.keys()], seed };
  const players = new WatchedPlayers({ ...common, perRegion: 2 });
  const traders = new Traders({ ...common, perRegion: 2, closed: players.closed });
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

/** A guest of its own, in a room of that game. */
async function joined<State>(game: string): Promise<Play<State>> {
  const meridian = new Meridian({ url: world().core.url });
  await meridian.logIn({ name: "Ada" });
  return await meridian.join<State>(game);
}

/** Asks for one credit. @returns why it failed, or undefined when no answer came soon */
async function refusalOf(play: Play<TreasuryState>, cause: string): Promise<string | undefined> {
  let why: string | undefined;
  const cancel = play.onMessage("not_told", (payload) => {
    const told = NotTold.parse(payload);
    if (told.cause === cause) why = told.why;
  });
  play.send("ask", { kind: "earn", cause, amount: 1 } satisfies Ask);
  await until("an answer", () => why, FAST_MS).catch(() => {});
  cancel();
  return why;
}

/** Which rooms they are in, and how many connections the traders have had. */
function whereabouts({ players, traders }: Crowd) {
  return {
    rooms: players.all.map(({ bot }) => bot.room?.roomId),
    pages: traders.all.map(({ diary }) => diary.pages.length),
  };
}

test("with the core gone rooms play on, and what piled up is at the core soon after", async (t) => {
  const all = await crowd(t);
  const { players, traders } = all;
  const arena = await joined<ArenaState>("arena");
  const treasury = await joined<TreasuryState>("treasury");
  let changes = 0;
  arena.onChange(() => {
    changes += 1;
  });
  for (const player of players.all) player.forget();
  const before = whereabouts(all);

  world().core.kill("SIGKILL");
  const goneAtMs = systemClock.monotonicMs();
  await until("the core is gone", () => world().core.pid === undefined);
  changes = 0;
  await classAFails(treasury);
  await until("ticks go on", () => changes >= CHANGES_MIN);
  const early = await backlogsOf(world());
  await until("documents pile up at each node", async () => {
    const now = await backlogsOf(world());
    return now.every(({ items }, index) => items > (early[index]?.items ?? 0));
  });
  await sleep(systemClock, Math.max(0, AWAY_MS - (systemClock.monotonicMs() - goneAtMs)));
  const most = await backlogsOf(world());
  assert.ok(
    most.every(({ ageMs }) => ageMs > AWAY_MS / 2),
    `nothing waits for long: ${JSON.stringify(most)}`,
  );

  await world().core.restart();
  const backAtMs = systemClock.monotonicMs();
  const drained = async () =>
    (await backlogsOf(world())).every(({ ageMs }) => ageMs < AGE_WHEN_DRAINED_MS);
  await until("the backlog drains", drained, DRAINED_WITHIN_MS);
  const tookMs = Math.round(systemClock.monotonicMs() - backAtMs);
  const counts = most.map(({ items }) => items).join(" and ");
  t.diagnostic(`${counts} changes drained within ${tookMs} ms`);
  await allRegionsActive(world());
  const told = traders.records.promised.length;
  await until("money moves again", () => traders.records.promised.length > told);
  checks.requireUndisturbed(players.all);
  assert.deepEqual(whereabouts(all), before, "nobody was disconnected");
  for (const play of [arena, treasury]) {
    assert.equal(play.connection.phase, "playing");
    await play.leave();
  }
  t.diagnostic(await nothingIsLost(all));
});

/** Without a lease nothing is sent, so that it is certain that nothing happened. */
async function classAFails(treasury: Play<TreasuryState>): Promise<void> {
  let asked = 0;
  const ask = () => {
    asked += 1;
    return refusalOf(treasury, `away-${asked}`);
  };
  await until("an operation fails", async () => (await ask()) !== undefined);
  for (let more = 0; more < REFUSED_IN_A_ROW; more += 1) assert.equal(await ask(), "unavailable");
}

/** @returns what became of the notes */
async function nothingIsLost({ traders, stop }: Crowd): Promise<string> {
  await stop();
  await auditNow(world(), traders);
  const diaries = await auditDiariesAtRest(world(), traders);
  assert.deepEqual([diaries.wentWithNodes, diaries.refused], [0, 0]);
  return diaryAuditText(diaries);
}
