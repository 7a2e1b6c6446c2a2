/** Watches the games' folder for a world that runs, and reloads what is saved there. */
import { systemClock } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";
import { RegionsAnswer } from "../../shared/protocol/join.ts";
import { watchFiles } from "./file-watch.ts";
import type { WorldProcess } from "./processes.ts";
import { Reloader } from "./reloader.ts";
import type { WorldParts } from "./world-parts.ts";

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
    report: (line) => {
      if (!parts.stopping) parts.report(line);
    },
  });
  const cancel = watchFiles(gamesDir, systemClock, (paths) => {
    // Whatever goes wrong in it is reported there.
    if (!parts.stopping) void reloader.changed(paths);
  });
  parts.onStop(cancel);
}

async function playersByRegion(url: string): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(`${url}/v1/regions`, { signal: AbortSignal.timeout(ASK_MS) });
  const { regions } = RegionsAnswer.parse(await answer.json());
  return new Map(regions.map(({ regionId, players }) => [regionId, players]));
}
