/**
 * A world with one seat: people wait for it on the page and in programs. With `SCREENSHOTS` set to a folder,
 * pictures of what they see are left there.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { WaitingPlace } from "../../shared/client/connection.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import { isFailure } from "../../shared/errors.ts";
import { until } from "../until.ts";
import { worldForTests } from "../world.ts";
import { launchChromium } from "./chromium.ts";

const env = { LOG_LEVEL: "warn", PLAYERS_MAX: "1", ADMISSION_HEADROOM: "0" };
const world = worldForTests({ regions: 1, pages: true, env });
let browser: Browser;
const wrong: string[] = [];

before(async () => {
  browser = await launchChromium();
});
after(async () => {
  await browser.close();
});

async function visit(): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 760 } });
  const page = await context.newPage();
  page.on("pageerror", (error) => wrong.push(`${error}`));
  await page.goto(world().core.url);
  return page;
}

/** Waits until the page shows the place. */
function placeOn(page: Page): Promise<WaitingPlace> {
  return until("the page waits", () =>
    page.evaluate(() => {
      const connection = window.arena?.connection;
      return connection && "place" in connection ? connection.place : undefined;
    }),
  );
}

async function picture(page: Page, name: string): Promise<void> {
  const dir = process.env.SCREENSHOTS;
  if (dir) await page.screenshot({ path: join(dir, `${name}.png`) });
}

/** A program that joins, and what it was told of its place. */
function waiter() {
  const leaving = new AbortController();
  const places: WaitingPlace[] = [];
  const joined = new Meridian({ url: world().core.url }).join("arena", {
    signal: leaving.signal,
    onConnection(connection) {
      if ("place" in connection) places.push(connection.place);
    },
  });
  const leave = async () => {
    leaving.abort();
    await assert.rejects(joined, (error) => isFailure(error, "caller_gone"));
  };
  return { joined, places, leave };
}

test("people wait in order, keep their place over a reload, may leave, and play in their turn", async (t) => {
  const holder = await waiter().joined;
  const ada = await visit();
  t.after(() => ada.context().close());
  const { number } = await placeOn(ada);
  const bob = await visit();
  t.after(() => bob.context().close());
  const [title, second] = [ada, bob].map((page) => page.locator("#queue-title"));
  await until("ada is next", async () => /next in line/.test(`${await title?.textContent()}`));
  await until("bob is second", async () => /2nd in line/.test(`${await second?.textContent()}`));
  await picture(bob, "queue");

  await ada.reload();
  const again = await placeOn(ada);
  assert.deepEqual([again.number, again.position], [number, 1], "the place was kept");

  await bob.getByRole("button", { name: "Leave the queue" }).click();
  await bob.getByText("You left the queue.").waitFor();
  await holder.leave();
  await until("ada plays", () => ada.evaluate(() => window.arena?.connection.phase === "playing"));
  const stored = await ada.evaluate(() => sessionStorage.getItem("meridian.place.arena"));
  assert.equal(stored, null, "the place is used up");

  const cem = waiter();
  const before = await until("cem waits", () => cem.places.at(-1));
  assert.equal(before.position, 1, "bob's place is free");
  world().core.kill("SIGKILL");
  await world().core.restart();
  const known = cem.places.length;
  await until("cem is known to the core's next life", () => cem.places.length > known, 30_000);
  const after = cem.places.at(-1);
  assert.deepEqual([after?.number, after?.position], [before.number, 1]);
  assert.equal(await ada.evaluate(() => window.arena?.connection.phase), "playing");
  await cem.leave();
  assert.deepEqual(wrong, []);
});
