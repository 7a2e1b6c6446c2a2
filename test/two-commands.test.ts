/**
 * `npm start` as people run it: from a checkout of its own in a folder that nobody else can read, as
 * root and as a normal user, again on the data it kept, and after everything was killed.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { z } from "zod";
import { isAlive } from "../infra/process/pid.ts";
import { GuestAnswer } from "../shared/protocol/accounts.ts";
import { RegionsAnswer } from "../shared/protocol/join.ts";
import { makeCheckout } from "./checkout.ts";
import { quietPorts } from "./quiet-ports.ts";
import { until } from "./until.ts";

/** What a Ctrl-C has for everything. */
const STOP_MS = 5_000;
const START_MS = 60_000;
/** `nobody`, or whoever has that number. */
const NORMAL_USER = 65_534;
const isRoot = process.getuid?.() === 0;
const PROCESSES = z.object({ children: z.array(z.object({ pid: z.number() })) });

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function checkout(owner?: number): string {
  const dir = makeCheckout(owner);
  folders.push(dir);
  return dir;
}

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  readonly output: () => string;
  readonly over: () => boolean;
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** A world's ports lie within this many above its base. */
const PORT_SPAN = 140;

interface NpmOptions {
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** Runs `npm start` in a process group of its own, as a shell does. */
function npmStart(dir: string, port: number, options: NpmOptions = {}): Started {
  const { uid, env, args = [] } = options;
  const child = spawn("npm", ["start", "--", "--port-base", `${port}`, ...args], {
    cwd: dir,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      HOME: dir,
      // Another user may be unable to read what the run of the tests loads into its processes.
      ...(uid !== undefined && { NODE_OPTIONS: "" }),
      ...env,
    },
    ...(uid !== undefined && { uid, gid: uid }),
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? signal ?? 0));
  });
  const over = () => child.exitCode !== null || child.signalCode !== null;
  return { child, url: `http://127.0.0.1:${port}`, output: () => output, over, ended };
}

async function running(started: Started): Promise<Started> {
  await until(
    "the world runs",
    () => {
      if (started.over()) throw new Error(started.output());
      return started.output().includes("Meridian runs");
    },
    START_MS,
  );
  return started;
}

/** What a terminal does to the whole group of its foreground process. */
function signalGroup({ child }: Started, signal: NodeJS.Signals): void {
  assert.ok(child.pid);
  process.kill(-child.pid, signal);
}

/** The processes that the world noted. */
function processesOf(dir: string): number[] {
  const text = readFileSync(join(dir, ".meridian/local/world.json"), "utf8");
  return PROCESSES.parse(JSON.parse(text)).children.map(({ pid }) => pid);
}

async function stopsWhole(started: Started, dir: string): Promise<void> {
  const pids = processesOf(dir);
  assert.ok(pids.length >= 4, `only ${pids.length} processes`);
  signalGroup(started, "SIGINT");
  await until("npm has ended", () => started.over(), STOP_MS);
  await until("every process has ended", () => !pids.some(isAlive), STOP_MS);
  assert.match(started.output(), /stopped\n$/);
}

async function activeRegions(url: string): Promise<number> {
  const { regions } = RegionsAnswer.parse(await (await fetch(`${url}/v1/regions`)).json());
  return regions.filter(({ state }) => state === "active").length;
}

async function logIn(url: string, secret?: string): Promise<GuestAnswer> {
  const response = await fetch(`${url}/v1/guests`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...(secret && { secret }) }),
  });
  return GuestAnswer.parse(await response.json());
}

test("npm start runs, is killed, runs again on its data, and Ctrl-C ends everything", async () => {
  const dir = checkout();
  const port = await quietPorts(PORT_SPAN);
  const first = await running(npmStart(dir, port));
  const page = await fetch(first.url);
  assert.match(await page.text(), /<title>Arena/);
  await until("three regions", async () => (await activeRegions(first.url)) === 3);
  const guest = await logIn(first.url);

  for (const pid of [...processesOf(dir)]) process.kill(pid, "SIGKILL");
  signalGroup(first, "SIGKILL");
  await first.ended;

  const second = await running(npmStart(dir, port));
  const again = await logIn(second.url, guest.secret);
  assert.equal(again.playerId, guest.playerId, "the data was kept");
  await until("three regions", async () => (await activeRegions(second.url)) === 3);
  await stopsWhole(second, dir);
});

test("as a normal user, and when npm alone is told to end", async () => {
  const dir = checkout(isRoot ? NORMAL_USER : undefined);
  const started = await running(
    npmStart(dir, await quietPorts(PORT_SPAN), isRoot ? { uid: NORMAL_USER } : {}),
  );
  const pids = processesOf(dir);
  started.child.kill("SIGTERM");
  await started.ended;
  await until("every process has ended", () => !pids.some(isAlive), STOP_MS);
});

test("a taken port, a wrong option and a wrong redis-server are one clear line each", async () => {
  const dir = checkout();
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const address = holder.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const taken = npmStart(dir, port);
  assert.equal(await taken.ended, 1);
  assert.match(taken.output(), new RegExp(`^✗ port ${port}, for the core, is in use: .*$`, "m"));
  await new Promise((resolve) => holder.close(resolve));

  const wrong = npmStart(dir, port, { args: ["--regions", "9"] });
  assert.equal(await wrong.ended, 2);
  assert.match(wrong.output(), /^✗ .*--regions.*$/m);

  const env = { REDIS_SERVER: "/nonexistent/redis-server" };
  const without = npmStart(dir, port, { env });
  assert.equal(await without.ended, 1);
  assert.match(without.output(), /^✗ REDIS_SERVER names \/nonexistent\/redis-server.*$/m);
});

test("--help needs nothing installed", () => {
  const dir = checkout();
  rmSync(join(dir, "node_modules"), { recursive: true });
  const help = execFileSync("npm", ["start", "--silent", "--", "--help"], { cwd: dir });
  assert.match(help.toString(), /^Usage: npm start/);
});
