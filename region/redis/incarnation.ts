/**
 * Which life of a region's node this is. It must grow with every start, also after Redis was wiped,
 * so the counter never falls below Unix time in seconds: a node would have to start more than once a
 * second, all its life, to get ahead of that. Should a wiped Redis and a clock that was set back meet,
 * the core knows the higher one and refuses; the process then ends, and starts again until time has
 * caught up.
 */
import { readFileSync } from "node:fs";
import type { Redis } from "ioredis";
import { z } from "zod";
import { type NodeId, nodeIdOf, type RegionId } from "../../shared/ids.ts";
import { incarnationKey } from "./keys.ts";

const Incarnation = z.number().int().positive();

/** Takes the next incarnation; with it the node's id for this life. */
export async function takeNodeId(
  redis: Redis,
  regionId: RegionId,
  unixMs: number,
): Promise<NodeId> {
  const script = readFileSync(new URL("./take-incarnation.lua", import.meta.url), "utf8");
  const floor = Math.floor(unixMs / 1000);
  const taken = await redis.eval(script, 1, incarnationKey(regionId), floor);
  return nodeIdOf(regionId, Incarnation.parse(taken));
}
