/**
 * Keeps a node playable for those who are in, when it has more to do than it can: samples what it has to do
 * twice a second and carries out what the ladder says (`gate-step.ts`).
 *
 * It is the one that samples, on a timer of its own, and the heartbeat tells what was sampled last: heartbeats
 * stop while the core is away, and would empty the event loop's histogram under the gate.
 *
 * What it can't end it tries again a second later. Players and holders of tickets are never touched.
 */
import type { Room } from "@colyseus/core";
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { RoomId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { Metrics } from "../../shared/metrics.ts";
import { heightOf, type OverloadLevel, reaches } from "../../shared/protocol/overload.ts";
import type { Eviction, Granting } from "../matchmaking/matchmaker.ts";
import { CALM, type GateEffect, gateStep, mediansOf } from "./gate-step.ts";
import { OverloadMetrics } from "./overload-metrics.ts";
import { PatchPace } from "./patch-pace.ts";
import { isIdle, spectatorsOf } from "./shedding.ts";
import { SAMPLE_MS, type Sample } from "./thresholds.ts";

/** In one step, of which there is one a second: a wave of ends is work, too. */
export const SPECTATORS_A_STEP_MAX = 20;
export const IDLE_ROOMS_A_STEP_MAX = 5;
/** A room may be made and given its first seat within this time, so it has been idle for longer. */
export const IDLE_MS = 10_000;

export interface OverloadGateOptions {
  readonly sample: () => Sample;
  readonly rooms: {
    /** Those that are made and not ending. */
    readonly present: readonly Room[];
    end(room: Room): Promise<void>;
  };
  /** Ends a session for good, with that kind as the reason. */
  readonly evict: (session: Eviction) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class OverloadGate implements Part {
  readonly name = "overload gate";
  readonly #options: OverloadGateOptions;
  readonly #metrics: OverloadMetrics;
  readonly #pace: PatchPace;
  /** Since when each is, as far as the gate has looked. */
  #idleSinceMs = new Map<Room, number>();
  #state = CALM;
  #cancel: Cancel = () => {};

  constructor(options: OverloadGateOptions) {
    this.#options = options;
    this.#pace = new PatchPace(options.clock);
    this.#metrics = new OverloadMetrics(options.metrics, {
      level: () => this.level,
      signals: () => mediansOf(this.#state),
    });
  }

  get level(): OverloadLevel {
    return this.#state.level;
  }

  /** Whether the node takes anybody new, as far as this goes. */
  get granting(): Granting {
    if (reaches(this.level, "no_seats")) return "overloaded";
    return reaches(this.level, "no_rooms") ? "old_rooms" : "granting";
  }

  start(): void {
    this.#cancel = this.#options.clock.every(SAMPLE_MS, () => this.#look());
  }

  stop(): void {
    this.#cancel();
    this.#pace.stop();
  }

  #look(): void {
    const { sample, rooms, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const [state, effects] = gateStep(this.#state, sample(), nowMs);
    this.#state = state;
    const { present } = rooms;
    this.#pace.keep(present, reaches(state.level, "slow_patches"));
    this.#watchIdle(present, nowMs);
    for (const effect of effects) this.#carryOut(effect, present, nowMs);
  }

  #carryOut(effect: GateEffect, present: readonly Room[], nowMs: number): void {
    if (effect.type === "shed") {
      if (!this.#shedSpectators(present)) this.#shedIdleRooms(nowMs);
      return;
    }
    const { from, to: level, signal } = effect;
    this.#metrics.changes.inc({ level });
    const about = { from, level, signal, signals: mediansOf(this.#state) };
    const { log } = this.#options;
    if (heightOf(level) > heightOf(from)) {
      log.warn({ ...about, runbook: "region-overload" }, "too much to do: one level up");
    } else log.info(about, "less to do: one level down");
  }

  /** @returns whether there was any */
  #shedSpectators(present: readonly Room[]): boolean {
    const spectators = spectatorsOf(present).slice(0, SPECTATORS_A_STEP_MAX);
    for (const { room, player } of spectators) {
      const { sessionId } = player;
      this.#metrics.shed.inc({ what: "spectator" });
      const roomId = RoomId.parse(room.roomId);
      this.#attempt(this.#options.evict({ roomId, sessionId, kind: "overloaded" }));
    }
    return spectators.length > 0;
  }

  #shedIdleRooms(nowMs: number): void {
    const idle = [...this.#idleSinceMs]
      .filter(([, sinceMs]) => nowMs >= sinceMs + IDLE_MS)
      .sort(([, a], [, b]) => a - b)
      .slice(0, IDLE_ROOMS_A_STEP_MAX);
    for (const [room] of idle) {
      this.#metrics.shed.inc({ what: "room" });
      this.#attempt(this.#options.rooms.end(room));
    }
  }

  /** Only where it matters soon: no seats are granted from there on, so an idle room stays so. */
  #watchIdle(present: readonly Room[], nowMs: number): void {
    const watched = reaches(this.level, "no_seats") ? present.filter(isIdle) : [];
    const before = this.#idleSinceMs;
    this.#idleSinceMs = new Map(watched.map((room) => [room, before.get(room) ?? nowMs]));
  }

  #attempt(ending: Promise<void>): void {
    ending.catch((err: unknown) => {
      this.#options.log.error({ err, runbook: "region-overload" }, "shedding failed");
    });
  }
}
