/**
 * Which changes of players are new to this process, whenever their transactions commit. Pure.
 *
 * A number given at insertion is no order of commits: 7 may become visible after 8 was read. So each read asks
 * again for everything from the oldest transaction that was still open at the read before (`horizon`: the
 * snapshot's xmin), and what it had then is left out. Whatever is below the horizon had ended, and was seen;
 * whatever commits later is above it. So each change is told once, by the first read after its commit.
 * (Not LISTEN/NOTIFY: its commits queue for one lock of the whole cluster, which let through 390 new players a
 * second instead of 2,180; and a connection that breaks loses what was sent meanwhile.)
 */
import type { PlayerId } from "../../shared/ids.ts";

export interface PlayerChange {
  /** The transaction: 64 bits, so as text. */
  readonly xid: string;
  readonly playerId: PlayerId;
  readonly made: boolean;
  /** As it is now; null when the player is gone. */
  readonly name: string | null;
}

export interface ChangesRead {
  /** Rises before a core serves on a promoted or restored database, whose transactions count anew. */
  readonly coreTerm: number;
  readonly horizon: string;
  /** From the horizon of the read before on; none at the first read. */
  readonly changes: readonly PlayerChange[];
  /** There were more than one read takes. */
  readonly cut: boolean;
}

/** From where the next read asks, and what it will find again. */
export interface ChangesState {
  readonly coreTerm: number;
  readonly horizon: string;
  readonly told: ReadonlySet<string>;
}

export type ChangesEffect =
  | { readonly type: "changed"; readonly changes: readonly PlayerChange[] }
  /** Some may have been missed: begin anew. */
  | { readonly type: "missed" };

export function changesStep(
  state: ChangesState | undefined,
  read: ChangesRead,
): [ChangesState, ChangesEffect] {
  const { coreTerm, horizon, changes } = read;
  const began = BigInt(horizon);
  const again = changes.filter(({ xid }) => BigInt(xid) >= began).map(keyOf);
  const next = { coreTerm, horizon, told: new Set(again) };
  if (!state || missedSome(state, read)) return [next, { type: "missed" }];
  const fresh = changes.filter((change) => !state.told.has(keyOf(change)));
  return [next, { type: "changed", changes: fresh }];
}

function missedSome(state: ChangesState, { coreTerm, horizon, cut }: ChangesRead): boolean {
  return cut || coreTerm !== state.coreTerm || BigInt(horizon) < BigInt(state.horizon);
}

function keyOf({ xid, playerId }: PlayerChange): string {
  return `${xid} ${playerId}`;
}
