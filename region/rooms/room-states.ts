/**
 * Brings a room's players their documents, and tells room and client what of them is saved.
 */
import type { Player } from "./player.ts";
import { nobodysState, PlayerState, type StateService } from "./player-state.ts";
import type { Collections } from "./state-collections.ts";

export class RoomStates {
  readonly #collections: Collections;
  readonly #names: readonly string[];
  readonly #service: StateService;
  readonly #saved: (player: Player) => void;

  /** @param saved called when a player's watermark rose */
  constructor(collections: Collections, service: StateService, saved: (player: Player) => void) {
    this.#collections = collections;
    this.#names = Object.keys(collections);
    this.#service = service;
    this.#saved = saved;
  }

  /**
   * Resolves once the player's documents are this room's. At once in a game without any.
   * @throws {MeridianError} as `StateService.enter`; `unavailable` for documents of newer code
   */
  async load(player: Player): Promise<void> {
    if (this.#names.length === 0) return;
    let state: PlayerState | undefined;
    let rewriteDue = false;
    const owned = await this.#service.enter({
      playerId: player.id,
      sessionEpoch: player.auth.sessionEpoch,
      collections: this.#names,
      onSaved: (revision) => {
        if (state?.saved(revision)) this.#saved(player);
      },
      // It may come with the grant itself, before there is a copy.
      onRewrite: () => {
        rewriteDue = true;
        state?.rewrite();
      },
    });
    try {
      state = new PlayerState(this.#collections, owned);
    } catch (error) {
      owned.leave();
      throw error;
    }
    player.own(state);
    if (rewriteDue) state.rewrite();
  }

  /**
   * As `load`, for the players of a restored room. One whose documents can't be brought gets those of a new
   * player, which can't be changed: their game code runs once more, to take them out.
   * @returns those, and why
   */
  async loadAll(players: Iterable<Player>): Promise<Map<Player, unknown>> {
    const failed = new Map<Player, unknown>();
    const loading = Array.from(players, async (player) => {
      try {
        await this.load(player);
      } catch (error) {
        player.own(new PlayerState(this.#collections, nobodysState));
        failed.set(player, error);
      }
    });
    await Promise.all(loading);
    return failed;
  }
}
