/**
 * A player on the page and one in a program collect coins in one room; the page's button kills their region with all
 * it has, and both play on: same room, same entities, same scores, each coin paid once. Then it is started again.
 *
 * With `SCREENSHOTS` set to a folder, the four moments are left there in one picture, `failover.png`.
 */
import "../standard-websocket.ts";
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { Point } from "../../region/games/arena/arena-map.ts";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import { decide, type Goal, LOOK_EVERY_MS } from "../../region/games/arena/bot.ts";
import type { Moved } from "../../shared/client/connection.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import type { Play } from "../../shared/client/play.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { until } from "../until.ts";
import { allRegionsActive, regionsOf, worldForTests } from "../world.ts";
import { launchChromium } from "./chromium.ts";

const VIEW = { width: 1280, height: 760 };
const STRIP_WIDTH = 1_400;

const world = worldForTests({ regions: 3, pages: true, killButton: true });
let browser: Browser;
const wrong: string[] = [];
const pictures: { readonly png: Buffer; readonly caption: string }[] = [];

before(async () => {
  browser = await launchChromium();
});
after(async () => {
  await browser.close();
});

async function open(): Promise<Page> {
  const context = await browser.newContext({ viewport: VIEW });
  const page = await context.newPage();
  page.on("pageerror", (error) => wrong.push(`${error}`));
  await page.goto(`${world().core.url}/?name=Ada`);
  await until("one's own player is shown", () => page.evaluate(() => window.arena?.me != null));
  return page;
}

const where = (page: Page) =>
  page.evaluate(() => {
    const { roomId, sessionId, regionId } = window.arena ?? {};
    return { roomId, sessionId, regionId };
  });

const story = (page: Page) => page.evaluate(() => window.arena?.story ?? []);

async function picture(page: Page, caption: string): Promise<void> {
  if (process.env.SCREENSHOTS) pictures.push({ png: await page.screenshot(), caption });
}

/** Runs for coins, and to a bank once it carries some, until that player has banked. */
async function collect(
  { state }: Play<ArenaState>,
  sessionId: string,
  push: (push: Point) => unknown,
): Promise<void> {
  let goal: Goal | undefined;
  await until(
    `${sessionId} has banked`,
    async () => {
      const me = state.players.get(sessionId);
      if (!me) return false;
      const decision = decide(state, { x: me.x, y: me.y, carried: me.carried, goal }, Math.random);
      ({ goal } = decision);
      await push(decision.push);
      await sleep(systemClock, LOOK_EVERY_MS);
      return me.score > 0;
    },
    60_000,
  );
  await push({ x: 0, y: 0 });
}

/** Until nothing of the scores can be on its way. */
async function settled({ state }: Play<ArenaState>): Promise<ReadonlyMap<string, string>> {
  const scores = () =>
    new Map([...state.players].map(([id, { score, carried }]) => [id, `${score} + ${carried}`]));
  let before = scores();
  await until("everybody stands still", async () => {
    await sleep(systemClock, 1_000);
    const now = scores();
    const same = [...now].every(([id, score]) => before.get(id) === score);
    before = now;
    return same;
  });
  return before;
}

/** Of what `settled` says of a player: banked and carried together. */
function worth(text: string): number {
  return text.split(" + ").reduce((sum, part) => sum + Number(part), 0);
}

async function saveStrip(): Promise<void> {
  const dir = process.env.SCREENSHOTS;
  if (!dir) return;
  const page = await browser.newPage({ viewport: { width: STRIP_WIDTH, height: 100 } });
  const figures = pictures.map(
    ({ png, caption }) =>
      `<figure><img src="data:image/png;base64,${png.toString("base64")}"><figcaption>${caption}</figcaption></figure>`,
  );
  await page.setContent(
    `<style>body{display:grid;grid-template-columns:1fr 1fr;gap:10px;margin:0;padding:10px;background:#0a0f1c;font:15px system-ui;color:#e8eefc}
     figure{margin:0}img{display:block;width:100%;border-radius:6px}figcaption{padding:6px 2px 0}</style>
     ${figures.join("")}`,
  );
  await page.locator("body").screenshot({ path: join(dir, "failover.png") });
  await page.close();
}

