/**
 * A region of two nodes behind a real HAProxy: players reach their own node through one address, a
 * node joins and drains without a lost player, and the certificate is replaced under load.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { callOps } from "../../core/ops/cli-client.ts";
import { haproxyConfig } from "../../infra/haproxy/config.ts";
import { follow, nodesOf } from "../../infra/haproxy/follow.ts";
import { createAuthority } from "../../infra/private-link/authority.ts";
import { type EndStep, endProcess } from "../../infra/process/pid.ts";
import { type Launched, launchServer } from "../../infra/process/server-process.ts";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import type { Play } from "../../shared/client/play.ts";
import { systemClock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { StatusAnswer } from "../../shared/protocol/ops.ts";
import { quietPorts } from "../quiet-ports.ts";
import { until } from "../until.ts";
import { worldForTests } from "../world.ts";

const PATHS = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/opt/homebrew/bin/haproxy"];
const beijing = RegionId.parse("beijing");
const END: readonly EndStep[] = [
  ["SIGTERM", 1_000],
  ["SIGKILL", 1_000],
];
const TLS_CALLERS = 4;
const ROTATIONS = 3;
const dir = mkdtempSync(join(tmpdir(), "meridian-haproxy-"));
let port = 0;
const world = worldForTests(async () => {
  port = await quietPorts(2);
  const REGION_PUBLIC_ADDRESS = `127.0.0.1:${port}`;
  const env = {
    LOG_LEVEL: "warn",
    REGION_PUBLIC_ADDRESS,
    DRAIN_DEADLINE_MS: "30000",
    REGION_CAPACITY: "8",
  };
  return { regions: 1, env };
}, startProxy);
const config = join(dir, "haproxy.cfg");
const pidFile = join(dir, "haproxy.pid");
const stop = new AbortController();
let following: Promise<void> = Promise.resolve();
let haproxy: Launched | undefined;

const status = () =>
  callOps(
    { url: world().core.opsUrl, token: world().operatorToken },
    { path: "/ops/status", answer: StatusAnswer },
  );

/** @throws naming what to install when there is none */
function haproxyProgram(): string {
  const program = [process.env.HAPROXY ?? "", ...PATHS].find(existsSync);
  if (program) return program;
  throw new Error("no HAProxy: install the package haproxy, or name its file by HAPROXY");
}

/** Runs HAProxy as its service does: a master that starts new workers at each reload. */
function startHaproxy(file: string, pids: string): Launched {
  return launchServer({
    program: haproxyProgram(),
    args: ["-W", "-f", file, "-p", pids],
    cwd: dir,
    logFile: join(dir, "haproxy.log"),
  });
}

async function startProxy(): Promise<void> {
  const proxy = { bind: `127.0.0.1:${port}`, socket: join(dir, "socket"), connectionsMax: 1_000 };
  writeFileSync(config, haproxyConfig(nodesOf(await status(), beijing), proxy));
  haproxy = startHaproxy(config, pidFile);
  following = follow({
    regionId: beijing,
    proxy,
    out: config,
    pidFile,
    status,
    clock: systemClock,
    say: () => {},
    signal: stop.signal,
  });
  await until("HAProxy answers pings", () => pings(`http://127.0.0.1:${port}/ping`));
}
after(async () => {
  stop.abort();
  await following;
  if (haproxy?.pid) await endProcess(haproxy.pid, END);
  rmSync(dir, { recursive: true, force: true });
});

async function pings(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(1_000) })).status === 204;
  } catch {
    // Not listening yet.
    return false;
  }
}

async function joined(mode: "create" | "joinOrCreate"): Promise<Play<ArenaState>> {
  const play = await new Meridian({ url: world().core.url }).join<ArenaState>("arena", { mode });
  assert.ok(play.seat?.reservation.publicAddress.startsWith(`127.0.0.1:${port}/t/`));
  return play;
}

const nodeOf = (play: Play<ArenaState>) => play.seat?.reservation.processId;

async function canMove(play: Play<ArenaState>): Promise<void> {
  const me = () => play.state.players.get(play.sessionId);
  const x = me()?.x ?? 0;
  play.send("move", { x: x > 0 ? -1 : 1, y: 0, input: 1 });
  await until("the player moves", () => me()?.x !== x);
}

