/**
 * The name server: questions a second through PowerDNS, whose every answer is decided by the production
 * ranking over 30 regions, against the same PowerDNS with a static zone; and how long after an operator's
 * drain a region is gone from the answers.
 *
 * No answer is cached, in neither of the two, so that all questions are as dear as different ones.
 */
import { spawn } from "node:child_process";
import { Resolver } from "node:dns/promises";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OPERATOR_TOKEN } from "../../../core/test-core.ts";
import { startPostgres } from "../../../infra/postgres/embedded.ts";
import { type BenchmarkOptions, median, rounded } from "../benchmark.ts";
import { type DnsWorld, NEAREST, NEAREST_ADDRESS, PLAY, startDnsWorld } from "./dns-world.ts";

export interface DnsFigures {
  /** Through PowerDNS, each decided by the ranking over 30 regions. */
  readonly dnsQueriesPerS: number;
  /** Of the same PowerDNS with a static zone. */
  readonly dnsStaticQueriesPerS: number;
  /** How many times fewer: the median over the rounds. */
  readonly dnsStaticRatio: number;
  /** Questions without an answer, of all rounds. */
  readonly dnsQueriesLost: number;
  /** From an operator's call to the first answer without the region, at worst. */
  readonly drainVisibleMs: number;
  readonly drainVisibleMedianMs: number;
}

const QUESTIONS_OUTSTANDING = 100;
const DNSPERF_GRACE_MS = 15_000;
const VISIBLE_MS_MAX = 10_000;
const QUESTION_MS = 500;
/** Client subnet 159.226.0.0/24: option 8, family 1, 24 bits, in hexadecimal. */
const CLIENT_SUBNET = "8:000118009fe200";

interface Round {
  readonly perS: number;
  readonly lost: number;
}

export async function measureDns(
  { quick, say }: Pick<BenchmarkOptions, "quick" | "say">,
  signal: AbortSignal,
): Promise<DnsFigures> {
  const dir = mkdtempSync(join(tmpdir(), "meridian-dns-bench-"));
  const postgres = await startPostgres({ dataDir: join(dir, "postgres"), signal });
  try {
    const world = await startDnsWorld(dir, postgres.url, signal);
    try {
      const drains = await measureDrains(world, quick ? 5 : 20, signal);
      say(`a drain is seen after ${drains.median} ms, ${drains.worst} ms at worst`);
      return {
        ...(await measureQueries(world, dir, { quick, say }, signal)),
        drainVisibleMs: drains.worst,
        drainVisibleMedianMs: drains.median,
      };
    } finally {
      await world.stop();
    }
  } finally {
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measureQueries(
  { port, floorPort }: DnsWorld,
  dir: string,
  { quick, say }: Pick<BenchmarkOptions, "quick" | "say">,
  signal: AbortSignal,
) {
  const questions = join(dir, "questions");
  writeFileSync(questions, `${PLAY} A\n${PLAY} AAAA\n`);
  const seconds = quick ? 2 : 5;
  const rounds: { readonly ours: Round; readonly floor: Round }[] = [];
  // The first questions of each find code that is not compiled yet.
  for (const warm of [port, floorPort]) await dnsperf(warm, questions, 1, signal);
  for (let round = 1; round <= (quick ? 3 : 7); round += 1) {
    const floor = await dnsperf(floorPort, questions, seconds, signal);
    const ours = await dnsperf(port, questions, seconds, signal);
    rounds.push({ ours, floor });
    say(`round ${round}: ${ours.perS} questions/s decided, ${floor.perS} static`);
  }
  return {
    dnsQueriesPerS: Math.round(median(rounds.map(({ ours }) => ours.perS))),
    dnsStaticQueriesPerS: Math.round(median(rounds.map(({ floor }) => floor.perS))),
    dnsStaticRatio: rounded(median(rounds.map(({ ours, floor }) => floor.perS / ours.perS))),
    dnsQueriesLost: rounds.reduce((sum, { ours, floor }) => sum + ours.lost + floor.lost, 0),
  };
}

/** One run of the real dnsperf, as fast as answers come. */
function dnsperf(
  port: number,
  questions: string,
  seconds: number,
  signal: AbortSignal,
): Promise<Round> {
  const args = ["-s", "127.0.0.1", "-p", `${port}`, "-d", questions, "-l", `${seconds}`];
  const child = spawn("dnsperf", [...args, "-q", `${QUESTIONS_OUTSTANDING}`, "-E", CLIENT_SUBNET], {
    signal,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: seconds * 1_000 + DNSPERF_GRACE_MS,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      said += String(chunk);
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(new Error("dnsperf did not run: install it", { cause })));
    child.once("close", () => {
      const figure = (name: string) => Number(new RegExp(`${name}:\\s+([\\d.]+)`).exec(said)?.[1]);
      const round = { perS: figure("Queries per second"), lost: figure("Queries lost") };
      const right = /Response codes:\s+NOERROR \d+ \(100\.00%\)/.test(said);
      if (right && round.perS > 0) resolve(round);
      else reject(new Error(`dnsperf: not every question was answered: ${said}`));
    });
  });
}

/** Drains the nearest region again and again, and asks without a pause meanwhile. */
async function measureDrains({ core, port }: DnsWorld, count: number, signal: AbortSignal) {
  const resolver = new Resolver({ timeout: QUESTION_MS, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  const isGiven = async () => (await resolver.resolve4(PLAY)).includes(NEAREST_ADDRESS);
  const seenAfter = async (state: "draining" | "active") => {
    const beganMs = performance.now();
    const asked = want(core.privateUrl, state);
    while ((await isGiven()) !== (state === "active")) {
      signal.throwIfAborted();
      const waitedMs = performance.now() - beganMs;
      if (waitedMs > VISIBLE_MS_MAX) throw new Error(`${state} is not seen after ${waitedMs} ms`);
    }
    const ms = performance.now() - beganMs;
    await asked;
    return ms;
  };
  const drains: number[] = [];
  await seenAfter("active");
  for (let drain = 0; drain < count; drain += 1) {
    drains.push(await seenAfter("draining"));
    await seenAfter("active");
  }
  return { median: rounded(median(drains)), worst: rounded(Math.max(...drains)) };
}

async function want(opsUrl: string, state: "draining" | "active"): Promise<void> {
  const response = await fetch(`${opsUrl}/ops/regions/${NEAREST}/wanted`, {
    method: "POST",
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({ state }),
  });
  if (!response.ok) throw new Error(`the core answered ${response.status}`);
}
