/**
 * Restores the database of a local world: into its own folder, with the former data put aside. The world must not
 * run; of one that was killed, the database that still runs is ended.
 */
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { soleMember } from "../local/database-pair.ts";
import { keepSecret } from "../local/secrets.ts";
import { lockWorld } from "../local/world-lock.ts";
import { stopLeftoverPostgres } from "../postgres/leftover.ts";
import { readMark, writeMark } from "../postgres/pair/mark.ts";
import { pairFiles } from "../postgres/pair/pair-names.ts";
import { sync } from "./copy-file.ts";
import { type Restored, type RestoreOptions, restore } from "./restore.ts";

/** Of a world's folder: as `dataDir` of `startPostgres`. */
export const POSTGRES_DIR = "postgres";

export type InPlaceOptions = Omit<RestoreOptions, "data" | "password">;

export interface RestoredInPlace extends Restored {
  /** Where the former data is; undefined when there was none. */
  readonly aside: string | undefined;
}

/** @param dir the world's. @throws one clear line; the former data is in its place then */
export async function restoreWorld(dir: string, options: InPlaceOptions): Promise<RestoredInPlace> {
  const lock = await lockWorld(dir);
  try {
    const dataDir = await soleMember(dir);
    await stopLeftoverPostgres(dataDir);
    // A standby that there was is copied anew from what is restored.
    const { markFile } = pairFiles(dir);
    const mark = readMark(markFile);
    if (mark) writeMark(markFile, { ...mark, generation: mark.generation + 1 });
    return await restoreCluster(dataDir, options);
  } finally {
    lock.release();
  }
}

/** @param dataDir as of `startPostgres`; no server may run in it */
export async function restoreCluster(
  dataDir: string,
  options: InPlaceOptions,
): Promise<RestoredInPlace> {
  const data = join(dataDir, "data");
  const fresh = join(dataDir, "data.restored");
  // Of one that was killed when all was done but the last step.
  rmSync(fresh, { recursive: true, force: true });
  // The superuser gets the password of this folder, whatever the backup's was.
  const password = keepSecret(join(dataDir, "password"));
  const restored = await restore({ ...options, data: fresh, password });
  const time = new Date(options.clock.nowMs()).toISOString().replaceAll(/[-:]/g, "");
  const aside = existsSync(data) ? `${data}.before-restore-${time}` : undefined;
  if (aside !== undefined) renameSync(data, aside);
  renameSync(fresh, data);
  await sync(dataDir);
  return { ...restored, aside };
}
