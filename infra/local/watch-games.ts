/**
 * Watches the games of a world that runs: reloads what is saved, and shows what goes wrong in game
 * code.
 */
import { fileURLToPath } from "node:url";
import { systemClock } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";
import { RegionsAnswer } from "../../shared/protocol/join.ts";
import { watchFiles } from "./file-watch.ts";
import { GameLog } from "./game-log.ts";
import type { WorldProcess } from "./processes.ts";
import { Reloader } from "./reloader.ts";
import type { WorldParts } from "./world-parts.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ASK_MS = 1_000;

export interface WatchedWorld {
  /** The core's, for players. */
  readonly url: string;
  readonly regions: readonly { readonly id: RegionId; readonly part: WorldProcess }[];
  readonly buildPages: () => Promise<unknown>;
  readonly parts: WorldParts;
}

export function watchGames(gamesDir: string, world: WatchedWorld): void {
  const { parts } = world;
  const report = (line: string) => {
    if (!parts.stopping) parts.report(line);
  };
  const reloader = new Reloader({
    regions: world.regions.map(({ id, part }) => ({
      id,
      get pid() {
        return part.handle.pid;
      },
      privateUrl: part.privateUrl,
      succeed: () => part.handle.succeed(),
    })),
    players: () => playersByRegion(world.url),
    buildPages: world.buildPages,
    clock: systemClock,
    report,
  });
  const logs = world.regions.map(({ part }) => new GameLog(part.logFile, ROOT, report));
  for (const log of logs) parts.onStop(log.follow(systemClock));
  const cancel = watchFiles(gamesDir, systemClock, (paths) => {
    if (parts.stopping) return;
    for (const log of logs) log.forget();
    // Whatever goes wrong in it is reported there.
    void reloader.changed(paths);
  });
  parts.onStop(cancel);
}

async function playersByRegion(url: string): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(`${url}/v1/regions`, { signal: AbortSignal.timeout(ASK_MS) });
  const { regions } = RegionsAnswer.parse(await answer.json());
  return new Map(regions.map(({ regionId, players }) => [regionId, players]));
}
