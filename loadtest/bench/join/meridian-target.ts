/** A whole Meridian of one region: the core, the region, PostgreSQL and Redis, as they come. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLocalWorld } from "../../../infra/local/world.ts";
import { commandLine } from "../../../infra/process/pid.ts";
import { sleep, systemClock } from "../../../shared/clock.ts";
import type { GuestAnswer } from "../../../shared/protocol/accounts.ts";
import { type JoinAnswer, type JoinRequest, RegionsAnswer } from "../../../shared/protocol/join.ts";
import { PROTOCOL_VERSION } from "../../../shared/protocol/version.ts";
import type { LeanAddress } from "../lean-socket.ts";
import { childrenOf } from "../process-cpu.ts";
import { type JoinTarget, socketPath } from "./join-target.ts";
import type { KeptConnection } from "./kept-connection.ts";

const ACTIVE_DEADLINE_MS = 10_000;
const POLL_MS = 50;
const UNLIMITED = "1000000";
/**
 * All that is changed of the world's settings: how many guests may be made a second from everywhere,
 * and, where all players share one address, from that one; how many of them are let in.
 */
const LIMITS = {
  ADMISSIONS_PER_SECOND: UNLIMITED,
  ADMISSIONS_BURST: UNLIMITED,
  GUESTS_PER_SECOND: UNLIMITED,
  GUESTS_BURST: UNLIMITED,
  ...(process.platform !== "linux" && {
    GUESTS_PER_PREFIX_PER_SECOND: UNLIMITED,
    GUESTS_PER_PREFIX_BURST: UNLIMITED,
  }),
};
/** What tells the world's processes apart, in their command lines. */
const PROGRAMS = {
  core: "core/main.ts",
  region: "region/main.ts",
  redis: "redis-server",
  postgres: "postgres",
};

export async function startMeridian(signal: AbortSignal): Promise<JoinTarget> {
  const dir = mkdtempSync(join(tmpdir(), "meridian-join-"));
  const others = new Set(childrenOf(process.pid));
  // What a join costs is measured, not when a node has enough of them.
  const env = { LOG_LEVEL: "warn", OVERLOAD_LOOP_DELAY_MS: "0", ...LIMITS };
  try {
    const world = await startLocalWorld({ dir, regions: 1, env, signal });
    const { url } = world.core;
    await regionActive(url, signal);
    return {
      name: "meridian",
      url,
      exchanges: ["POST /v1/guests", "POST /v1/join", "websocket upgrade, first state"],
      acknowledges: false,
      processes: namesOf(childrenOf(process.pid).filter((pid) => !others.has(pid))),
      takeSeat,
      async stop() {
        await world.stop();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

/** By the program; one that is none of the known ones keeps its number as its name. */
function namesOf(pids: readonly number[]): Map<string, number> {
  return new Map(
    pids.map((pid) => {
      const words = commandLine(pid);
      const known = Object.entries(PROGRAMS).find(([, program]) => words.includes(program));
      return [known?.[0] ?? `process ${pid}`, pid];
    }),
  );
}

async function takeSeat(http: KeptConnection): Promise<LeanAddress> {
  const { accessToken } = await http.post<GuestAnswer>("/v1/guests", { device: "benchmark" });
  const request: JoinRequest = { game: "arena", protocol: PROTOCOL_VERSION };
  const { reservation } = await http.post<JoinAnswer>("/v1/join", request, accessToken);
  // The ticket is a path before the room's.
  const place = new URL(`http://${reservation.publicAddress}`);
  return {
    host: place.hostname,
    port: Number(place.port),
    // As the client SDK asks.
    path: `${place.pathname}${socketPath(reservation)}&acknowledged=1`,
    localAddress: http.localAddress,
  };
}

async function regionActive(url: string, signal: AbortSignal): Promise<void> {
  const endMs = systemClock.monotonicMs() + ACTIVE_DEADLINE_MS;
  while (systemClock.monotonicMs() < endMs && !signal.aborted) {
    const answer = await fetch(`${url}/v1/regions`);
    const { regions } = RegionsAnswer.parse(await answer.json());
    if (regions.every(({ state }) => state === "active")) return;
    await sleep(systemClock, POLL_MS);
  }
  throw new Error("the region did not become active");
}
