/**
 * Two people open the page, see each other move, and lose their region. With `SCREENSHOTS` set to a
 * folder, pictures of what they see are left there.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { sleep, systemClock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { until } from "../until.ts";
import { allRegionsActive, worldForTests } from "../world.ts";
import { launchChromium } from "./chromium.ts";

const world = worldForTests({ regions: 3 });
let browser: Browser;
const wrong: string[] = [];

before(async () => {
  browser = await launchChromium();
});
after(async () => {
  await browser.close();
});

/** Opens the page in a browser of its own: another person. */
async function open(path = "/"): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 760 } });
  const page = await context.newPage();
  page.on("pageerror", (error) => wrong.push(`${error}`));
  page.on("console", (message) => {
    const text = message.text();
    // Said of each failed request by Chromium itself, while a region is down.
    const network = /net::ERR_|WebSocket connection|Failed to load resource/;
    if (message.type() === "error" && !network.test(text)) {
      wrong.push(text);
    }
  });
  await page.goto(new URL(path, world().core.url).href);
  await until("the page plays", () =>
    page.evaluate(() => window.arena?.connection.phase === "playing"),
  );
  await until("one's own player is shown", () => page.evaluate(() => window.arena?.me != null));
  return page;
}

async function picture(page: Page, name: string): Promise<void> {
  const dir = process.env.SCREENSHOTS;
  if (dir) await page.screenshot({ path: join(dir, `${name}.png`) });
}

const otherOf = (page: Page) => page.evaluate(() => window.arena?.others[0]);

test("two browsers see each other move, by keyboard and by mouse", async (t) => {
  const ada = await open();
  const roomId = await ada.evaluate(() => window.arena?.roomId);
  const bob = await open(`/?room=${roomId}`);
  t.after(() => Promise.all([ada.context().close(), bob.context().close()]));
  const before = await until("bob sees ada", () => otherOf(bob));

  const away = before.x > 0 ? "ArrowLeft" : "ArrowRight";
  // Each page gets its input as the one in front: a page that loses the focus lets all keys go.
  await ada.bringToFront();
  await until("bob sees ada run", async () => {
    // A keyboard repeats a key that is held down; the driver's repeats it when asked to.
    await ada.keyboard.down(away);
    const now = await otherOf(bob);
    return now && Math.abs(now.x - before.x) > 40;
  });
  await ada.keyboard.up(away);

  const bobBefore = await until("ada sees bob", () => otherOf(ada));
  await bob.bringToFront();
  await bob.mouse.move(bobBefore.x > 0 ? 100 : 1180, 380);
  await bob.mouse.down();
  await until("ada sees bob run", async () => {
    const now = await otherOf(ada);
    return now && Math.hypot(now.x - bobBefore.x, now.y - bobBefore.y) > 40;
  });
  await bob.mouse.up();
  await picture(ada, "arena");
  assert.deepEqual(wrong, []);
});

test("the page shows the region, the round trips and the connection in words", async (t) => {
  const page = await open();
  t.after(() => page.context().close());
  const trips = await until("round trips to all three regions", async () => {
    const measured = await page.evaluate(() => window.arena?.roundTripsMs ?? {});
    return Object.keys(measured).length === 3 ? measured : undefined;
  });
  for (const trip of Object.values(trips)) assert.ok(trip >= 0 && trip < 5_000);
  const text = await page.evaluate(() => document.body.textContent ?? "");
  for (const name of ["Beijing", "Tianjin", "Shanghai"]) assert.ok(text.includes(name), name);
  const words = await page.evaluate(() => window.arena?.words ?? "");
  assert.match(words, /connected to/i);
  assert.deepEqual(wrong, []);
});

test("on a phone the finger steers", async (t) => {
  const context = await browser.newContext({
    viewport: { width: 390, height: 780 },
    hasTouch: true,
    isMobile: true,
  });
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(world().core.url);
  const start = await until("the player is shown", () =>
    page.evaluate(() => window.arena?.me ?? undefined),
  );
  const session = await context.newCDPSession(page);
  const finger = (x: number, y: number) => [{ x, y }];
  await session.send("Input.dispatchTouchEvent", {
    type: "touchStart",
    touchPoints: finger(195, 560),
  });
  const targetX = start.x > 0 ? 120 : 270;
  await session.send("Input.dispatchTouchEvent", {
    type: "touchMove",
    touchPoints: finger(targetX, 560),
  });
  await until("the player ran", async () => {
    const now = await page.evaluate(() => window.arena?.me ?? undefined);
    return now && Math.abs(now.x - start.x) > 30;
  });
  await session.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await picture(page, "arena-phone");
});

test("a killed region: the player is told in words, and plays on in another", async (t) => {
  const page = await open();
  t.after(() => page.context().close());
  const from = RegionId.parse(await page.evaluate(() => window.arena?.regionId));
  world().regions.get(from)?.kill("SIGKILL");
  await until("the page tells of the break", async () => {
    const words = await page.evaluate(() => window.arena?.words ?? "");
    return /lost|try|back|gone/i.test(words);
  });
  await picture(page, "region-lost");
  await until(
    "the page plays in another region",
    async () => {
      const now = await page.evaluate(() => ({
        phase: window.arena?.connection.phase,
        regionId: window.arena?.regionId,
      }));
      return now.phase === "playing" && now.regionId !== from;
    },
    60_000,
  );
  await until("the player is shown there", () => page.evaluate(() => window.arena?.me != null));
  await picture(page, "region-moved");
  await world().regions.get(from)?.restart();
  await allRegionsActive(world());
  assert.deepEqual(wrong, []);
});

test("a player who opens the arena elsewhere plays there, and here only by the button", async (t) => {
  const first = await open();
  const account = await first.evaluate(() => ({ ...sessionStorage }));
  const context = await browser.newContext();
  await context.addInitScript((entries: Record<string, string>) => {
    for (const [key, value] of Object.entries(entries)) sessionStorage.setItem(key, value);
  }, account);
  const second = await context.newPage();
  t.after(() => Promise.all([first.context().close(), context.close()]));
  await second.goto(world().core.url);
  const plays = (page: Page) => page.evaluate(() => window.arena?.connection.phase === "playing");
  await until("the second page plays", () => plays(second));

  const button = first.getByRole("button", { name: "Play here again" });
  await button.waitFor();
  assert.match(await first.evaluate(() => window.arena?.words ?? ""), /another tab or device/);
  await picture(first, "taken-over");
  // Longer than the page waits before it looks for another room by itself.
  await sleep(systemClock, 5_000);
  assert.deepEqual([await plays(first), await plays(second)], [false, true]);
  await button.click();
  await until("the first page plays again", () => plays(first));
  await second.getByRole("button", { name: "Play here again" }).waitFor();
  assert.deepEqual(wrong, []);
});
