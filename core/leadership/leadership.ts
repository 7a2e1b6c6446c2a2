/**
 * Runs the step that decides who leads, on a timer and on what the database answers, and carries out what it says:
 * starts the leader's parts when this process is elected, and tells `ended` when it must end.
 *
 * The start tries once itself: where one core runs alone, its parts start, or fail to, as part of the process's
 * start. Stopping, the leader's parts are drained and stopped while the lease is still renewed; then it is given back,
 * so that a follower leads within half a second, and never beside requests that are still under way here.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { sleep } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { type Part, startAll, stopAll } from "../../shared/lifecycle.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { Connections, Database } from "../db/database.ts";
import { LeadershipMetrics } from "./leadership-metrics.ts";
import {
  follower,
  type Lead,
  type LeadershipEffect,
  type LeadershipEvent,
  type LeadershipState,
  leadershipStep,
  type Over,
  type Standing,
  standingOf,
} from "./leadership-step.ts";
import * as store from "./lease-store.ts";

const TICK_MS = 50;
const RETRY_AFTER_MS = 500;
/** Renewals have a deadline of less, so that whoever waits for one hears sooner. */
const SURE_WAIT_MAX_MS = 3_000;
const SURE_POLL_MS = 10;

export interface LeadershipDeps {
  /** What this core is called; asked at the start, when its private port is known. */
  readonly nameOf: () => string;
  readonly database: Database;
  /** Which nobody else's work can hold up. */
  readonly connections: Connections;
  /** Of the leader, in the order in which they start. */
  readonly parts: readonly Part[];
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Leadership implements Part {
  readonly name = "leadership";
  /** Resolves when this process must end at once: with why. */
  readonly ended: Promise<string>;
  readonly #deps: LeadershipDeps;
  readonly #metrics: LeadershipMetrics;
  #end: (why: string) => void = () => {};
  #name = "";
  #state: LeadershipState;
  #asking: Promise<void> | undefined;
  /** The start of the leader's parts. */
  #begun: Promise<void> | undefined;
  #serving = false;
  #started = false;
  #stopping = false;
  #cancel: Cancel = () => {};

  constructor(deps: LeadershipDeps) {
    this.#deps = deps;
    this.#state = follower("", deps.clock.monotonicMs());
    this.#metrics = new LeadershipMetrics(deps.metrics, () => this.lead);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async start(): Promise<void> {
    const { clock, nameOf } = this.#deps;
    this.#name = nameOf();
    this.#state = follower(this.#name, clock.monotonicMs());
    this.#tick();
    await this.#asking;
    await this.#begun;
    this.#started = true;
    this.#cancel = clock.every(TICK_MS, () => this.#tick());
  }

  async drain(): Promise<void> {
    this.#stopping = true;
    await this.#asking;
    if (this.#state.role === "following") this.#cancel();
    if (!this.#begun) return;
    await this.#begun.catch(() => undefined);
    await stopAll(this.#deps.parts, this.#deps.log);
    this.#cancel();
    await this.#asking;
    await this.#giveBack();
  }

  async stop(): Promise<void> {
    this.#cancel();
    await this.#asking;
  }

  get standing(): Standing {
    const standing = standingOf(this.#state, this.#deps.clock.monotonicMs());
    // Its parts stop, while the lease is renewed still.
    if (this.#stopping && this.lead) return "over";
    return standing === "sure" && !this.#serving ? "starting" : standing;
  }

  /** Whether this process has started, whoever leads. */
  get started(): boolean {
    return this.#started;
  }

  /** Of this process while it leads. */
  get lead(): Lead | undefined {
    return this.#state.role === "leading" ? this.#state.lead : undefined;
  }

  /** What this core is called. */
  get ownName(): string {
    return this.#name;
  }

  /**
   * How it stands. Waits for the leader's parts, and for the database where the lease is over and nothing is known, as
   * after this process stood still.
   */
  async settled(): Promise<Standing> {
    const { clock } = this.#deps;
    if (this.standing === "starting") await this.#begun?.catch(() => undefined);
    const endMs = clock.monotonicMs() + SURE_WAIT_MAX_MS;
    while (this.standing === "unsure" && clock.monotonicMs() < endMs) {
      this.#tick();
      await (this.#asking ?? sleep(clock, SURE_POLL_MS));
    }
    return this.standing;
  }

  /**
   * Before anything is answered that only the leader may answer.
   * @throws {MeridianError} `unavailable` where it does not lead, or can't find out
   */
  async require(): Promise<void> {
    const standing = await this.settled();
    if (standing !== "sure" && standing !== "alone") throw this.#refusal();
  }

  #refusal(): MeridianError {
    const known = this.#state.role === "following" ? this.#state.known : undefined;
    const holder = known && known.leftMs > 0 ? known.holder : undefined;
    const leader = holder ? `"${holder}" does, in term ${known?.term}` : "nobody does right now";
    return new MeridianError("unavailable", {
      message: `This core, "${this.#name}", does not lead: ${leader}.`,
      retryAfterMs: RETRY_AFTER_MS,
    });
  }

  #tick(): void {
    this.#dispatch({ type: "tick", random: this.#deps.random() });
  }

  #dispatch(event: LeadershipEvent): readonly LeadershipEffect[] {
    if (this.#stopping && this.#state.role === "following") return [];
    const { lead } = this;
    const [state, effects] = leadershipStep(this.#state, event, this.#deps.clock.monotonicMs());
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect, lead);
    return effects;
  }

  /** @param lead before it */
  #carryOut(effect: LeadershipEffect, lead: Lead | undefined): void {
    if (effect.type === "lead") this.#begin(effect.lead);
    else if (effect.type === "end") this.#over(effect.because, lead);
    // A take is carried out by the look that asks for it.
    else if (effect.type !== "take") this.#ask(effect);
  }

  /** One question at a time. */
  #ask(effect: Extract<LeadershipEffect, { type: "look" | "renew" }>): void {
    const asking = effect.type === "look" ? this.#look() : this.#renew(effect.lead);
    this.#asking = asking
      .catch((error: unknown) => this.#away(error))
      .finally(() => {
        this.#asking = undefined;
      });
  }

  async #look(): Promise<void> {
    const { connections, clock } = this.#deps;
    const effects = this.#dispatch({ type: "seen", row: await store.selectLease(connections) });
    if (!effects.some(({ type }) => type === "take")) return;
    const sentMs = clock.monotonicMs();
    const lead = await connections.transaction(async (tx) => {
      await store.awaitCommits(tx);
      return await store.takeLease(tx, this.#name);
    });
    this.#dispatch(lead ? { type: "taken", lead, sentMs } : { type: "notTaken" });
  }

  async #renew(lead: Lead): Promise<void> {
    const { connections, clock } = this.#deps;
    const sentMs = clock.monotonicMs();
    if (await store.renewLease(connections, lead)) {
      this.#metrics.renewed("renewed");
      this.#dispatch({ type: "renewed", sentMs });
      return;
    }
    this.#dispatch({ type: "notRenewed", row: await store.selectLease(connections) });
  }

  #away(error: unknown): void {
    // A mistake of ours ends the process, as any does that nobody catches.
    if (!isFailure(error)) throw error;
    if (this.#state.role === "leading") this.#metrics.renewed("failed");
    this.#dispatch({ type: "away" });
  }

  #begin(lead: Lead): void {
    const { database, parts, log } = this.#deps;
    const values = [lead.term, lead.coreTerm];
    const onRefused = () => this.#dispatch({ type: "refused" });
    database.guardCommits({ text: store.REQUIRE_LEADER, values, onRefused });
    this.#metrics.elected();
    log.info({ ...lead, name: this.#name }, "this core leads from now on");
    const begun = startAll(parts, log).then(() => {
      this.#serving = true;
    });
    this.#begun = begun;
    // At the process's start its own start fails by it.
    if (this.#started) {
      begun.catch((err: unknown) => {
        log.fatal({ err, runbook: "core-leadership" }, "the leader's parts could not start");
        this.#end("the leader's parts could not start");
      });
    }
    begun.catch(() => undefined);
  }

  #over(because: Over, lead: Lead | undefined): void {
    if (this.#stopping) return;
    this.#metrics.over(because);
    const about = { because, name: this.#name, ...lead, runbook: "core-leadership" };
    this.#deps.log.fatal(about, "this core leads no longer, and ends");
    // Nobody has taken it then: the next need not wait until it is over.
    const given = because === "core_term_raised" ? this.#give(lead) : Promise.resolve();
    void given.then(() => this.#end(because));
  }

  async #giveBack(): Promise<void> {
    const { lead } = this;
    this.#dispatch({ type: "givenBack" });
    await this.#give(lead);
  }

  /** Never rejects: the lease is over by itself soon. */
  async #give(lead: Lead | undefined): Promise<void> {
    if (!lead) return;
    const { connections, log } = this.#deps;
    try {
      await store.giveLeaseBack(connections, lead);
      log.info({ ...lead, name: this.#name }, "the lease was given back");
    } catch (err) {
      log.warn({ err, runbook: "core-leadership" }, "the lease could not be given back");
    }
  }
}
