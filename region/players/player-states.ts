/**
 * The players whose state this node owns, and those it is loading: carries out what the hand-off step
 * decides. Working copies belong to rooms; here is under which epoch they may be changed, and that no one
 * changes them after the release.
 */
import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { Epoch } from "../../shared/epoch.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { NodeId, PlayerId } from "../../shared/ids.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Marks } from "../../shared/player-state/change-set.ts";
import {
  LOAD_WAIT_MS,
  type LoadAnswer,
  type LoadRequest,
  type StateChange,
  type WantedPlayer,
} from "../../shared/protocol/player-state.ts";
import { type Outbox, type OutboxOwner, shardOf } from "../outbox/outbox.ts";
import type { EnteringSession, OwnedState, StateService } from "../rooms/player-state.ts";
import {
  ABSENT,
  type HandOff,
  type HandOffEffect,
  type HandOffEvent,
  handOffStep,
} from "./hand-off-step.ts";

const RELEASE_BYTES = 100;
/** Longer than a room's end may take. */
const FENCED_GRACE_MS = 5_000;

export interface PlayerStatesOptions {
  readonly nodeId: NodeId;
  readonly outbox: Outbox;
  /** Asks the core. @throws {MeridianError} as `LinkClient.call` */
  readonly load: (request: LoadRequest) => Promise<LoadAnswer>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** A session that is loading, or was admitted. */
interface Entered {
  readonly session: EnteringSession;
  readonly admitted: (state: OwnedState) => void;
  readonly refused: (failure: MeridianError) => void;
  documents: OwnedState["documents"];
  /** Of the newest attempt to load. */
  lastFailure: unknown;
}

export class PlayerStates implements StateService, OutboxOwner {
  readonly #options: PlayerStatesOptions;
  readonly #players = new Map<PlayerId, HandOff>();
  readonly #entered = new Map<string, Entered>();
  readonly #loads: Counter<"outcome">;
  #revision = 0;
  #coreTerm = 0;