test("the button kills the region, and both players play on in their room, with what they had", async (t) => {
  const page = await open();
  t.after(() => page.context().close());
  // The hint goes by itself after a while: not before what follows is done.
  await page.getByRole("button", { name: "Close" }).click();
  const from = await where(page);
  const { roomId, sessionId } = from;
  assert.ok(roomId && sessionId);
  const bob = new Meridian({ url: world().core.url });
  const play = await bob.join<ArenaState>("arena", { mode: "joinById", roomId });
  t.after(() => play.leave());
  const moves: Moved[] = [];
  play.onMoved((moved) => moves.push(moved));
  let serial = 0;
  await until("bob sees ada", () => play.state.players.has(sessionId));
  await Promise.all([
    collect(play, sessionId, ({ x, y }) =>
      page.evaluate(([right, down]) => window.arena?.steer(right, down), [x, y] as const),
    ),
    collect(play, play.sessionId, ({ x, y }) => {
      serial += 1;
      play.send("move", { input: serial, x, y });
    }),
  ]);
  const scores = await settled(play);
  const [state, ada] = [play.state, play.state.players.get(sessionId)];
  await picture(page, "Playing");

  await page.getByRole("button", { name: "Kill this region" }).click();
  await until("the page tells of the break", async () =>
    (await story(page)).some((line) => line.endsWith("does not answer…")),
  );
  await picture(page, "The region was killed");
  await until("it asks, or is on its way", async () =>
    /asking|goes on/i.test((await story(page)).at(-1) ?? ""),
  );
  await picture(page, "The room goes on in the neighbour");
  const moved = await until(
    "the page tells of the move",
    async () => (await story(page)).find((line) => / s later/.test(line)),
    30_000,
  );
  t.diagnostic(moved);
  await picture(page, "Playing on there");

  const to = await where(page);
  assert.deepEqual({ ...to, regionId: "" }, { ...from, regionId: "" }, "same room, same session");
  assert.notEqual(to.regionId, from.regionId);
  await until("bob is there, too", () => moves.length > 0, 30_000);
  assert.deepEqual(
    { ...moves[0], tookMs: 0 },
    { from: from.regionId, to: to.regionId, tookMs: 0, sameRoom: true },
  );
  assert.equal(play.state, state, "the same state object");
  assert.equal(play.state.players.get(sessionId), ada, "the same entity, for who listens to it");
  // A coin may appear where somebody stands: what one has may only grow.
  const had = new Map([...scores].map(([id, text]) => [id, worth(text)]));
  for (const [id, text] of await settled(play)) {
    assert.ok(worth(text) >= (had.get(id) ?? 0), `${id}: ${text} after ${scores.get(id)}`);
  }
  const x = ada?.x ?? 0;
  await page.evaluate((right) => window.arena?.steer(right, 0), x > 1_000 ? -1 : 1);
  await until("ada runs, in bob's eyes", () => ada?.x !== x);

  const score = play.state.players.get(play.sessionId)?.score ?? 0;
  await play.leave();
  const coins = async () =>
    (await bob.possessions()).wallets.find(({ currency }) => currency === "coin")?.balance;
  await until("what bob banked is paid", async () => ((await coins()) ?? 0) >= score);
  assert.equal(await coins(), score, "once");

  const killed = RegionId.parse(from.regionId);
  const { regions } = await regionsOf(world());
  assert.equal(regions.find(({ regionId }) => regionId === killed)?.state, "down", "it stays away");
  await page.getByRole("button", { name: /^Start .* again$/ }).click();
  await allRegionsActive(world());
  await until("the page tells of the return", async () =>
    (await story(page)).some((line) => line.includes("is back.")),
  );
  assert.deepEqual(wrong, []);
  await saveStrip();
});
