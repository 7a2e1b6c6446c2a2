/** Networks that an account logged in from, known by a MAC of their prefix: no address is stored. */
import type { PlayerId } from "../../shared/ids.ts";
import type { Tx } from "../db/database.ts";
import { Mac } from "../tickets/master-key.ts";
import { prefixOf } from "./address-prefix.ts";
import { forgetOldPrefixes, rememberPrefix } from "./email-store.ts";

const MAC_BYTES = 16;

export class KnownPrefixes {
  readonly #mac: Mac;

  constructor(master: Buffer) {
    this.#mac = new Mac(master, "known-prefix", MAC_BYTES);
  }

  macOf(address: string): Buffer {
    return this.#mac.of(prefixOf(address));
  }

  async remember(tx: Tx, playerId: PlayerId, address: string, now: Date): Promise<void> {
    await rememberPrefix(tx, playerId, this.macOf(address), now);
    await forgetOldPrefixes(tx, playerId);
  }
}
