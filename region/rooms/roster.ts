/**
 * Who is in a room: connected, away within the grace (Colyseus keeps that seat and its time), or
 * expected back after a restore (kept here, in ticks, since no seat exists before the player comes).
 */
import type { SessionId } from "../../shared/ids.ts";
import type { Player, SessionRecord } from "./player.ts";

export class Roster {
  readonly #players = new Map<SessionId, Player>();
  readonly #giveUpAtTick = new Map<SessionId, number>();
  #changes = 0;

  get players(): ReadonlyMap<SessionId, Player> {
    return this.#players;
  }

  get records(): SessionRecord[] {
    return Array.from(this.#players.values(), (player) => player.record());
  }

  /** Rises whenever `records` may be others; undefined while only a look at them can tell. */
  get changes(): number | undefined {
    let sum = this.#changes;
    for (const { changes } of this.#players.values()) {
      if (changes === undefined) return undefined;
      sum += changes;
    }
    return sum;
  }

  /** Whether players of the former owner are still to come. */
  get expecting(): boolean {
    return this.#giveUpAtTick.size > 0;
  }

  find(sessionId: string): Player | undefined {
    return this.#players.get(sessionId as SessionId);
  }

  add(player: Player): void {
    this.#players.set(player.sessionId, player);
    this.#changes += 1;
  }

  remove(player: Player): void {
    // Its own count is in the sum no more, which is to rise all the same.
    this.#changes += 1 + (player.changes ?? 0);
    this.#players.delete(player.sessionId);
    this.#giveUpAtTick.delete(player.sessionId);
  }

  /** A player whose connection was at the former owner. */
  expect(player: Player, giveUpAtTick: number): void {
    this.add(player);
    this.#giveUpAtTick.set(player.sessionId, giveUpAtTick);
  }

  expects(sessionId: string): boolean {
    return this.#giveUpAtTick.has(sessionId as SessionId);
  }

  returned(player: Player): void {
    this.#giveUpAtTick.delete(player.sessionId);
  }

  /** Those who did not come back in time. */
  overdue(tick: number): Player[] {
    return Array.from(this.#giveUpAtTick, ([sessionId, atTick]) => {
      return atTick <= tick ? this.#players.get(sessionId) : undefined;
    }).filter((player) => player !== undefined);
  }
}
