/**
 * Items of an outbox, merged as far as that changes nothing, with the revision of each player's working
 * copy that they bring about.
 *
 * Changes of one document under one epoch become one, at the place of the first. A release marker is never
 * crossed: what comes after it under the same epoch, and is refused for that, stays after it. Nor is a newer
 * epoch. Items of different players have no order among each other; a player's are always taken together.
 */
import { compareEpochs } from "../epoch.ts";
import type { PlayerId } from "../ids.ts";
import type { OutboxItem, StateChange } from "../protocol/player-state.ts";
import { merged } from "./change.ts";

/** By player: the newest revision that a set of changes brings about. */
export type Marks = ReadonlyMap<PlayerId, number>;

export interface TakenItems {
  readonly items: readonly OutboxItem[];
  readonly marks: Marks;
}

export interface TakenText extends TakenItems {
  /** The items as JSON. */
  readonly text: string;
}

interface PlayerItems {
  readonly items: OutboxItem[];
  revision: number;
}

export class ChangeSet {
  readonly #players = new Map<PlayerId, PlayerItems>();
  #size = 0;

  /** How many items are in it. */
  get size(): number {
    return this.#size;
  }

  /** @param revision 0 when nobody waits to hear of it */
  add(item: OutboxItem, revision = 0): void {
    const player = this.#playerOf(item.playerId);
    player.revision = Math.max(player.revision, revision);
    if ("release" in item && isReleased(player.items, item)) return;
    const at = "release" in item ? -1 : placeOf(player.items, item);
    if (at < 0) {
      player.items.push(item);
      this.#size += 1;
    } else {
      player.items[at] = mergedItem(player.items[at] as StateChange, item as StateChange);
    }
  }

  addAll({ items, marks }: TakenItems): void {
    for (const item of items) this.add(item);
    for (const [playerId, revision] of marks) this.mark(playerId, revision);
  }

  /** Tells of a revision whose changes are elsewhere already. */
  mark(playerId: PlayerId, revision: number): void {
    const player = this.#playerOf(playerId);
    player.revision = Math.max(player.revision, revision);
  }

  /** At least `atLeast` items if there are so many, of whole players; it does not hold them any more. */
  take(atLeast: number): TakenItems {
    return this.#take((items) => items.length >= atLeast);
  }

  /**
   * The same as JSON too, and no further player once there are so many bytes of it. A player's documents
   * may have 2 MiB all together.
   */
  takeText(atLeast: number, bytesMax: number): TakenText {
    const texts: string[] = [];
    let bytes = 0;
    const taken = this.#take((items) => {
      for (const item of items.slice(texts.length)) {
        const text = JSON.stringify(item);
        texts.push(text);
        bytes += Buffer.byteLength(text) + 1;
      }
      return items.length >= atLeast || bytes >= bytesMax;
    });
    for (const item of taken.items.slice(texts.length)) texts.push(JSON.stringify(item));
    return { ...taken, text: `[${texts.join(",")}]` };
  }

  /** Whole players, until those that were taken are enough. */
  #take(isEnough: (items: readonly OutboxItem[]) => boolean): TakenItems {
    const items: OutboxItem[] = [];
    const marks = new Map<PlayerId, number>();
    for (const [playerId, player] of this.#players) {
      if (isEnough(items)) break;
      items.push(...player.items);
      if (player.revision > 0) marks.set(playerId, player.revision);
      this.#players.delete(playerId);
    }
    this.#size -= items.length;
    return { items, marks };
  }

  #playerOf(playerId: PlayerId): PlayerItems {
    let player = this.#players.get(playerId);
    if (!player) {
      player = { items: [], revision: 0 };
      this.#players.set(playerId, player);
    }
    return player;
  }
}

/**
 * Of the change that `item` can be merged into; -1 when there is none, or something of a newer epoch or a
 * marker between them: what would be refused behind those must not come before them.
 */
function placeOf(items: readonly OutboxItem[], item: StateChange): number {
  for (let at = items.length - 1; at >= 0; at -= 1) {
    const other = items[at] as OutboxItem;
    const order = compareEpochs(other.stateEpoch, item.stateEpoch);
    if (order > 0) return -1;
    if (order < 0) continue;
    if ("release" in other) return -1;
    if (other.collection === item.collection) return at;
  }
  return -1;
}

/** Whether the newest item says so already: a marker may be asked for again and again. */
function isReleased(items: readonly OutboxItem[], { stateEpoch }: OutboxItem): boolean {
  const last = items.at(-1);
  return (
    last !== undefined && "release" in last && compareEpochs(last.stateEpoch, stateEpoch) === 0
  );
}

function mergedItem(a: StateChange, b: StateChange): StateChange {
  const { playerId, stateEpoch, collection, format } = b;
  return { playerId, stateEpoch, collection, format, ...merged(a, b) };
}
