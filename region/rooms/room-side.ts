/**
 * What a room is besides its state: where its clock, its randomness and its counters stand, who is in
 * it, and how it is listed. The part that changes with every tick is a few numbers; the rest is JSON
 * and travels only when it changed.
 */
import { z } from "zod";
import { SessionRecord } from "./player.ts";
import type { RandomState } from "./random.ts";
import { corrupt } from "./room-error.ts";
import type { ByteReader, ByteWriter } from "./snapshot-bytes.ts";
import { TimersState } from "./timers.ts";

export interface RoomProgress {
  /** Fixed steps run since the room was made. */
  readonly tick: number;
  /** Entity ids given out. */
  readonly entities: number;
  readonly random: RandomState;
  /** All operations on value up to this place were given to the game. */
  readonly opSeq: number;
}

export const RoomRecord = z.object({
  sessions: z.array(SessionRecord),
  timers: TimersState,
  metadata: z.json().optional(),
  /** Locked by the game; a room that is merely full is not. */
  locked: z.boolean(),
  private: z.boolean(),
  /** Absent where there is no limit. */
  clientsMax: z.number().int().nonnegative().optional(),
});
export type RoomRecord = z.infer<typeof RoomRecord>;

export function writeProgress(writer: ByteWriter, progress: RoomProgress): void {
  writer.varuint(progress.tick);
  writer.varuint(progress.entities);
  writer.varuint(progress.opSeq);
  for (const word of progress.random) writer.u32(word);
}

/** @throws {RoomStateError} `snapshot_corrupt` */
export function readProgress(reader: ByteReader): RoomProgress {
  const tick = reader.varuint();
  const entities = reader.varuint();
  const opSeq = reader.varuint();
  const random: RandomState = [reader.u32(), reader.u32(), reader.u32(), reader.u32()];
  return { tick, entities, opSeq, random };
}

/** @throws {RoomStateError} `snapshot_corrupt` */
export function parseRecord(json: string): RoomRecord {
  try {
    return RoomRecord.parse(JSON.parse(json));
  } catch (error) {
    throw corrupt("the room's record has a wrong form", error);
  }
}
