/**
 * Executes docs/your-first-game.md as a reader would, with two players in while the code changes.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { TemplateState } from "../region/games/template/template-state.ts";
import type { Connection } from "../shared/client/connection.ts";
import { Meridian } from "../shared/client/meridian.ts";
import type { Play } from "../shared/client/play.ts";
import { makeCheckout } from "./checkout.ts";
import { applyDiff, type Block, blocksOf, patternOf } from "./page-blocks.ts";
import { quietPorts } from "./quiet-ports.ts";
import { until } from "./until.ts";

const PAGE = fileURLToPath(new URL("../docs/your-first-game.md", import.meta.url));
/** A world's ports lie within this many above its base. */
const PORT_SPAN = 140;
const START_MS = 60_000;
const RELOAD_MS = 45_000;
const TEST_MS = 300_000;

type Player = Play<TemplateState>;

let dir = "";
let world: ChildProcess | undefined;
let output = "";
after(async () => {
  if (world?.pid && world.exitCode === null) {
    const ended = new Promise((resolve) => world?.once("exit", resolve));
    process.kill(world.pid, "SIGTERM");
    await ended;
  }
  if (dir) rmSync(dir, { recursive: true, force: true });
});

/** Runs a command of the page to its end. @returns what it printed */
async function run(command: string): Promise<string> {
  const child = spawn("sh", ["-c", command], { cwd: dir, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said += chunk;
    });
  }
  const code = await new Promise((resolve) => child.once("close", resolve));
  assert.equal(code, 0, `${command}\n${said}`);
  return said;
}

async function startWorld(port: number): Promise<void> {
  const start = join(dir, "infra/start/start.mjs");
  world = spawn(process.execPath, [start, "start", "--port-base", `${port}`, "--regions", "1"], {
    cwd: dir,
    stdio: ["ignore", "pipe", "inherit"],
  });
  world.stdout?.on("data", (chunk: Buffer) => {
    output += chunk;
  });
  await until("the world runs", () => output.includes("Meridian runs"), START_MS);
}

/** Waits for what the page shows of the world's output, from `since` on. */
async function worldSays({ text }: Block, since: number): Promise<void> {
  const pattern = patternOf(text);
  await until(
    `the world says ${pattern}`,
    () => pattern.test(output.slice(since)),
    RELOAD_MS,
  ).catch((error: Error) => assert.fail(`${error.message}; it said:\n${output.slice(since)}`));
}

async function joinAs(url: string, name: string): Promise<{ play: Player; said: Connection[] }> {
  const meridian = new Meridian({ url });
  await meridian.logIn({ name });
  const said: Connection[] = [];
  const play = await meridian.join<TemplateState>("star-catch", {
    onConnection: (connection) => said.push(connection),
  });
  return { play, said };
}

const scoreOf = ({ state, sessionId }: Player) => state.players.get(sessionId)?.score;

/** Clicks until the star was there. @returns by how much the score grew */
async function catchStar(play: Player): Promise<number> {
  const before = scoreOf(play) ?? 0;
  await until("the star is caught", async () => {
    play.send("catch", { x: play.state.starX, y: play.state.starY });
    return until("the score grows", () => scoreOf(play) !== before, 500).catch(() => false);
  });
  return (scoreOf(play) ?? 0) - before;
}

test("the page does what it says", { timeout: TEST_MS }, async (t) => {
  dir = makeCheckout();
  const port = await quietPorts(PORT_SPAN);
  const url = `http://127.0.0.1:${port}`;
  const blocks = blocksOf(readFileSync(PAGE, "utf8"));
  const take = (kind: string, file = ""): Block => {
    const block = blocks.shift();
    assert.deepEqual([block?.kind, block?.file.split("/").at(-1)], [kind, file]);
    return block as Block;
  };
  const rules = "star-catch-rules.ts";

  const made = await run(take("sh").text);
  assert.match(made, /✓ made region\/games\/star-catch/);
  await run(take("sh").text);
  assert.equal(take("sh").text, "npm start\n");
  await startWorld(port);
  assert.match(output, new RegExp(`${url}/games/star-catch/`));
  const page = await (await fetch(`${url}/games/star-catch/`)).text();
  assert.match(page, /<title>StarCatch/);

  const { play: ada, said } = await joinAs(url, "Ada");
  const { play: bea } = await joinAs(url, "Bea");
  const { roomId, sessionId } = ada;
  assert.equal(bea.roomId, roomId);
  assert.equal(await catchStar(ada), 1);

  let since = output.length;
  applyDiff(dir, take("diff", rules));
  await worldSays(take("text"), since);
  await until("Ada is back", () => ada.connection.phase === "playing");
  const away = said.findIndex(({ phase }) => phase === "reconnecting");
  assert.ok(away >= 0, "she was away for a moment");
  assert.deepEqual([ada.roomId, ada.sessionId], [roomId, sessionId]);
  assert.equal(scoreOf(ada), 1, "what she had is still there");
  assert.equal(await catchStar(ada), 5, "and the new rule holds");

  since = output.length;
  const events = said.length;
  applyDiff(dir, take("diff", rules));
  await worldSays(take("text"), since);
  assert.equal(await catchStar(ada), 5, "the old code runs on");
  assert.equal(said.length, events, "nobody has noticed");
  applyDiff(dir, take("diff", rules));
  await until("the right code runs", () => /✓ reloaded/.test(output.slice(since)), RELOAD_MS);
  await until("Ada is back", () => ada.connection.phase === "playing");
  ada.send("catch", { x: "far", y: 0 });
  await worldSays(take("text"), since);

  since = output.length;
  applyDiff(dir, take("diff", "star-catch-state.ts"));
  await worldSays(take("text"), since);
  await until(
    "Ada is told that the room is lost",
    () => ada.connection.phase === "lost",
    RELOAD_MS,
  );
  await ada.rejoin();
  assert.equal(scoreOf(ada), 0);
  since = output.length;
  applyDiff(dir, take("diff", rules));
  await until("the count runs", () => /✓ reloaded/.test(output.slice(since)), RELOAD_MS);
  applyDiff(dir, take("diff", "star-catch.test.ts"));
  await run(take("sh").text);

  const script = take("ts", "play.ts");
  writeFileSync(join(dir, script.file), script.text);
  const printed = await run(`${take("sh").text.trim()} ${url}`);
  assert.match(printed, /stars caught in this room: \d+/);
  applyDiff(dir, take("diff", "star-catch-room.ts"));
  since = output.length;
  applyDiff(dir, take("diff", "star-catch-room.ts"));
  await until("the stars are kept", () => /✓ reloaded/.test(output.slice(since)), RELOAD_MS);
  applyDiff(dir, take("diff", "star-catch.test.ts"));
  await run(take("sh").text);
  await run(take("sh").text);
  assert.deepEqual(blocks, [], "every block was executed");
  t.diagnostic(
    `the world said:\n${output
      .split("\n")
      .filter((line) => /reload/.test(line))
      .join("\n")}`,
  );
  await Promise.all([ada.leave(), bea.leave()]);
});
