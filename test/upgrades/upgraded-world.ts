/**
 * A local world whose parts go from one release to the next while it runs: each step replaces one of them, in the
 * order that `docs/upgrades.md` asks of operators.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { callOps } from "../../core/ops/cli-client.ts";
import type { ProcessHandle, Release, ReleaseOf } from "../../infra/local/processes.ts";
import type { LocalWorld } from "../../infra/local/world.ts";
import { waitFor } from "../../loadtest/followed/followed-world.ts";
import type { RegionId } from "../../shared/ids.ts";
import type { PlannedMove } from "./planned-moves.ts";

/** `evacuate`: a new node starts beside the old one and gets its rooms. `succeed`: the node's next life gets them. */
export type Way = "evacuate" | "succeed";

const MIGRATE_MS_MAX = 120_000;
const STEP_MS_MAX = 60_000;
/** As fast as it goes. */
const ROOMS_PER_S = 1_000;

/** No more than is needed of what a core says: one of another release may say the rest differently. */
const Nodes = z.object({
  regions: z.array(
    z.object({
      regionId: z.string(),
      nodes: z.array(z.object({ nodeId: z.string(), state: z.string(), build: z.string() })),
    }),
  ),
});
const Runs = z.object({
  evacuations: z.array(
    z.object({
      nodeId: z.string().nullable(),
      phase: z.string(),
      moved: z.number(),
      failed: z.number(),
      lost: z.number(),
      errors: z.array(z.object({ why: z.string() })),
    }),
  ),
});

/** Which release each part of a world starts next. */
export class Releases {
  readonly #of = new Map<string, Release>();
  readonly #first: Release;

  constructor(first: Release) {
    this.#first = first;
  }

  /** For `WorldOptions.releaseOf`. */
  readonly releaseOf: ReleaseOf = (part) => this.#of.get(part) ?? this.#first;

  set(part: "core" | RegionId, release: Release): void {
    this.#of.set(part, release);
  }
}

export class UpgradedWorld {
  readonly #world: LocalWorld;
  readonly #releases: Releases;
  readonly #signal: AbortSignal | undefined;
  readonly moves: PlannedMove[] = [];

  constructor(world: LocalWorld, releases: Releases, signal?: AbortSignal) {
    this.#world = world;
    this.#releases = releases;
    this.#signal = signal;
  }

  /** By the release's own command, while cores of the former one serve. */
  async migrate({ dir }: Release): Promise<void> {
    await promisify(execFile)(process.execPath, [join(dir, "core/db/main.ts")], {
      env: { ...process.env, DATABASE_URL: this.#world.databaseUrl, LOG_LEVEL: "warn" },
      timeout: MIGRATE_MS_MAX,
      killSignal: "SIGKILL",
      ...(this.#signal && { signal: this.#signal }),
    });
  }

  /** One after the other, the one that leads last: so another leads for most of the time, and leads change once. */
  async replaceCores(release: Release): Promise<void> {
    this.#releases.set("core", release);
    const leader = await this.#world.leader();
    const others = this.#world.cores.filter((core) => core !== leader);
    for (const core of [...others, leader]) await core.restart();
    await this.#world.leader();
  }

  /** The region's node. @throws when its rooms can't all be moved */
  async replaceNode(regionId: RegionId, release: Release, way: Way): Promise<void> {
    const node = this.#world.regions.get(regionId);
    if (!node) throw new Error(`there is no region ${regionId}`);
    const [old] = await this.#atLeast(1, regionId);
    if (!old) throw new Error(`${regionId} has no node`);
    this.#releases.set(regionId, release);
    const fromMs = Date.now();
    if (way === "succeed") await node.succeed();
    else await this.#giveWay(regionId, old, node);
    this.moves.push({ nodeId: old, fromMs, untilMs: Date.now() });
  }

  /** Builds of all nodes that live. */
  async builds(): Promise<Set<string>> {
    const { regions } = await this.#ask("/ops/status", Nodes);
    const live = regions.flatMap(({ nodes }) => nodes).filter(({ state }) => state !== "down");
    return new Set(live.map(({ build }) => build));
  }

  async #giveWay(regionId: RegionId, old: string, handle: ProcessHandle): Promise<void> {
    await this.#world.addNode(regionId);
    await this.#atLeast(2, regionId);
    const body = { regionId, nodeId: old, roomsPerS: ROOMS_PER_S };
    await this.#ask("/ops/evacuations", z.unknown(), body);
    await this.#until(async () => {
      const { evacuations } = await this.#ask("/ops/evacuations", Runs);
      const run = evacuations.find(({ nodeId }) => nodeId === old);
      return run?.phase === "done" ? undefined : `${old} is not empty: ${JSON.stringify(run)}`;
    });
    const { evacuations } = await this.#ask("/ops/evacuations", Runs);
    const run = evacuations.find(({ nodeId }) => nodeId === old);
    if (!run || run.failed + run.lost > 0)
      throw new Error(`rooms of ${old}: ${JSON.stringify(run)}`);
    handle.kill("SIGTERM");
    await this.#until(async () => (handle.pid === undefined ? undefined : `${old} does not end`));
  }

  /** A core that has just started hears of the nodes by their next heartbeats. */
  async #atLeast(count: number, regionId: RegionId): Promise<string[]> {
    let nodes: string[] = [];
    await this.#until(async () => {
      nodes = await this.#liveNodes(regionId);
      return nodes.length < count
        ? `${regionId} has ${nodes.length} nodes, not ${count}`
        : undefined;
    });
    return nodes;
  }

  async #liveNodes(regionId: RegionId): Promise<string[]> {
    const { regions } = await this.#ask("/ops/status", Nodes);
    const region = regions.find((one) => one.regionId === regionId);
    const live = region?.nodes.filter(({ state }) => state === "active") ?? [];
    return live.map(({ nodeId }) => nodeId);
  }

  #ask<T>(path: string, answer: z.ZodType<T>, body?: unknown): Promise<T> {
    const { core, operatorToken: token } = this.#world;
    const method = body === undefined ? "GET" : "POST";
    const call = { method, path, answer, ...(body !== undefined && { body }) } as const;
    return callOps({ url: core.opsUrl, token }, call);
  }

  #until(wrong: () => Promise<string | undefined>): Promise<void> {
    const signal = this.#signal;
    return waitFor({ wrong, withinMs: STEP_MS_MAX, ...(signal && { signal }) });
  }
}
