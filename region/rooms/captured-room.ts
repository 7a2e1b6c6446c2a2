/**
 * A Colyseus room whose whole self can be captured while it runs, and go on elsewhere: state, tick,
 * timers, randomness, entity ids, listing and players. What it does with players is `GameRoom`'s.
 *
 * Nothing runs and nobody enters before the room's epoch is granted: twins of a room must not both play
 * on.
 *
 * A frame is made before each patch, also when nobody is connected. A frame that can't be made is
 * reported, and the next one is a full one; the room itself lives on.
 */
import { type Client, Room } from "@colyseus/core";
import type { Encoder, Schema } from "@colyseus/schema";
import type { Epoch } from "../../shared/epoch.ts";
import { isFailure } from "../../shared/errors.ts";
import type { RoomOps } from "../../shared/protocol/value.ts";
import { CapturingSerializer } from "./capturing-serializer.ts";
import { EpochGate } from "./epoch-gate.ts";
import { FixedStep } from "./fixed-step.ts";
import type { OpOrder } from "./op-order.ts";
import type { SessionRecord } from "./player.ts";
import type { Random } from "./random.ts";
import { RoomStateError } from "./room-error.ts";
import { encodeFrame } from "./room-frame.ts";
import { readListing, restoreListing } from "./room-listing.ts";
import { type FrameFailed, type FrameSink, RoomRecorder } from "./room-recorder.ts";
import type { Restoration } from "./room-restore.ts";
import { defaultRoomServices, type RoomServices } from "./room-services.ts";
import type { RoomRecord } from "./room-side.ts";
import { Simulation } from "./simulation.ts";
import { captureState } from "./snapshot-capture.ts";
import { continueIds } from "./snapshot-restore.ts";
import { type StateClass, stateTypes } from "./snapshot-schema.ts";
import type { NewTimer, Timer, TimerData } from "./timers.ts";

/** By timer name, as arrow functions, so that `this` is the room. */
export type TimerHandlers = Readonly<
  Record<string, (data: TimerData | undefined) => void | Promise<void>>
>;

export abstract class CapturedRoom<S extends Schema = Schema> extends Room<{ state: S }> {
  /** The class of the state; its constructor runs without arguments. */
  static State: StateClass;
  /** @internal set by `defineGame` */
  static services: RoomServices = defaultRoomServices;

  /** Fixed simulated time per tick. */
  readonly tickMs: number = 50;
  override patchRate: number | null = 50;
  readonly timers: TimerHandlers = {};

  readonly #types = stateTypes((this.constructor as typeof CapturedRoom).State);
  /** Under which the room runs; before it is granted no tick runs and no frame leaves. */
  #epoch: Epoch | undefined;
  readonly #gate = new EpochGate();
  #serializer: CapturingSerializer | undefined;
  #recorder: RoomRecorder | undefined;
  #recorded: { readonly key: string; readonly text: string } | undefined;
  #restored = false;
  #simulation: Simulation | undefined;
  #loop: FixedStep | undefined;
  #formerEpoch: Epoch | undefined;

  onTick?(dtMs: number): void | Promise<void>;

  /** What the room needs from its node. */
  get services(): RoomServices {
    return (this.constructor as typeof CapturedRoom).services;
  }

  /** This owner's epoch; undefined until the core has granted it. */
  get epoch(): Epoch | undefined {
    return this.#epoch;
  }

  /** @internal up to where a restored room knows its operations on value; a new one knows of none. */
  get knownOpSeq(): number | undefined {
    return this.#restored ? this.ops.delivered : undefined;
  }

  /** @internal of a restored room: the epoch of the owner whose state it is */
  get formerEpoch(): Epoch | undefined {
    return this.#formerEpoch;
  }

  /** @internal the last operation on value that it heard of */
  get heardOpSeq(): number {
    return this.ops.seen;
  }

