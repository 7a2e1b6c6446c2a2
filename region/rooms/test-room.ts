/**
 * A room to test a game with: the real room in real Colyseus, but without core, Redis or sockets,
 * and under a clock that moves only when told to.
 *
 *     const room = await createTestRoom(Arena, { players: ["Ada", "Bea"] });
 *     const [ada] = room.players;
 *     ada?.send("move", { input: 1, x: 1, y: 0 });
 *     await room.advance(1_000);
 *     assert.equal(room.state.players.size, 2);
 *
 * What game code throws is thrown to the test, by the call that made it run. The room ends by
 * itself with the test that made it.
 */
import { randomUUID } from "node:crypto";
import { after } from "node:test";
import { matchMaker, type Room } from "@colyseus/core";
import { FakeClock } from "../../shared/fake-clock.ts";
import { authOf, startColyseus, turn } from "./colyseus.testkit.ts";
import { defineGame } from "./define-game.ts";
import type { GameRoom } from "./game-room.ts";
import { restoreRoom } from "./restore-room.ts";
import type { RoomServices } from "./room-services.ts";
import { TestLedger } from "./test-ledger.ts";
import { TestPlayer, type TestPlayerOptions } from "./test-player.ts";
import { TestProfiles } from "./test-profiles.ts";
import { TestStates } from "./test-states.ts";

export interface TestRoomOptions {
  /** Names of those who are in from the start, or how many. */
  readonly players?: number | readonly string[];
  /** What `onSetup` gets. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Of the room's randomness; 1 by default. */
  readonly seed?: number;
  /** Keeps what game code throws in `failures`, as production does, instead of throwing it. */
  readonly keepFailures?: boolean;
}

export interface Failure {
  readonly method: string;
  readonly error: Error;
}

type GameClass<R extends GameRoom> = (new () => R) & Pick<typeof GameRoom, "State" | "collections">;

export async function createTestRoom<R extends GameRoom>(
  roomClass: GameClass<R>,
  options: TestRoomOptions = {},
): Promise<TestRoom<R>> {
  const room = new TestRoom(roomClass, options);
  // Before anything is waited for: later on `after` no longer knows which test it is in.
  after(() => room.end());
  await startColyseus();
  await room.make();
  const { players = 0 } = options;
  const names = typeof players === "number" ? Array.from({ length: players }, nameOf) : players;
  for (const name of names) await room.join(name);
  return room;
}

export class TestRoom<R extends GameRoom> {
  readonly clock = new FakeClock();
  readonly failures: Failure[] = [];
  /** What its players own. */
  readonly ledger = new TestLedger();
  /** Their documents. */
  readonly states = new TestStates();
  /** What the room can learn of players; those who join are in it. */
  readonly profiles = new TestProfiles();
  /** Messages that were refused, with the reason. */
  readonly refusals: string[] = [];
  readonly #options: TestRoomOptions;
  readonly #game: string;
  readonly #roomClass: GameClass<R> & typeof GameRoom;
  readonly #players: TestPlayer[] = [];
  #room: R | undefined;
  #epoch = 0;
  #joined = 0;
  #patchedMs = 0;

