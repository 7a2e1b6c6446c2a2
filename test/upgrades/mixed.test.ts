/**
 * Releases N and N−1 side by side: core, regions and clients of both in one world, and N's schema under N−1's core.
 * Each kind of pair has players in it who earn, save, lose their region, and go on in one of the other release.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { z } from "zod";
import {
  makeReleaseTree,
  previousRelease,
  type ReleaseTree,
  ROOT,
} from "../../infra/upgrade/release-tree.ts";
import { FollowedCrowd } from "../../loadtest/followed/followed-crowd.ts";
import {
  FOLLOWED_ENV,
  playersByRegion,
  waitFor,
  whenReady,
} from "../../loadtest/followed/followed-world.ts";
import type { Leg } from "../../loadtest/followed/leg.ts";
import { LegBook } from "../../loadtest/followed/leg-book.ts";
import { brokenPromises, passagesOf } from "../../loadtest/followed/passages.ts";
import { auditCoins } from "../../loadtest/followed/told-coins.ts";
import { RegionId } from "../../shared/ids.ts";
import { auditText, isClean } from "../faults/value/audit.ts";
import { worldForTests } from "../world.ts";
import { skipWithoutRelease } from "./previous-release.testkit.ts";
import { Releases } from "./upgraded-world.ts";

const skip = skipWithoutRelease();
const seed = Number(process.env.TEST_SEED ?? 1);
const PLAYERS = 4;
const READY_WITHIN_MS = 60_000;
const BACK_WITHIN_MS = 40_000;
/** What a failover may cost, beside other tests. */
const BOUNDS = { rolledBackMs: 1_000, twoOwnersMs: 5_000 } as const;
const beijing = RegionId.parse("beijing");
const tianjin = RegionId.parse("tianjin");

let tree: ReleaseTree | undefined;
const next = { dir: ROOT, build: "next" };
const releases = new Releases(next);
const world = skip
  ? () => {
      throw new Error(skip);
    }
  : worldForTests(async () => {
      tree = makeReleaseTree();
      releases.set(beijing, { dir: tree.dir, build: previousRelease() });
      return {
        breakableLinks: true,
        regions: 2,
        env: FOLLOWED_ENV,
        releaseOf: releases.releaseOf,
      };
    });
after(() => tree?.remove());

function comers(region: RegionId) {
  return { players: PLAYERS, arrivePerSecond: 20, regions: [region], seed };
}

/** With the client of each release. */
async function bothCrowds(region: RegionId): Promise<FollowedCrowd[]> {
  const { url } = world().core;
  const of = (releaseDir: string) => FollowedCrowd.start({ url, releaseDir, ...comers(region) });
  return await Promise.all([of(ROOT), of(tree?.dir ?? ROOT)]);
}

async function ready(crowds: readonly FollowedCrowd[]): Promise<void> {
  for (const crowd of crowds) {
    await whenReady({ world: world(), crowd, withinMs: READY_WITHIN_MS });
  }
}

/** Its players go on in the other region, which is of the other release. */
async function loses(from: RegionId, to: RegionId, crowds: readonly FollowedCrowd[]) {
  const node = world().regions.get(from);
  assert.ok(node);
  node.kill("SIGKILL");
  for (const crowd of crowds) {
    await waitFor({
      withinMs: BACK_WITHIN_MS,
      async wrong() {
        const standing = await crowd.standing();
        const there = playersByRegion(standing).get(to) ?? 0;
        return there === standing.players ? undefined : `${there} of ${standing.players} are there`;
      },
    });
  }
}

const OpenApi = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });

/** What the core answers to: `post /v1/join`. */
async function routes(): Promise<string[]> {
  const response = await fetch(`${world().core.url}/docs/json`);
  const { paths } = OpenApi.parse(await response.json());
  return Object.entries(paths).flatMap(([path, methods]) => {
    return Object.keys(methods).map((method) => `${method} ${path}`);
  });
}

test("core, regions and clients of two releases play together on the newer schema", {
  skip,
}, async (t) => {
  const book = new LegBook();
  const crowds: FollowedCrowd[] = [];
  const collect = async (how: "take" | "stop") => {
    const taken: Leg[][] = await Promise.all(crowds.map((crowd) => crowd[how]()));
    book.add(taken.flat());
  };
  let newer: string[];
  let older: string[];
  try {
    t.diagnostic("core N, a region of N−1 whose rooms go on in one of N");
    crowds.push(...(await bothCrowds(beijing)));
    await ready(crowds);
    newer = await routes();
    await loses(beijing, tianjin, crowds);
    await collect("take");
    // One more life of N−1, to which the rooms of N go next.
    await world().regions.get(beijing)?.restart();

    t.diagnostic("core N−1 on N's schema, a region of N whose rooms go on in one of N−1");
    releases.set("core", { dir: tree?.dir ?? ROOT, build: previousRelease() });
    await world().core.restart();
    await ready(crowds);
    for (const crowd of crowds) await crowd.more(comers(tianjin));
    await ready(crowds);
    older = await routes();
    await loses(tianjin, beijing, crowds);
  } finally {
    await collect("stop");
  }

  const missing = older.filter((route) => !newer.includes(route));
  assert.deepEqual(missing, [], "routes that clients of N−1 may call");
  assert.deepEqual(brokenPromises(book.all, BOUNDS), []);
  const kinds = passagesOf(book.all).map(({ kind }) => kind);
  assert.deepEqual(
    kinds.filter((kind) => kind === "lost" || kind === "away"),
    [],
  );
  const moved = kinds.filter((kind) => kind === "moved").length;
  assert.ok(moved >= 3 * 2 * PLAYERS, `${moved} players went on elsewhere`);
  for (const { nodeId, last } of book.all.filter(({ end }) => end?.how === "left")) {
    assert.ok((last?.savedTick ?? 0) > 0, `nothing was saved at ${nodeId}`);
  }
  const found = await auditCoins(
    crowds.flatMap(({ coins }) => coins),
    world().databaseUrl,
  );
  assert.ok(found.promised > 0, "nobody earned anything");
  assert.ok(isClean(found), auditText(found));
});
