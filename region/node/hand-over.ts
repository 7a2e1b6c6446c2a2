/**
 * How a node's rooms outlive its process: on SIGUSR2 it leaves them in a file, and its next life
 * goes on with them, under the same ids and with the same sessions. A deploy on the spot uses it,
 * and the local world whenever the code of a game was saved.
 *
 *     give:  no new seats → released at the core → captured, silent → written → players sent off
 *     take:  restored → seats for the players who were there → claimed, as every room is
 *
 * Nobody but the holder of the captured rooms can go on with them, so what still happens between
 * release and capture is not lost. Without the core nothing is given: the node plays on. Rooms that
 * can't be restored start afresh under their id; their players are told that the old one is lost.
 * Plain Colyseus rooms can't be captured: they end with the process.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import type { Matchmaker } from "../matchmaking/matchmaker.ts";
import { GameRoom } from "../rooms/game-room.ts";
import { RoomStateError } from "../rooms/room-error.ts";
import type { Rooms } from "./colyseus.ts";
import { type HandedRoom, takeHandOver, writeHandOver } from "./hand-over-file.ts";

/** How the rooms of the former life fared, for operators and the local world. */
export interface TakenOver {
  readonly restored: readonly { roomId: RoomId; game: GameName; players: number }[];
  /** Begun anew under their id, and why. */
  readonly afresh: readonly { roomId: RoomId; game: GameName; why: string }[];
}

export interface HandOverOptions {
  /** Empty: nothing is handed over. */
  readonly file: string;
  readonly nodeId: NodeId;
  readonly rooms: Rooms;
  readonly matchmaker: Pick<Matchmaker, "expect">;
  /** Gives rooms up at the core. */
  readonly release: (roomIds: readonly RoomId[]) => Promise<void>;
  /** Sends every player off to come back. */
  readonly dismissPlayers: () => void;
  /** Brings players' state to the core, from where the next life loads it. */
  readonly flushStates: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

export class HandOver {
  readonly #options: HandOverOptions;
  readonly #lives = new Set<NodeId>();
  #taken: TakenOver = { restored: [], afresh: [] };
  #given = false;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** Former lives whose rooms are here: their tickets bring players back. */
  get formerLives(): ReadonlySet<NodeId> {
    return this.#lives;
  }

  get taken(): TakenOver {
    return this.#taken;
  }

  /** Whether the rooms that were here wait for the next life: who comes back here comes too early. */
  get given(): boolean {
    return this.#given;
  }

  /**
   * The process is to end after it.
   * @returns false when nothing was given and the node plays on: no file is set, or no core answers
   */
  async give(): Promise<boolean> {
    const { file, nodeId, rooms, release, dismissPlayers, flushStates, clock, log } = this.#options;
    if (file === "") {
      log.warn({ runbook: "region-hand-over" }, "can't hand over: HAND_OVER_FILE is not set");
      return false;
    }
    try {
      const roomIds = rooms.movable;
      if (roomIds.length > 0) await release(roomIds);
    } catch (err) {
      log.error(
        { err, runbook: "region-hand-over" },
        "can't hand over without the core: the rooms play on here",
      );
      return false;
    }
    const handed = rooms.handOver();
    this.#given = true;
    dismissPlayers();
    writeHandOver(file, { lives: [...this.#lives, nodeId], rooms: handed }, clock.nowMs());
    await flushStates();
    log.info({ rooms: handed.length, file }, "handed the rooms over to the next life");
    return true;
  }

  /** Goes on with what the former life left. A room that fails keeps no other back. */
  async take(): Promise<void> {
    const { file, clock, log } = this.#options;
    if (file === "") return;
    const restored: TakenOver["restored"][number][] = [];
    const afresh: TakenOver["afresh"][number][] = [];
    try {
      const handed = takeHandOver(file, clock.nowMs());
      for (const life of handed?.lives ?? []) this.#lives.add(life);
      for (const room of handed?.rooms ?? []) {
        const { roomId, game } = room;
        const outcome = await this.#takeRoom(room);
        if (typeof outcome === "number") restored.push({ roomId, game, players: outcome });
        else afresh.push({ roomId, game, why: outcome });
      }
    } catch (err) {
      log.error(
        { err, file, runbook: "region-hand-over" },
        "what the former life left can't be read: its rooms are lost",
      );
    }
    this.#taken = { restored, afresh };
  }

  /** @returns how many players it waits for, or why it began anew */
  async #takeRoom(handed: HandedRoom): Promise<number | string> {
    const { rooms, matchmaker, log } = this.#options;
    const { roomId, game } = handed;
    try {
      const room = await rooms.restore(handed);
      await matchmaker.expect(room, roomId);
      return room instanceof GameRoom ? room.players.size : 0;
    } catch (err) {
      const why = reasonOf(err);
      log.warn({ err, roomId, game, why, runbook: "region-hand-over" }, "a room starts afresh");
      await rooms.createAs(game, roomId).catch((err: unknown) => {
        log.error(
          { err, roomId, game, runbook: "region-hand-over" },
          "a room could not be made afresh",
        );
      });
      return why;
    }
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof RoomStateError && error.kind === "schema_mismatch") {
    return "its state has other fields than the code it was saved with";
  }
  return error instanceof Error ? error.message : String(error);
}