  constructor(roomClass: GameClass<R>, options: TestRoomOptions) {
    this.#options = options;
    this.#game = `${roomClass.name}-${randomUUID()}`;
    // A class of its own, because a room's services hang on its class, and tests may run several.
    const { [roomClass.name]: own } = { [roomClass.name]: subclassOf(roomClass) };
    this.#roomClass = own as unknown as GameClass<R> & typeof GameRoom;
    defineGame(this.#game, this.#roomClass, this.#services());
    matchMaker.defineRoomType(this.#game, this.#roomClass as unknown as new () => Room);
  }

  /** The room itself; another object after `restore`. */
  get room(): R {
    if (!this.#room) throw new Error("the room has ended");
    return this.#room;
  }

  get state(): R["state"] {
    return this.room.state;
  }

  /** Those who are in, and those who dropped. */
  get players(): readonly TestPlayer[] {
    return this.#players;
  }

  /** @internal */
  async make(): Promise<void> {
    const { options = {} } = this.#options;
    const { roomId } = await matchMaker.handleCreateRoom(this.#game, options);
    await this.#adopt(matchMaker.getLocalRoomById(roomId));
    this.#check();
  }

  /** One more player joins. @throws what the room refuses them with */
  async join(name = nameOf(0, this.#joined), options: object = {}): Promise<TestPlayer> {
    return await this.#join({ name, options });
  }

  /** Somebody who was in joins again, as the same player in a new session. @throws as `join` */
  async joinAgain(former: TestPlayer, options: object = {}): Promise<TestPlayer> {
    return await this.#join({ name: former.name, options, former });
  }

  /** Lets the room's time pass: its ticks and timers, and the patches to its players. */
  async advance(ms: number): Promise<void> {
    const endMs = this.clock.monotonicMs() + ms;
    const { tickMs } = this.room;
    while (this.clock.monotonicMs() < endMs) {
      this.clock.advance(Math.min(tickMs, endMs - this.clock.monotonicMs()));
      this.#patchWhenDue();
      // What a tick began in promises goes on before the next, as it does in production.
      await turn();
      this.#check();
    }
  }

  /** The room's present state as a standby or the next owner would get it. */
  snapshot(): Uint8Array {
    return this.room.snapshot();
  }

  /** As a failover does: the room goes on elsewhere from a snapshot, and its players follow. */
  async restore(snapshot = this.snapshot()): Promise<void> {
    const { roomId } = this.room;
    this.room.handOver();
    await dispose(this.room);
    const roomClass = this.#roomClass;
    await this.#adopt(await restoreRoom({ game: this.#game, roomClass, roomId, snapshot }));
    for (const player of this.#players) await player.follow();
    this.#check();
  }

  /** Ends the room. Called by itself at the end of the test. */
  async end(): Promise<void> {
    const room = this.#room;
    this.#room = undefined;
    if (room) await dispose(room);
    matchMaker.removeRoomType(this.#game);
  }

  async #join(who: Pick<TestPlayerOptions, "name" | "options" | "former">): Promise<TestPlayer> {
    this.#joined += 1;
    const player = new TestPlayer({
      ...who,
      number: this.#joined,
      room: () => this.room,
      settle: () => this.#check(),
      left: (gone) => {
        this.#players.splice(this.#players.indexOf(gone), 1);
      },
    });
    // A player who joins again is known by the name of before.
    if (!who.former) {
      this.profiles.set({ id: authOf(who.name, this.#joined).playerId, name: who.name });
    }
    await player.join();
    this.#players.push(player);
    this.#check();
    return player;
  }

  async #adopt(room: Room | undefined): Promise<void> {
    if (!(room instanceof this.#roomClass)) throw new Error("the room ended while it was made");
    // Time is the test's: nothing may happen because real time went by.
    room.patchRate = null;
    room.maxMessagesPerSecond = Number.POSITIVE_INFINITY;
    this.#epoch += 1;
    this.#room = room as unknown as R;
    this.#patchedMs = this.clock.monotonicMs();
    await this.#room.loadPlayers();
    const known = room.knownOpSeq;
    const roomOps = known === undefined ? [] : [this.ledger.committedAfter(known)];
    room.grantEpoch([1, this.#epoch], roomOps);
  }

  #patchWhenDue(): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.#patchedMs < PATCH_MS) return;
    this.#patchedMs = nowMs;
    this.room.broadcastPatch();
  }

  #services(): RoomServices {
    return {
      clock: this.clock,
      log: { error: () => {} },
      failed: (_room, error, method) => this.failures.push({ method, error: thrownBy(error) }),
      invalidMessage: (_room, _client, reason) => this.refusals.push(reason),
      seed: () => this.#options.seed ?? 1,
      state: this.states,
      value: this.ledger,
      profiles: this.profiles,
    };
  }

  #check(): void {
    const [failure] = this.failures;
    if (failure && !this.#options.keepFailures) {
      this.failures.length = 0;
      throw failure.error;
    }
  }
}

const PATCH_MS = 50;
const NAMES = ["Ada", "Bea", "Cid", "Dee", "Eve", "Fay", "Gus", "Hal"];
/** Colyseus wraps what a handler threw. */
function thrownBy(error: unknown): Error {
  const { cause } = error as Error;
  return cause instanceof Error ? cause : (error as Error);
}

/**
 * Without the second that Colyseus lets pass before it disposes of a room that was just deserted.
 */
async function dispose(room: Room): Promise<void> {
  const internals = room as unknown as { _autoDisposeTimeout: NodeJS.Timeout | undefined };
  clearTimeout(internals._autoDisposeTimeout);
  internals._autoDisposeTimeout = undefined;
  await room.disconnect();
}

function subclassOf<R extends GameRoom>(roomClass: GameClass<R>): typeof GameRoom {
  return class extends (roomClass as unknown as typeof GameRoom) {} as typeof GameRoom;
}

function nameOf(_: unknown, index: number): string {
  return NAMES[index] ?? `Player ${index + 1}`;
}
