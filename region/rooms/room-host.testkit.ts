/** A room's state with its serializer and its stream of frames, but without a room around it. */
import { type Client, ClientState } from "@colyseus/core";
import { Reflection, type Schema } from "@colyseus/schema";
import { SchemaSerializer as ClientSerializer } from "@colyseus/sdk";
import { CapturingSerializer } from "./capturing-serializer.ts";
import { encodeFrame } from "./room-frame.ts";
import { StateCapture } from "./snapshot-capture.ts";
import type { StateImage } from "./snapshot-image.ts";
import { continueIds, restoreState } from "./snapshot-restore.ts";
import { type StateClass, type StateTypes, stateTypes } from "./snapshot-schema.ts";

const RECORD = JSON.stringify({
  sessions: [],
  timers: { nextId: 1, timers: [] },
  locked: false,
  private: false,
});

export class RoomHost {
  readonly types: StateTypes;
  readonly state: Schema;
  readonly #serializer: CapturingSerializer;
  readonly #capture: StateCapture;
  #clients: Client[] = [];
  readonly #returning = new Set<Client>();
  #seq = 0;
  #frame: Uint8Array = new Uint8Array();

  constructor(root: StateClass, image?: StateImage) {
    this.types = stateTypes(root);
    this.#capture = new StateCapture(this.types);
    this.#serializer = new CapturingSerializer({
      types: this.types,
      beforePatch: () => this.#makeFrame(),
      isReturning: (client) => this.#returning.has(client),
    });
    this.state = image ? restoreState(this.types, image) : new root();
    this.#serializer.reset(this.state);
    if (image) continueIds(this.#serializer.stateEncoder, image);
  }

  /** Patches made so far. */
  get ticks(): number {
    return this.#seq;
  }

  handshake(): Uint8Array {
    return Reflection.encode(this.#serializer.stateEncoder);
  }

  /** @param receive gets the full state at once, then each patch */
  join(receive: (bytes: Uint8Array, full: boolean) => void, returning: boolean): void {
    const client = {
      state: ClientState.JOINED,
      raw: (bytes: Uint8Array) => receive(Uint8Array.from(bytes), false),
    } as unknown as Client;
    if (returning) this.#returning.add(client);
    this.#clients.push(client);
    receive(Uint8Array.from(this.#serializer.getFullState(client)), true);
  }

  disconnectAll(): void {
    this.#clients = [];
  }

  /** Sends the patch to the clients there are. @returns the frame for the standby */
  patch(): Uint8Array {
    this.#serializer.applyPatches([...this.#clients]);
    return this.#frame;
  }

  #makeFrame(): void {
    const encoder = this.#serializer.stateEncoder;
    const full = this.#seq === 0;
    this.#frame = encodeFrame({
      kind: full ? "full" : "delta",
      schemaHash: this.types.hash,
      seq: this.#seq++,
      progress: { tick: this.#seq, entities: 0, random: [1, 2, 3, 4], opSeq: 0 },
      record: full ? RECORD : undefined,
      state: full ? this.#capture.full(encoder) : this.#capture.delta(encoder),
    });
  }
}

/** A stock client: the state serializer of Colyseus' own SDK. */
export class StockClient {
  readonly #serializer = new ClientSerializer();

  constructor(handshake: Uint8Array) {
    this.#serializer.handshake(handshake, { offset: 0 });
  }

  get state(): Schema {
    return this.#serializer.getState();
  }

  receive(bytes: Uint8Array, full: boolean): void {
    const at = { offset: 1 };
    if (full) this.#serializer.setState(bytes, at);
    else this.#serializer.patch(bytes, at);
  }
}
