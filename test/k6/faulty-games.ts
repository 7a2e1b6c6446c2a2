/**
 * The table of games of a world under test, in place of region/games/games.ts (`GAMES_FILE`): the arena, and arenas
 * of which each does one thing that a right one never does. The load tests' checks have to find it.
 */
import type { Room } from "@colyseus/core";
import { MoveMessage } from "../../region/games/arena/arena-messages.ts";
import { Arena } from "../../region/games/arena/arena-room.ts";
import { setAside, steer } from "../../region/games/arena/arena-rules.ts";
import { games as all } from "../../region/games/games.ts";
import { handler } from "../../region/rooms/message-handler.ts";
import type { Player } from "../../region/rooms/player.ts";

/** After the first input was heard: whoever sent it has seen by then that it was. */
const LATER_TICKS = 10;
/** Which none of our servers uses. */
const NO_REASON = 4_321;

/** Shows as banked what it never pays. */
class Poor extends Arena {
  override onEnter(player: Player): void {
    super.onEnter(player);
    const own = this.state.players.get(player.sessionId);
    if (!own) return;
    own.score += 1;
    this.state.banked += 1;
    this.state.minted += 1;
  }

  override async onExit(player: Player): Promise<void> {
    // What lies, is carried or banked stays right; only the payment is forgotten.
    setAside(this.state, player.sessionId);
  }
}

/** Does something wrong once, when somebody has been in the room for a moment. */
abstract class WrongLater extends Arena {
  #ticks = 0;

  override onTick(dtMs: number): void {
    super.onTick(dtMs);
    const isHeard = [...this.state.players.values()].some(({ lastInput }) => lastInput > 0);
    if (isHeard) this.#ticks += 1;
    if (isHeard && this.#ticks === LATER_TICKS) this.goWrong();
  }

  abstract goWrong(): void;
}

/** Makes up a coin. */
class Forger extends WrongLater {
  goWrong(): void {
    this.state.banked += 1;
  }
}

/** Sends everybody away without a word. */
class Rude extends WrongLater {
  goWrong(): void {
    for (const { client } of this.players.values()) client?.leave(NO_REASON);
  }
}

/** Hears no inputs any more. */
class Deaf extends WrongLater {
  #hears = true;

  constructor() {
    super();
    const move = handler(MoveMessage, ({ sessionId }, push) => {
      const entity = this.state.players.get(sessionId);
      if (entity && this.#hears) steer(entity, push);
    });
    this.messages = { ...this.messages, move };
  }

  goWrong(): void {
    this.#hears = false;
  }
}

/** Lets everybody run at twice the speed. */
class Hasty extends Arena {
  override onTick(dtMs: number): void {
    super.onTick(dtMs);
    super.onTick(dtMs);
  }
}

export const games: Record<string, new () => Room> = {
  ...all,
  poor: Poor,
  forger: Forger,
  hasty: Hasty,
  deaf: Deaf,
  rude: Rude,
};