  constructor(options: PlayerStatesOptions) {
    this.#options = options;
    const registers = [options.metrics];
    this.#loads = new Counter({
      name: "meridian_region_player_loads_total",
      help: "Loads of players' state: granted, wait, released unused, or how they failed",
      labelNames: ["outcome"],
      registers,
    });
    const owned = () => this.#players.size;
    new Gauge({
      name: "meridian_region_players_owned",
      help: "Players whose state is this node's, or is being loaded",
      registers,
      collect() {
        this.set(owned());
      },
    });
    options.outbox.owner = this;
  }

  enter(session: EnteringSession): Promise<OwnedState> {
    const { clock } = this.#options;
    const loadId = randomUUID();
    return new Promise((resolve, reject) => {
      const outcome = { admitted: resolve, refused: reject };
      this.#entered.set(loadId, { session, ...outcome, documents: [], lastFailure: undefined });
      const giveUpAtMs = clock.monotonicMs() + LOAD_WAIT_MS;
      const entering = { sessionEpoch: session.sessionEpoch, loadId };
      this.#step(session.playerId, { type: "entered", session: entering, giveUpAtMs });
    });
  }

  /** The core was told that a newer session waits for the player. */
  wanted({ playerId, sessionEpoch, stateEpoch }: WantedPlayer): void {
    this.#step(playerId, { type: "wanted", sessionEpoch, stateEpoch });
  }

  /** The region was fenced, and its rooms end: whom they have not given up in a while they have no more. */
  fenced(): void {
    const present = new Map(this.#entered);
    this.#options.clock.after(FENCED_GRACE_MS, () => {
      for (const [loadId, { session }] of present) {
        if (this.#entered.has(loadId)) this.#step(session.playerId, { type: "fenced" });
      }
    });
  }

  saved(marks: Marks): void {
    for (const [playerId, revision] of marks) this.#sessionOf(playerId)?.onSaved(revision);
  }

  rewrite(shard: number, coreTerm: number): void {
    this.#coreTerm = Math.max(this.#coreTerm, coreTerm);
    for (const playerId of [...this.#players.keys()]) {
      if (shardOf(playerId) === shard) this.#step(playerId, { type: "rewrite", coreTerm });
    }
  }

  #step(playerId: PlayerId, event: HandOffEvent): void {
    const before = this.#players.get(playerId) ?? ABSENT;
    const [after, effects] = handOffStep(before, event, this.#options.clock.monotonicMs());
    if (after.phase === "absent") this.#players.delete(playerId);
    else this.#players.set(playerId, after);
    for (const effect of effects) this.#carryOut(playerId, effect);
  }

  #carryOut(playerId: PlayerId, effect: HandOffEffect): void {
    switch (effect.type) {
      case "load":
        this.#loadAfter(playerId, effect.session.loadId, effect.afterMs);
        break;
      case "admit":
        this.#admit(effect.session.loadId, effect.stateEpoch);
        break;
      case "refuse":
        this.#refuse(effect.session.loadId, effect.kind);
        break;
      case "end":
        this.#entered.delete(effect.session.loadId);
        break;
      case "release":
        this.#options.outbox.add(
          { playerId, stateEpoch: effect.stateEpoch, release: true },
          RELEASE_BYTES,
          0,
        );
        this.#options.outbox.hurry(playerId);
        break;
      case "rewrite":
        this.#sessionOf(playerId)?.onRewrite();
        break;
    }
  }

  #refuse(loadId: string, kind: "session_taken_over" | "unavailable"): void {
    const entered = this.#entered.get(loadId);
    this.#entered.delete(loadId);
    entered?.refused(new MeridianError(kind, { cause: entered.lastFailure }));
  }

  #loadAfter(playerId: PlayerId, loadId: string, afterMs: number): void {
    const load = () => {
      // Its failures are events of the step.
      void this.#load(playerId, loadId);
    };
    if (afterMs > 0) this.#options.clock.after(afterMs, load);
    else load();
  }

  async #load(playerId: PlayerId, loadId: string): Promise<void> {
    const entered = this.#entered.get(loadId);
    if (!entered) return;
    const { nodeId, load } = this.#options;
    const { sessionEpoch } = entered.session;
    const collections = [...entered.session.collections];
    try {
      const answer = await load({ loadId, nodeId, playerId, sessionEpoch, collections });
      this.#loads.inc({ outcome: answer.outcome });
      if (answer.outcome === "wait") {
        const { retryAfterMs, yours } = answer;
        this.#step(playerId, { type: "wait", loadId, retryAfterMs, yours });
        return;
      }
      const { stateEpoch, documents } = answer;
      entered.documents = documents;
      this.#step(playerId, { type: "granted", loadId, stateEpoch, coreTerm: this.#coreTerm });
    } catch (error) {
      this.#loadFailed(playerId, loadId, error);
    }
  }

  #loadFailed(playerId: PlayerId, loadId: string, error: unknown): void {
    const entered = this.#entered.get(loadId);
    const kind = isFailure(error) ? error.kind : "internal";
    this.#loads.inc({ outcome: kind });
    if (kind === "session_taken_over") {
      this.#step(playerId, { type: "takenOver", loadId });
    } else if (isFailure(error) && !error.retryable && entered) {
      // Asking again would not help.
      this.#entered.delete(loadId);
      this.#step(playerId, { type: "left", sessionEpoch: entered.session.sessionEpoch });
      entered.refused(error);
    } else {
      if (entered) entered.lastFailure = error;
      this.#step(playerId, { type: "loadFailed", loadId });
    }
  }

  #admit(loadId: string, stateEpoch: Epoch): void {
    const entered = this.#entered.get(loadId);
    if (!entered) return;
    const { playerId, sessionEpoch } = entered.session;
    entered.admitted({
      documents: entered.documents,
      change: (collection, format, changes, bytes) => {
        this.#requireEntered(loadId);
        this.#options.outbox.requireRoom();
        return this.#write({ playerId, stateEpoch, collection, format, ...changes }, bytes);
      },
      rewrite: (collection, format, changes, bytes) => {
        this.#requireEntered(loadId);
        return this.#write({ playerId, stateEpoch, collection, format, ...changes }, bytes);
      },
      leave: () => {
        if (!this.#entered.delete(loadId)) return;
        this.#step(playerId, { type: "left", sessionEpoch });
      },
    });
  }

  #sessionOf(playerId: PlayerId): EnteringSession | undefined {
    const state = this.#players.get(playerId);
    if (!state || state.phase === "absent") return undefined;
    return this.#entered.get(state.session.loadId)?.session;
  }

  /** @throws {MeridianError} `session_taken_over` */
  #requireEntered(loadId: string): void {
    if (!this.#entered.has(loadId)) throw new MeridianError("session_taken_over");
  }

  #write(change: StateChange, bytes: number): number {
    this.#revision += 1;
    this.#options.outbox.add(change, bytes, this.#revision);
    return this.#revision;
  }
}
