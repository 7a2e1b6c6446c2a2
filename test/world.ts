/**
 * A local world of a test's own: real processes, in a temporary folder, on free ports. Its database cluster is
 * a copy of the empty one that the run of the tests made, if it did; web pages it has if the test asks for them.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { type LocalWorld, startLocalWorld, type WorldOptions } from "../infra/local/world.ts";
import { RegionsAnswer } from "../shared/protocol/join.ts";
import { StatusAnswer } from "../shared/protocol/ops.ts";
import { until } from "./until.ts";

/** A killed part stays away for longer than any test lasts, unless the test restarts it. */
const RESTART_DELAY_MS = 600_000;

type Given = Omit<WorldOptions, "dir">;

/**
 * Starts a world before the tests of this file and stops it after them.
 * @param options a function where they must be found out first
 * @param prepare runs once the world does: hooks of one file do not wait for each other
 * @returns a function, because the world is there only once the tests run
 */
export function worldForTests(
  options: Given | (() => Promise<Given>) = {},
  prepare: () => Promise<void> = async () => {},
): () => LocalWorld {
  let world: LocalWorld | undefined;
  const dir = mkdtempSync(join(tmpdir(), "meridian-world-"));
  const lines: string[] = [];

  before(async () => {
    const report = (line: string) => lines.push(line);
    const cluster = process.env.TEST_CLUSTER;
    try {
      if (cluster) execFileSync("cp", ["-a", cluster, join(dir, "postgres")]);
      world = await startLocalWorld({
        pages: false,
        restartDelayMs: RESTART_DELAY_MS,
        env: { LOG_LEVEL: "warn" },
        report,
        ...(typeof options === "function" ? await options() : options),
        dir,
      });
      await allRegionsActive(world);
      await prepare();
    } catch (cause) {
      throw new Error(`the world did not start:\n${lines.join("\n")}`, { cause });
    }
  });
  after(async () => {
    await world?.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  return () => {
    if (!world) throw new Error("the world is there only while the tests run");
    return world;
  };
}

/** What the core says of its regions. */
export async function regionsOf(world: LocalWorld): Promise<RegionsAnswer> {
  const response = await fetch(`${world.core.url}/v1/regions`, {
    signal: AbortSignal.timeout(5_000),
  });
  return RegionsAnswer.parse(await response.json());
}

/** Seats promised to players who have not come yet, or kept for players who dropped. */
export async function seatsHeld({ core, operatorToken }: LocalWorld): Promise<number> {
  const response = await fetch(`${core.opsUrl}/ops/status`, {
    headers: { authorization: `Bearer ${operatorToken}` },
    signal: AbortSignal.timeout(5_000),
  });
  const { regions } = StatusAnswer.parse(await response.json());
  return regions.flatMap(({ nodes }) => nodes).reduce((sum, { reserved }) => sum + reserved, 0);
}

/** Waits until every region of the world takes players. */
export async function allRegionsActive(world: LocalWorld): Promise<void> {
  await until("every region is active", async () => {
    const { regions } = await regionsOf(world);
    const active = regions.filter(({ state }) => state === "active");
    return active.length === world.regions.size;
  });
}