test("a node joins, takes players, and drains without a lost player", async (t) => {
  const ada = await joined("joinOrCreate");
  const phases: string[] = [];
  ada.onConnection(({ phase }) => phases.push(phase));
  t.after(() => ada.leave());

  const second = await world().addNode(beijing);
  await until("the proxy knows two nodes", () => {
    return readFileSync(config, "utf8").match(/^backend node_/gm)?.length === 2;
  });
  const bob = await joined("joinOrCreate");
  t.after(() => bob.leave());
  assert.equal(bob.roomId, ada.roomId, "friends meet, though the other node is emptier");
  await until("the proxy routes to the new node", async () => {
    const { regions } = await status();
    return regions[0]?.nodes.every(({ state }) => state === "active");
  });
  // A starting node is busy for a moment, and counts as fuller than it is.
  const cid = await until("a room of one's own is made where there is most room", async () => {
    const play = await joined("create");
    if (nodeOf(play) !== nodeOf(ada)) return play;
    await play.leave();
    return undefined;
  });
  t.after(() => cid.leave());

  // The first node drains: its players play on, and newcomers go to the other.
  world().regions.get(beijing)?.kill("SIGTERM");
  await until("the first node drains", async () => {
    const { regions } = await status();
    return regions[0]?.nodes.some(
      ({ nodeId, state }) => nodeId === nodeOf(ada) && state === "draining",
    );
  });
  const dee = await joined("joinOrCreate");
  t.after(() => dee.leave());
  assert.equal(nodeOf(dee), nodeOf(cid));
  await canMove(ada);
  await canMove(bob);
  assert.deepEqual(phases, [], "who plays on a draining node notices nothing");

  await Promise.all([ada.leave(), bob.leave()]);
  await until("the drained node has ended by itself", () => {
    return world().regions.get(beijing)?.pid === undefined;
  });
  await canMove(cid);
  await canMove(dee);
  assert.ok(second.pid);
});

test("a seat at a node that is gone is told so by the proxy, and nothing else is let through", async () => {
  const ask = async (path: string, method = "GET") =>
    (await fetch(`http://127.0.0.1:${port}${path}`, { method })).status;
  assert.equal(await ask("/t/ticket/beijing-1/room?sessionId=s"), 404);
  assert.equal(await ask("/t/ticket/..%2f/room"), 404);
  assert.equal(await ask("/metrics"), 404);
  assert.equal(await ask("/matchmake/joinOrCreate/arena", "POST"), 404);
  assert.equal(await ask("/ping", "POST"), 405);
  assert.equal(await ask("/ping"), 204);
});

test("the certificate is replaced under load without a failed connection", async () => {
  const authority = await createAuthority();
  const issue = async () => {
    const { cert, key } = await authority.issue({ role: "core" });
    writeFileSync(certificate, cert + key);
  };
  const certificate = join(dir, "players.pem");
  await issue();
  const tlsPort = port + 1;
  const tlsConfig = join(dir, "tls.cfg");
  const tlsPids = join(dir, "tls.pid");
  const socket = join(dir, "tls-socket");
  const proxy = { bind: `127.0.0.1:${tlsPort}`, certificate, socket, connectionsMax: 1_000 };
  writeFileSync(tlsConfig, haproxyConfig(nodesOf(await status(), beijing), proxy));
  const running = startHaproxy(tlsConfig, tlsPids);
  const serials = new Set<string>();
  let calls = 0;
  const call = () =>
    new Promise<number>((resolve, reject) => {
      const request = get(
        { host: "127.0.0.1", port: tlsPort, path: "/ping", ca: authority.caPem, agent: false },
        (response) => {
          const { socket } = response;
          if ("getPeerCertificate" in socket) {
            serials.add((socket as import("node:tls").TLSSocket).getPeerCertificate().serialNumber);
          }
          response.resume().once("end", () => resolve(response.statusCode ?? 0));
        },
      );
      request.once("error", reject);
    });
  await until("HAProxy answers over TLS", () =>
    call().then(
      (code) => code === 204,
      () => false,
    ),
  );

  let going = true;
  const callers = Array.from({ length: TLS_CALLERS }, async () => {
    while (going) {
      assert.equal(await call(), 204);
      calls += 1;
    }
  });
  for (let rotation = 1; rotation <= ROTATIONS; rotation += 1) {
    await issue();
    process.kill(Number(readFileSync(tlsPids, "utf8").split("\n")[0]), "SIGUSR2");
    await until("the new certificate is shown", () => serials.size > rotation);
    const from = calls;
    await until("calls go on", () => calls > from + 20);
  }
  going = false;
  await Promise.all(callers);
  if (running.pid) await endProcess(running.pid, END);
});
