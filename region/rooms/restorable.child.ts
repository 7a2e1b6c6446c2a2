/**
 * The other process of the property test: restores a room from a snapshot, lets it live on, and tells
 * what its state was and what it sent. Ends when the parent goes.
 */
import { type ClassSpec, dump, type Mutation, makeClasses, mutate } from "./restorable.testkit.ts";
import { decodeFrame } from "./room-frame.ts";
import { RoomHost } from "./room-host.testkit.ts";
import { applyChange, emptyImage } from "./snapshot-image.ts";
import { type StateClass, schemaHash } from "./snapshot-schema.ts";

export interface ChildRequest {
  readonly id: number;
  readonly classes: readonly ClassSpec[];
  readonly snapshot: Uint8Array;
  readonly ticks: readonly (readonly Mutation[])[];
  /** Clients come before the tick of that number. */
  readonly joinAt: number;
}

export interface SentTick {
  /** What the returning and the fresh client were sent, in order. */
  readonly returning: readonly SentMessage[];
  readonly fresh: readonly SentMessage[];
  /** By server and by client order, once everything was sent. */
  readonly server: unknown;
  readonly client: unknown;
}
export type SentMessage = readonly [bytes: Uint8Array, full: boolean];

export interface ChildAnswer {
  readonly id: number;
  readonly error?: string;
  readonly restored?: unknown;
  readonly handshake?: Uint8Array;
  readonly ticks?: readonly SentTick[];
}

function live(request: ChildRequest): ChildAnswer {
  const classes = makeClasses(request.classes);
  const root = classes.all[0] as StateClass;
  const image = emptyImage();
  applyChange(image, decodeFrame(request.snapshot, schemaHash(root)).state);
  const host = new RoomHost(root, image);
  const restored = dump(host.state, "server");
  const sent = { returning: [] as SentMessage[], fresh: [] as SentMessage[] };
  const ticks = request.ticks.map((mutations, tick): SentTick => {
    sent.returning = [];
    sent.fresh = [];
    if (tick === request.joinAt) {
      host.join((...message) => sent.returning.push(message), true);
      host.join((...message) => sent.fresh.push(message), false);
    }
    for (const mutation of mutations) mutate(host.state, classes, mutation);
    host.patch();
    return { ...sent, server: dump(host.state, "server"), client: dump(host.state, "client") };
  });
  return { id: request.id, restored, handshake: host.handshake(), ticks };
}

process.on("message", (request: ChildRequest) => {
  let answer: ChildAnswer;
  try {
    answer = live(request);
  } catch (error) {
    answer = { id: request.id, error: error instanceof Error ? `${error.stack}` : `${error}` };
  }
  process.send?.(answer);
});
process.on("disconnect", () => process.exit(0));
