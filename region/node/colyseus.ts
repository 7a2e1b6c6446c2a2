/**
 * Colyseus, contained: the one place that touches the globals of its matchmaker.
 *
 * Rooms are found and made here directly, in this process, under ids of ours. So of Colyseus'
 * matchmaking the parts with known trouble never run: asking other processes for rooms (twin rooms
 * after a timeout), health checks (they hide rooms of a live process), its HTTP routes, its signal
 * and exception handlers, its shutdown (it can end before the rooms have).
 *
 * A process has one set of rooms at a time, because Colyseus does.
 */
import { randomBytes, randomInt } from "node:crypto";
import { CloseCode, type MatchMakerDriver, matchMaker, type Presence, Room } from "@colyseus/core";
// biome-ignore lint/style/noRestrictedImports: this core is Colyseus' package, not our folder.
import { setLogger } from "@colyseus/core/Logger";
import type { Logger } from "pino";
import { type Clock, sleep } from "../../shared/clock.ts";
import type { Epoch } from "../../shared/epoch.ts";
import { describeKind, type ErrorKind, MeridianError } from "../../shared/errors.ts";
import { GameName, RoomId, SessionId } from "../../shared/ids.ts";
import type { JoinOptions } from "../../shared/protocol/join.ts";
import type { ReaffirmRoomsRequest } from "../../shared/protocol/link.ts";
import { defineGame, isGameRoom } from "../rooms/define-game.ts";
import { GameRoom } from "../rooms/game-room.ts";
import type { StateService } from "../rooms/player-state.ts";
import { restoreRoom } from "../rooms/restore-room.ts";
import type { ProfileService } from "../rooms/room-profiles.ts";
import type { ValueService } from "../rooms/room-value.ts";
import type { HandedRoom } from "./hand-over-file.ts";
import { guardRoom, guardRoomClass, type ReportFailure, type RoomClass } from "./room-guard.ts";
import {
  endReturnTimers,
  onceGone,
  openSeatsOf,
  reholdSeat,
  waitingSeats,
} from "./room-internals.ts";
import { authenticate, type Newcomer } from "./static-auth.ts";

/** A room's `onCreate` may take this long. */
const CREATE_DEADLINE_MS = 5_000;
const POLL_MS = 20;
/** A room without `maxClients` has no end of them. */
const REPORTED_SEATS_MAX = 100_000;
const ROOM_ID_BYTES = 12;
const GOING_AWAY = describeKind("going_away").closeCode;

/** Colyseus' name for this process, once rooms were started. */
export function colyseusProcessId(): string {
  return matchMaker.processId;
}

export type Games = ReadonlyMap<string, RoomClass>;

/** What the rest of the node is told about rooms. */
export interface RoomEvents {
  created(room: Room, roomId: RoomId, game: GameName): void;
  /** The session is out of the room for good. */
  left(room: Room, sessionId: SessionId): void;
  /** The room is gone: its `onDispose` has settled. */
  ended(roomId: RoomId, room: Room): void;
  failed: ReportFailure;
  /** A message had a wrong form; game code never saw it. */
  invalidMessage(room: Room, reason: string): void;
}

/** What rooms see of the region's other nodes: Colyseus' own local ones see none. */
export interface Sharing {
  readonly presence: Presence;
  readonly driver: MatchMakerDriver;
}

export interface RoomsOptions {
  readonly games: Games;
  readonly sharing: Sharing;
  readonly state: StateService;
  readonly value: ValueService;
  readonly profiles: ProfileService;
  readonly events: RoomEvents;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A room that does not run here any more, and all that it takes to go on with it. */
export interface HandedOver {
  readonly room: GameRoom;
  readonly game: GameName;
  /** A full frame. */
  readonly snapshot: Uint8Array;
  /** Under which it ran here. */
  readonly roomEpoch: Epoch;
  /** The last one that ran here. */
  readonly tick: number;
}

interface SharedCreation {
  readonly creating: Promise<Room>;
  seatsLeft: number;
}

export class Rooms {
  readonly #options: RoomsOptions;
  /** From creation until `onDispose` has settled. */
  readonly #alive = new Map<RoomId, Room>();
  /** By game: while a room is being made, others who would make one wait for it. */
  readonly #shared = new Map<GameName, SharedCreation>();
  /** By game: how many players its newest room takes. */
  readonly #seats = new Map<GameName, number>();
  /** Rooms that are being ended. */
  readonly #leaving = new WeakSet<Room>();
  /** Rooms whose `onCreate` has not settled. */
  #making = 0;
  #ending = false;

