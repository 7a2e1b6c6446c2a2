/** Carries one fault out on followed players, until all play again and what was broken is whole. */
import {
  blackHole,
  breakLinks,
  killNodes,
  playersLinkOf,
  privateLinksOf,
  stopNodes,
  type Undo,
} from "../../../loadtest/followed/blows.ts";
import { fullestRegion, whenReady } from "../../../loadtest/followed/followed-world.ts";
import { sleep, systemClock } from "../../../shared/clock.ts";
import type { RegionId } from "../../../shared/ids.ts";
import type { PlayerFault } from "./player-fault.ts";
import type { Scene } from "./scene.ts";

const PROTECTED_WITHIN_MS = 30_000;

export async function strikePlayers(fault: PlayerFault, scene: Scene): Promise<void> {
  const { world } = scene;
  const regionId = await scene.target(fault.regionId);
  const nodes = scene.nodesOf(regionId);
  const kill = (id: RegionId) =>
    scene.strike({ regionId: id, elsewhere: true, act: () => killNodes(scene.nodesOf(id)) });
  const pass = (act: () => Promise<Undo>) =>
    scene.strike({ regionId, elsewhere: false, act: () => lasting(fault.lastsMs, act) });
  const [out, into] = privateLinksOf(world, regionId);
  switch (fault.kind) {
    case "kill-region":
      return await undone(await kill(regionId));
    case "kill-node": {
      const act = () => killNodes(nodes.slice(0, 1));
      const elsewhere = nodes.length === 1;
      return await undone(await scene.strike({ regionId, elsewhere, timed: true, act }));
    }
    case "black-hole": {
      const act = () => blackHole(world, regionId, nodes);
      return await undone(await scene.strike({ regionId, elsewhere: true, act }));
    }
    case "kill-two":
    case "kill-heir": {
      const restart = await kill(regionId);
      if (fault.kind === "kill-two") await protectedAgain(scene, regionId);
      const heir = fullestRegion(await scene.crowd.standing());
      return await undone(await kill(heir), restart);
    }
    case "kill-without-core": {
      world.core.kill("SIGKILL");
      const act = async () => {
        const restart = await killNodes(nodes);
        await world.core.restart();
        return restart;
      };
      return await undone(await scene.strike({ regionId, elsewhere: true, act }));
    }
    case "replace-node": {
      const act = async () => {
        await world.regions.get(regionId)?.succeed();
        return nothingToUndo;
      };
      return await undone(await scene.strike({ regionId, elsewhere: false, act }));
    }
    case "stop-region":
      return await undone(await pass(() => stopNodes(nodes)));
    case "cut-players":
      return await undone(await pass(() => breakLinks([playersLinkOf(world, regionId)], "cut")));
    case "cut-link":
      // The way to the core alone. Everybody's way in is one here: refused there, the node counts as dead at once.
      return await undone(await pass(() => breakLinks([out], "cut")));
    case "half-open-link":
      return await undone(await pass(() => breakLinks([out, into], "halfOpen")));
    case "half-open-out":
      return await undone(await pass(() => breakLinks([out], "halfOpen")));
    case "half-open-in":
      return await undone(await pass(() => breakLinks([into], "halfOpen")));
  }
}

/** Undoes it by itself after a while. */
async function lasting(lastsMs: number, act: () => Promise<Undo>): Promise<Undo> {
  const undo = await act();
  try {
    await sleep(systemClock, lastsMs);
  } finally {
    await undo();
  }
  return nothingToUndo;
}

const nothingToUndo: Undo = async () => {};

async function undone(...undos: readonly Undo[]): Promise<void> {
  await Promise.all(undos.map((undo) => undo()));
}

/** All rooms have copies again, with that region still gone. */
function protectedAgain({ world, crowd }: Scene, without: RegionId): Promise<void> {
  return whenReady({ world, crowd, without, withinMs: PROTECTED_WITHIN_MS });
}
