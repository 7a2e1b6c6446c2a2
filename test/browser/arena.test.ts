/**
 * Two people open the page, see each other move, ask for a region, and look at the map; `failover.test.ts` takes
 * their region away. With `SCREENSHOTS` set to a folder, pictures of what they see are left there.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Locator, Page } from "playwright-core";
import { sleep, systemClock } from "../../shared/clock.ts";
import { until } from "../until.ts";
import { worldForTests } from "../world.ts";
import { launchChromium } from "./chromium.ts";

const world = worldForTests({ regions: 3, pages: true });
let browser: Browser;
const wrong: string[] = [];

before(async () => {
  browser = await launchChromium();
});
after(async () => {
  await browser.close();
});

/** A page in a browser of its own: another person. */
async function visit(path: string): Promise<Page> {
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
  return page;
}

/** Opens the arena and waits until one plays. */
async function open(path = "/"): Promise<Page> {
  const page = await visit(path);
  await playing(page);
  await until("one's own player is shown", () => page.evaluate(() => window.arena?.me != null));
  return page;
}

/** As it is shown, in one line. */
async function shown(locator: Locator): Promise<string> {
  return (await locator.allInnerTexts()).join(" ").replace(/\s+/g, " ");
}

function playing(page: Page): Promise<unknown> {
  return until("the page plays", () =>
    page.evaluate(() => window.arena?.connection.phase === "playing"),
  );
}

async function want(region: string, state: "active" | "draining"): Promise<void> {
  const { core, operatorToken } = world();
  const answer = await fetch(`${core.opsUrl}/ops/regions/${region}/wanted`, {
    method: "POST",
    headers: { authorization: `Bearer ${operatorToken}`, "content-type": "application/json" },
    body: JSON.stringify({ state }),
  });
  assert.equal(answer.status, 200);
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

test("who asks for a region plays there, or is told why not and offered any other", async (t) => {
  await want("tianjin", "draining");
  const page = await open("/?region=beijing");
  t.after(async () => {
    await page.context().close();
    await want("tianjin", "active");
  });
  assert.equal(await page.evaluate(() => window.arena?.regionId), "beijing");
  for (const [region, words] of [
    ["lhasa", 'There is no region "lhasa".'],
    ["tianjin", "Tianjin takes no players: draining: it takes no new players."],
  ]) {
    await page.goto(`${world().core.url}/?region=${region}`);
    const notice = page.getByRole("alert");
    await notice.waitFor();
    assert.equal(await notice.locator("#notice-text").textContent(), words);
  }
  await page.getByRole("button", { name: "Play anywhere" }).click();
  await playing(page);
  assert.notEqual(await page.evaluate(() => window.arena?.regionId), "tianjin");
  assert.deepEqual(wrong, []);
});

test("the map shows where one is taken to be, every region with its reason, and the way", async (t) => {
  await want("tianjin", "draining");
  const page = await visit("/");
  t.after(async () => {
    await page.context().close();
    await want("tianjin", "active");
  });
  const hosts = new Set<string>();
  page.on("request", (request) => hosts.add(new URL(request.url()).hostname));
  await page.getByRole("link", { name: "Why this region?" }).click();
  await page.waitForURL(`${world().core.url}/map/?game=arena`);
  const rows = page.getByRole("table").locator("tbody").getByRole("row");
  await until("the regions are measured", async () => {
    const texts = await rows.allInnerTexts();
    return texts.length === 3 && texts.every((text) => /measured/.test(text));
  });
  assert.match(await shown(page.locator("#place")), /takes you to be in Hangzhou \(30\.3°N/);
  assert.match(
    await shown(page.getByRole("status")),
    /^You play in (Shanghai|Beijing), [\d.]+ ms away$/,
  );
  assert.match(await shown(rows.first()), /takes players .* the best/);
  const drained = await shown(rows.last());
  assert.match(drained, /^Tianjin draining .* – draining: it takes no new players/);

  const drawn = () =>
    page.locator("#world .sign").evaluateAll((signs) => signs.map(({ classList }) => classList[1]));
  assert.deepEqual(await drawn(), ["draining", "open", "open", "you"]);
  assert.match((await page.locator("#world .way").getAttribute("d")) ?? "", /^M/);
  await picture(page, "map");
  await want("tianjin", "active");
  await until("the map has followed by itself", async () => !(await drawn()).includes("draining"));

  await page.getByRole("button", { name: "Whole world" }).click();
  await page.getByRole("button", { name: "Measure again" }).click();
  await until("it has measured", () => page.locator("#again").isEnabled());
  await page.setViewportSize({ width: 390, height: 780 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the phone's page is ${overflow} px too wide`);
  assert.deepEqual([...hosts], ["127.0.0.1"]);
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
