/**
 * Colyseus' state serializer, with two additions: the room is told before each patch, while the list
 * of changes still exists (with no clients Colyseus throws it away unsent), and a returning client's
 * full state also says which fields are unset.
 */
import { type Client, SchemaSerializer } from "@colyseus/core";
import type { Encoder, Schema } from "@colyseus/schema";
import type { StateTypes } from "./snapshot-schema.ts";
import { unsetFields } from "./unset-fields.ts";

export interface SerializerHooks {
  readonly types: StateTypes;
  /** The changes since the last patch are still listed. */
  beforePatch(encoder: Encoder): void;
  /** Whether the client kept a decoder from before, here or at a former owner. */
  isReturning(client: Client): boolean;
}

export class CapturingSerializer extends SchemaSerializer<Schema> {
  readonly #hooks: SerializerHooks;

  constructor(hooks: SerializerHooks) {
    super();
    this.#hooks = hooks;
  }

  /** Of the room's present state. */
  get stateEncoder(): Encoder {
    return this.encoder;
  }

  override applyPatches(...args: Parameters<SchemaSerializer<Schema>["applyPatches"]>): boolean {
    this.#hooks.beforePatch(this.encoder);
    return super.applyPatches(...args);
  }

  override getFullState(...args: Parameters<SchemaSerializer<Schema>["getFullState"]>): Uint8Array {
    const full = super.getFullState(...args);
    const [client] = args;
    if (!client || !this.#hooks.isReturning(client)) return full;
    return Buffer.concat([full, unsetFields(this.#hooks.types, this.encoder, client.view)]);
  }
}