  constructor(options: RoomsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { games, sharing, events, clock, log } = this.#options;
    this.#ending = false;
    setLogger(colyseusLog(log));
    // One process makes its own rooms: nobody else's health needs checking.
    matchMaker.setHealthChecksEnabled(false);
    await matchMaker.setup(sharing.presence, sharing.driver);
    await matchMaker.accept();
    for (const [name, roomClass] of games) {
      defineGame(name, roomClass, {
        clock,
        log,
        failed: events.failed,
        invalidMessage: (room, _client, reason) => events.invalidMessage(room, reason),
        seed: () => randomInt(2 ** 32),
        state: this.#options.state,
        value: this.#options.value,
        profiles: this.#options.profiles,
      });
      guardRoomClass(roomClass, events.failed);
      const handler = matchMaker.defineRoomType(name, roomClass as new () => Room);
      handler.on("create", (room) => this.#created(room));
      handler.on("leave", (room, client) => events.left(room, SessionId.parse(client.sessionId)));
    }
  }

  /** Rooms that are not gone yet. */
  get count(): number {
    return this.#alive.size;
  }

  /** By game: free places in rooms that take anyone; at most `REPORTED_SEATS_MAX`. */
  get openSeats(): Record<GameName, number> {
    const seats: Record<GameName, number> = {};
    for (const room of this.#alive.values()) {
      const game = GameName.parse(room.roomName);
      const total = (seats[game] ?? 0) + openSeatsOf(room);
      seats[game] = Math.min(total, REPORTED_SEATS_MAX);
    }
    return seats;
  }

  hasGame(game: GameName): boolean {
    return this.#options.games.has(game);
  }

  classOf(game: GameName): RoomClass | undefined {
    return this.#options.games.get(game);
  }

  /**
   * What will be the newcomer's `client.auth` in a room of that game.
   * @throws {MeridianError} `unknown_game`; `forbidden` or `timeout` by the game's `static onAuth`
   */
  async authenticate(game: GameName, newcomer: Newcomer): Promise<unknown> {
    const roomClass = this.#options.games.get(game);
    if (!roomClass) throw new MeridianError("unknown_game");
    return authenticate(roomClass, newcomer, this.#options.clock);
  }

  /** A room that is not ending. */
  find(roomId: RoomId): Room | undefined {
    const room = matchMaker.getLocalRoomById(roomId);
    return room && !this.#leaving.has(room) ? room : undefined;
  }

  /** A public room of that game that takes players. */
  async findOpen(game: GameName, options: JoinOptions): Promise<Room | undefined> {
    const listing = await matchMaker.findOneRoomAvailable(game, options);
    return listing && this.find(RoomId.parse(listing.roomId));
  }

  /**
   * As `findOpen`, or else a new room, which those who ask meanwhile share: as many as it has seats,
   * once a room of that game was seen, because the others would find it full.
   */
  async findOrCreate(game: GameName, options: JoinOptions): Promise<Room> {
    const open = await this.findOpen(game, options);
    if (open) return open;
    const underWay = this.#shared.get(game);
    if (underWay && underWay.seatsLeft > 0) {
      underWay.seatsLeft -= 1;
      return underWay.creating;
    }
    const creating = this.create(game, options);
    const shared = { creating, seatsLeft: (this.#seats.get(game) ?? Infinity) - 1 };
    this.#shared.set(game, shared);
    try {
      return await creating;
    } finally {
      if (this.#shared.get(game) === shared) this.#shared.delete(game);
    }
  }

  /**
   * Makes a room.
   * @throws {MeridianError} `timeout` when its `onCreate` takes too long, `internal` when it fails
   */
  async create(game: GameName, options: JoinOptions): Promise<Room> {
    const creating = this.#create(game, options);
    const made = new AbortController();
    const late = sleep(this.#options.clock, CREATE_DEADLINE_MS, made.signal);
    try {
      const room = await Promise.race([creating, late]);
      if (room) return room;
    } finally {
      made.abort();
    }
    // Nobody waits for it any more. One that fails after all was discarded by Colyseus.
    creating.then((room) => this.end(room)).catch(() => undefined);
    throw new MeridianError("timeout", { message: `${game}: making a room took too long` });
  }

  /** A new room under an id that is known elsewhere already. */
  async createAs(game: GameName, roomId: RoomId): Promise<void> {
    await matchMaker.handleCreateRoom(game, {}, undefined, roomId);
  }

  /** @throws {RoomStateError} when the snapshot is damaged, or does not fit the game's code */
  async restore({ game, roomId, snapshot, formerEpoch }: HandedRoom): Promise<GameRoom> {
    const roomClass = this.#options.games.get(game);
    if (!roomClass || !isGameRoom(roomClass)) {
      throw new MeridianError("unknown_game", { message: `${game} is no game of this node` });
    }
    return restoreRoom({ game, roomClass, roomId, snapshot, formerEpoch });
  }

  /** Rooms that can go on elsewhere: captured whole, and known to the core. */
  get movable(): RoomId[] {
    return Array.from(this.#alive)
      .filter(([, room]) => room instanceof GameRoom && room.epoch !== undefined)
      .map(([roomId]) => roomId);
  }

  /** Rooms of ours that the core granted, with the epoch and the last operation that they know. */
  get held(): ReaffirmRoomsRequest["rooms"] {
    return Array.from(this.#alive).flatMap(([roomId, room]) => {
      if (!(room instanceof GameRoom) || !room.epoch) return [];
      const { epoch: roomEpoch, heardOpSeq: opSeq } = room;
      return [{ roomId, game: GameName.parse(room.roomName), roomEpoch, opSeq }];
    });
  }

  /** Captures the movable rooms and is done with them: nothing runs in them here any more. */
  handOver(): HandedRoom[] {
    const handed: HandedRoom[] = [];
    for (const roomId of this.movable) {
      const one = this.handOverOne(roomId);
      if (!one) continue;
      const { game, snapshot, roomEpoch: formerEpoch } = one;
      handed.push({ roomId, game, snapshot, formerEpoch });
    }
    return handed;
  }

  /** As `handOver`; undefined when that room is none that can move, or could not be captured. */
  handOverOne(roomId: RoomId): HandedOver | undefined {
    const room = this.#alive.get(roomId);
    if (!(room instanceof GameRoom) || !room.epoch || this.#leaving.has(room)) return undefined;
    const { epoch: roomEpoch, tick } = room;
    try {
      const snapshot = room.handOver();
      this.#alive.delete(roomId);
      return { room, game: GameName.parse(room.roomName), snapshot, roomEpoch, tick };
    } catch (error) {
      this.#options.events.failed(room, error, "handOver");
      return undefined;
    }
  }

  /** No new players in any room. Rooms that override `onBeforeShutdown` are told. */
  close(): void {
    for (const room of this.#alive.values()) {
      this.#attempt(room, "lock", () => room.lock());
      if (room.onBeforeShutdown !== Room.prototype.onBeforeShutdown) {
        this.#attempt(room, "onBeforeShutdown", () => room.onBeforeShutdown());
      }
    }
  }

  /** Whether no player is in a room or on the way to one. */
  get deserted(): boolean {
    const busy = (room: Room) => room.clients.length > 0 || waitingSeats(room).length > 0;
    return this.#making === 0 && ![...this.#alive.values()].some(busy);
  }

  /** Whether no room is left: each was made and ended, and its `onDispose` has settled. */
  get gone(): boolean {
    return this.#making === 0 && this.#alive.size === 0;
  }

  /**
   * Takes the room out of the search, gives back the seats that wait for players, sends the players
   * away to reconnect, ends the room. Nobody finds it meanwhile, or it would go on for as long as
   * somebody comes. Players of one that was handed over are told that it goes on.
   */
  async end(room: Room, closeCode = GOING_AWAY): Promise<void> {
    this.#leaving.add(room);
    await room.lock();
    for (let seats = waitingSeats(room); seats.length > 0; seats = waitingSeats(room)) {
      await Promise.all(seats.map((sessionId) => reholdSeat(room, sessionId, 0)));
      await sleep(this.#options.clock, POLL_MS);
    }
    endReturnTimers(room);
    if (room instanceof GameRoom && room.handedOver) {
      // Colyseus closes them without a reason, and what is closed already it leaves as it is.
      for (const client of room.clients) client.leave(closeCode, "room_moved" satisfies ErrorKind);
    }
    await room.disconnect(closeCode);
  }

  /** Ends all rooms, and each that is still being made as soon as it is. */
  endAll(): void {
    this.#ending = true;
    for (const room of this.#alive.values()) this.#attempt(room, "end", () => this.end(room));
  }

  /** Ends the rooms that there are, sending their players elsewhere; new ones may follow. */
  endPresent(): void {
    for (const room of this.#alive.values()) {
      this.#attempt(room, "end", () => this.end(room, CloseCode.MAY_TRY_RECONNECT));
    }
  }

  /** Rooms that are made and not ending. */
  get present(): Room[] {
    return [...this.#alive.values()].filter((room) => !this.#leaving.has(room));
  }

  /** Ids of the rooms that are not gone yet. */
  get ids(): RoomId[] {
    return [...this.#alive.keys()];
  }

  async #create(game: GameName, options: JoinOptions): Promise<Room> {
    const wantedId = randomBytes(ROOM_ID_BYTES).toString("base64url");
    this.#making += 1;
    try {
      const { roomId } = await matchMaker.handleCreateRoom(game, options, undefined, wantedId);
      const room = matchMaker.getLocalRoomById(roomId);
      if (room) return room;
    } catch (cause) {
      throw new MeridianError("internal", { message: `${game}: a room could not be made`, cause });
    } finally {
      this.#making -= 1;
    }
    throw new MeridianError("internal", { message: `${game}: a room ended while it was made` });
  }

  #created(room: Room): void {
    const { events } = this.#options;
    const named = RoomId.safeParse(room.roomId);
    if (!named.success) {
      // A room may name itself in `onCreate`, but no ticket could carry this name.
      events.failed(room, new Error(`not a room id: ${room.roomId}`), "onCreate");
      this.#attempt(room, "end", () => this.end(room));
      return;
    }
    const roomId = named.data;
    const game = GameName.parse(room.roomName);
    this.#alive.set(roomId, room);
    this.#seats.set(game, room.maxClients);
    guardRoom(room, events.failed);
    onceGone(room, () => {
      if (this.#alive.get(roomId) === room) this.#alive.delete(roomId);
      events.ended(roomId, room);
    });
    events.created(room, roomId, game);
    if (this.#ending) this.#attempt(room, "end", () => this.end(room));
  }

  #attempt(room: Room, what: string, run: () => unknown): void {
    const attempt = async () => run();
    attempt().catch((error: unknown) => this.#options.events.failed(room, error, what));
  }
}

/** What Colyseus prints goes to our log; what it only remarks, to its debug level. */
function colyseusLog(log: Logger) {
  const parts = (level: "debug" | "warn" | "error") => {
    return (...args: unknown[]) =>
      log[level]({ from: "colyseus", runbook: "region-game-code" }, args.map(String).join(" "));
  };
  return {
    trace: parts("debug"),
    debug: parts("debug"),
    info: parts("debug"),
    warn: parts("warn"),
    error: parts("error"),
  };
}