  /**
   * The core granted this node the room: from here on it ticks, and who waited is let in.
   * @param roomOps what the core committed for the room and its snapshot does not know, in one or several
   *   answers: the game gets it first
   */
  grantEpoch(epoch: Epoch, roomOps: readonly RoomOps[] = []): void {
    this.#epoch = epoch;
    for (const some of roomOps) {
      if (this.#restored) this.learnOps(some);
      else this.ops.beginAfter(some.upTo);
    }
    this.#gate.open();
    if (this.#loop) return;
    this.#loop = new FixedStep(this.services.clock, this.tickMs, () => this.#step());
    this.#loop.start();
  }

  /** Part of the room: draws the same numbers wherever it goes on. */
  get random(): Random {
    return this.#running.random;
  }

  /** Fixed steps run since the room was made. */
  get tick(): number {
    return this.#running.tick;
  }

  /** The room's own time: ms of ticks run since it was made. */
  get nowMs(): number {
    return this.#running.nowMs;
  }

  /** Unique over the room's whole life, wherever it runs. */
  nextEntityId(): string {
    return this.#running.nextEntityId();
  }

  /**
   * Calls `timers[name](data)` once, in the first tick at or after that time.
   * @param data JSON
   * @returns an id for `cancel`
   * @throws {RoomStateError} `limit_exceeded` past 10,000 timers
   */
  schedule(name: string, delayMs: number, data?: TimerData): number {
    return this.#schedule({ name, delayMs, data });
  }

  /** As `schedule`, again and again. */
  scheduleEvery(name: string, everyMs: number, data?: TimerData): number {
    return this.#schedule({ name, delayMs: everyMs, everyMs, data });
  }

  /** @returns whether the timer was still to fire */
  cancel(timerId: number): boolean {
    return this.#running.timers.cancel(timerId);
  }

  /** Sends standbys their frames, a full one first, one per patch; to none without a sink. */
  replicateTo(sink: FrameSink | undefined, onFailed: FrameFailed = () => {}): void {
    this.#recorder = sink && new RoomRecorder(this.#types, sink, onFailed);
  }

  /** The standby needs a full frame. */
  restartReplication(): void {
    this.#recorder?.restart();
  }

  /** The whole room as one full frame, at any moment. */
  snapshot(): Uint8Array {
    if (!this.#serializer) throw new Error("a room has no state before it is made");
    const { progress } = this.#running;
    const record = JSON.stringify(this.#record());
    const state = captureState(this.#types, this.#serializer.stateEncoder);
    const schemaHash = this.#types.hash;
    return encodeFrame({ kind: "full", schemaHash, seq: 0, progress, record, state });
  }

  /** Colyseus makes a serializer whenever the state is assigned; this one records, too. */
  override setSerializer(): void {
    this.#serializer = new CapturingSerializer({
      types: this.#types,
      beforePatch: (encoder) => this.#recordFrame(encoder),
      isReturning: (client) => this.isReturning(client),
    });
    super.setSerializer(this.#serializer as unknown as Parameters<Room["setSerializer"]>[0]);
  }

  override onUncaughtException(error: Error, method: string): void {
    // A refusal, which the transport tells the player; no code failed.
    if (method === "onJoin" && isFailure(error.cause)) return;
    this.services.log.error(
      { err: error, roomId: this.roomId, method, runbook: "region-game-code" },
      "game code failed",
    );
    this.services.failed(this, error, method);
  }

  /** Who is in the room, for its record. */
  protected abstract sessions(): SessionRecord[];
  /** Rises whenever `sessions` may answer something else; undefined while only a look can tell. */
  protected abstract get sessionChanges(): number | undefined;
  /** Whether the client kept a decoder from before, here or at a former owner. */
  protected abstract isReturning(client: Client): boolean;
  /** What the core committed for this room before it was here. */
  protected abstract learnOps(roomOps: RoomOps): void;
  /** Before the game's own tick. */
  protected abstract beforeTick(): void;

  protected get ops(): OpOrder {
    return this.#running.ops;
  }

  protected begin(): void {
    this.#simulation = Simulation.fresh(this.tickMs, this.services.seed());
    this.state = new this.#types.root() as unknown as typeof this.state;
  }

  protected async resumeFrom(restoration: Restoration): Promise<void> {
    const { state, image, progress, record, formerEpoch } = restoration;
    this.#restored = true;
    this.#formerEpoch = formerEpoch;
    this.#simulation = new Simulation(this.tickMs, progress, record.timers);
    this.state = state as unknown as typeof this.state;
    if (this.#serializer) continueIds(this.#serializer.stateEncoder, image);
    await restoreListing(this, record);
  }

  /** Resolves once the epoch is granted. */
  protected get granted(): Promise<void> {
    return this.#gate.passed;
  }

  override disconnect(closeCode?: number): ReturnType<Room["disconnect"]> {
    this.#gate.close();
    return super.disconnect(closeCode);
  }

  protected halt(): void {
    this.#loop?.stop();
    this.#recorder = undefined;
  }

  /** Runs game code whose failure must not reach the caller. */
  protected async call(method: string, hook: () => unknown): Promise<void> {
    try {
      await hook();
    } catch (error) {
      this.onUncaughtException(asError(error), method);
    }
  }

  get #className(): string {
    return this.constructor.name;
  }

  get #running(): Simulation {
    if (!this.#simulation) throw new Error("a room does not run before it is made");
    return this.#simulation;
  }

  #schedule(timer: NewTimer): number {
    if (!Object.hasOwn(this.timers, timer.name)) {
      const known = Object.keys(this.timers).join(", ") || "none";
      throw new Error(
        `${this.#className}.timers has no "${timer.name}" (it has: ${known}): add it there, or ` +
          "correct the name",
      );
    }
    return this.#running.timers.schedule(this.nowMs, timer);
  }

  #step(): void {
    this.beforeTick();
    this.#running.step((timer) => this.attempt(`timers.${timer.name}`, () => this.#fire(timer)));
    this.attempt("onTick", () => this.onTick?.(this.tickMs));
  }

  #fire({ name, data }: Timer): unknown {
    const handle = Object.hasOwn(this.timers, name) ? this.timers[name] : undefined;
    if (!handle) {
      const message =
        `${this.#className}.timers has no "${name}", which the code before it had scheduled: ` +
        "keep it there for as long as such rooms live";
      throw new RoomStateError("schema_mismatch", message);
    }
    return handle(data);
  }

  /** Runs game code whose failure must not reach the caller, nor, when it is async, the process. */
  protected attempt(method: string, run: () => unknown): void {
    const failed = (error: unknown) => this.onUncaughtException(asError(error), method);
    try {
      const result = run();
      if (isPromise(result)) result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  #record(): RoomRecord {
    const timers = this.#running.timers.state;
    return { ...readListing(this), sessions: this.sessions(), timers };
  }

  /**
   * The record as JSON, made anew only when it may be another: with 50 players it would cost a patch more than
   * everything else about its frame.
   */
  #recordText(): string {
    const { sessionChanges } = this;
    if (sessionChanges === undefined) return JSON.stringify(this.#record());
    const listing = JSON.stringify(readListing(this));
    const key = `${sessionChanges} ${this.#running.timers.changes} ${listing}`;
    if (this.#recorded?.key !== key) {
      this.#recorded = { key, text: JSON.stringify(this.#record()) };
    }
    return this.#recorded.text;
  }

  #recordFrame(encoder: Encoder): void {
    const recorder = this.#recorder;
    if (!recorder || !this.#epoch) return;
    this.attempt("replicate", () => {
      try {
        recorder.write(encoder, this.#running.progress, this.#recordText());
      } catch (error) {
        recorder.failed();
        throw error;
      }
    });
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value;
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
