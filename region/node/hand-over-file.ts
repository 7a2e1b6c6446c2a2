/**
 * The file in which a node leaves its rooms for its next life: written whole or not at all, and
 * taken once, because a room that is restored twice would play its past again.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { pack, unpack } from "msgpackr";
import { z } from "zod";
import { Epoch } from "../../shared/epoch.ts";
import { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import { RELEASED_ROOM_MS } from "../../shared/protocol/link.ts";

const FORMAT = 1;
/** Stock clients come back to the URL of the life that they joined; this many are remembered. */
const LIVES_MAX = 64;

const HandedRoom = z.object({
  roomId: RoomId,
  game: GameName,
  /** A full frame, as `GameRoom.snapshot()` makes it. */
  snapshot: z.custom<Uint8Array>((value) => value instanceof Uint8Array, "bytes"),
  /** Under which it ran; a life of an older build did not say. */
  formerEpoch: Epoch.optional(),
});
export type HandedRoom = z.infer<typeof HandedRoom>;

const HandOver = z.object({
  format: z.literal(FORMAT),
  /** The lives that these rooms have been through, oldest first. */
  lives: z.array(NodeId).min(1).max(LIVES_MAX),
  writtenAtMs: z.number(),
  rooms: z.array(HandedRoom),
});

export interface Handed {
  readonly lives: readonly NodeId[];
  readonly rooms: readonly HandedRoom[];
}

export function writeHandOver(path: string, handed: Handed, nowMs: number): void {
  const lives = handed.lives.slice(-LIVES_MAX);
  const partial = `${path}.partial`;
  writeFileSync(partial, pack({ ...handed, lives, format: FORMAT, writtenAtMs: nowMs }), {
    mode: 0o600,
  });
  renameSync(partial, path);
}

/**
 * What the former life left, and no longer than `RELEASED_ROOM_MS` ago: past that the core has
 * given those rooms up.
 * @throws when there is a file that is not ours; it is gone then, as after a success
 */
export function takeHandOver(path: string, nowMs: number): Handed | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  rmSync(path);
  const { lives, rooms, writtenAtMs } = HandOver.parse(unpack(bytes));
  return nowMs < writtenAtMs + RELEASED_ROOM_MS ? { lives, rooms } : undefined;
}
