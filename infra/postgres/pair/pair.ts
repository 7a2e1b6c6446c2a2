/**
 * Runs a primary and its standby on one machine: looks at both, lets the step decide, and does what it says, one
 * thing at a time. It does for the local world what Patroni does in production (`docs/database.md`).
 *
 * Both folders and the mark outlive it. What an earlier manager left running is ended first: it may serve
 * under another mark.
 */
import { type Clock, sleep } from "../../../shared/clock.ts";
import { createMetrics, type Metrics } from "../../../shared/metrics.ts";
import { PairEffects, type ServerEffect } from "./effects.ts";
import {
  FIRST_MARK,
  MEMBERS,
  type MemberName,
  otherMember,
  type PairMark,
  readMark,
  writeMark,
} from "./mark.ts";
import { Member } from "./member.ts";
import { type MemberStatus, primaryStatus, standbyStatus } from "./member-status.ts";
import { PairMetrics } from "./pair-metrics.ts";
import { PAIR_NAMES } from "./pair-names.ts";
import {
  carriedOut,
  decide,
  failed,
  PAIR_AT_START,
  type PairEffect,
  type PairLimits,
  type PairState,
  promoted,
  type Seen,
} from "./pair-step.ts";
import { type Answered, look, lookAtStandby, type StandbyLook } from "./questions.ts";
import { downWords, effectWords } from "./words.ts";

export interface PairOptions {
  /** Of each member: `data/`, `password`, `postgres.log`; made when missing, kept at the stop. */
  readonly dirs: Readonly<Record<MemberName, string>>;
  readonly markFile: string;
  readonly ports: Readonly<Record<MemberName, number>>;
  /** Where a standby reaches the other member: another port when something stands between them. */
  readonly replicationPorts: Readonly<Record<MemberName, number>>;
  readonly replicationPassword: string;
  /** The database that holds the core's schema, once there is one. */
  readonly database: string;
  /** Where the primary archives its log; nowhere by default. */
  readonly backupDir?: string | undefined;
  readonly settings?: Readonly<Record<string, string>>;
  readonly limits?: PairLimits;
  readonly clock: Clock;
  readonly report: (line: string) => void;
}

const PERIOD_MS = 500;
const START_DEADLINE_MS = 60_000;

export class Pair {
  readonly metrics: Metrics = createMetrics({ process: "database-pair" });
  readonly members: Readonly<Record<MemberName, Member>>;
  readonly #options: PairOptions;
  readonly #effects: PairEffects;
  readonly #pairMetrics: PairMetrics;
  readonly #stopping = new AbortController();
  #mark: PairMark;
  #state: PairState = PAIR_AT_START;
  #answered: Answered | undefined;
  #standbyLook: StandbyLook | undefined;
  /** The copy or the start of the standby that is under way. */
  #standbyTask: Promise<void> | undefined;
  #wake = new AbortController();
  #loop: Promise<void> | undefined;
  #byHand = false;
  #saidDown = false;
  #failure: Error | undefined;

  constructor(options: PairOptions) {
    const { report } = options;
    this.#options = options;
    this.#mark = readMark(options.markFile) ?? FIRST_MARK;
    const member = (name: MemberName) =>
      new Member({
        name,
        dir: options.dirs[name],
        port: options.ports[name],
        settings: options.settings ?? {},
        backupDir: options.backupDir,
        log: (line) => report(`… ${line}`),
        onEnded: (how) => {
          report(`✗ postgres ${name} ended (${how})`);
          this.#look();
        },
      });
    this.members = { a: member("a"), b: member("b") };
    this.#effects = new PairEffects({ ...options, members: this.members, names: PAIR_NAMES });
    this.#pairMetrics = new PairMetrics(this.metrics, { mark: () => this.#mark, pair: this });
  }

  /** Resolves when the primary serves. @throws one clear line when it does not in time */
  async start(signal?: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const abort = () => this.#stopping.abort();
    signal?.addEventListener("abort", abort, { once: true });
    for (const name of MEMBERS) await this.members[name].endLeftover();
    this.#loop = this.#run();
    const endMs = clock.monotonicMs() + START_DEADLINE_MS;
    while (!this.serves) {
      if (this.#stopping.signal.aborted) throw new Error("the start was called off");
      if (this.#failure && clock.monotonicMs() >= endMs) throw this.#failure;
      if (clock.monotonicMs() >= endMs) throw new Error("no primary served in time");
      await sleep(clock, 10, this.#stopping.signal);
    }
    signal?.removeEventListener("abort", abort);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#look();
    await this.#loop;
    await this.#standbyTask;
    // The primary first: it sends the standby the end of its log.
    const { primary } = this.#mark;
    await this.members[primary].stop();
    await this.members[otherMember(primary)].stop();
  }

  get stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  get mark(): PairMark {
    return this.#mark;
  }

  get primary(): Member {
    return this.members[this.#mark.primary];
  }

  get standby(): Member {
    return this.members[otherMember(this.#mark.primary)];
  }

  get serves(): boolean {
    return this.#state.announced && this.#answered?.is === "serving";
  }

  statusOf(name: MemberName): MemberStatus {
    const runs = this.members[name].pid !== undefined;
    const answered = this.#answered?.is === "serving" ? this.#answered : undefined;
    if (name === this.#mark.primary) {
      const answers = this.#answered !== undefined;
      return primaryStatus({ runs, answers, announced: this.serves, answered });
    }
    return standbyStatus({
      begins: runs || this.#standbyTask !== undefined,
      seen: runs ? this.#standbyLook : undefined,
      isPromotable: this.#mark.promotable,
      primary: answered,
    });
  }

  /** Looks at once, for whoever has just changed something. */
  look(): void {
    this.#look();
  }

  /**
   * Ends the primary and promotes the standby, whatever it lacks: a person's word. Resolves when it serves.
   * @returns the log that the former primary had and the new one has not, as far as was known, bytes
   * @throws when there is no standby that could follow
   */
  async failOver(): Promise<{ readonly lostBytes: number }> {
    const { generation } = this.#mark;
    if (!this.standby.isCopyOf(generation)) throw new Error("there is no standby to promote");
    const had = this.#answered?.is === "serving" ? this.#answered.walBytes : 0;
    const lostBytes = Math.max(0, had - (this.#standbyLook?.receivedBytes ?? had));
    this.#byHand = true;
    this.#look();
    const { clock } = this.#options;
    while (this.#mark.generation === generation || !this.serves) {
      if (this.#stopping.signal.aborted) throw new Error("the pair was stopped");
      await sleep(clock, 20, this.#stopping.signal);
    }
    return { lostBytes: this.#standbyLook ? lostBytes : had };
  }

  async #run(): Promise<void> {
    const { clock, report } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const wake = new AbortController();
      this.#wake = wake;
      const seen = await this.#see();
      if (signal.aborted) return;
      if (this.#byHand) await this.#handOver();
      const { state, effect } = decide(this.#state, seen, this.#mark, this.#options.limits);
      this.#state = state;
      this.#sayWhetherDown(seen);
      if (!effect) {
        await sleep(clock, PERIOD_MS, wake.signal);
        continue;
      }
      report(effectWords(effect, seen, this.#mark));
      try {
        await this.#carryOut(effect);
      } catch (error) {
        this.#failed(effect, error);
      }
    }
  }

  /** Once for each time. */
  #sayWhetherDown({ primary }: Seen): void {
    const waits = primary.is === "down" && primary.keptAway && !this.#mark.promotable;
    if (waits && !this.#saidDown) this.#options.report(downWords(this.#mark));
    this.#saidDown = waits;
  }

  #look(): void {
    this.#wake.abort();
  }

  async #see(): Promise<Seen> {
    const { clock } = this.#options;
    const { primary, standby } = this;
    const { url } = primary;
    const names = { standby: PAIR_NAMES.applicationOf(standby.name), slot: PAIR_NAMES.slot };
    const [answered, standbyLook] = await Promise.all([
      url === undefined ? undefined : look(url, names).catch(() => undefined),
      standby.url === undefined ? undefined : lookAtStandby(standby.url).catch(() => undefined),
    ]);
    this.#answered = answered;
    this.#standbyLook = standbyLook;
    const isDown = primary.pid === undefined;
    const { generation } = this.#mark;
    return {
      nowMs: clock.monotonicMs(),
      primary: isDown ? { is: "down", keptAway: primary.keptAway } : (answered ?? { is: "silent" }),
      standby: {
        process: this.#standbyTask ? "building" : standby.pid === undefined ? "down" : "up",
        usable: standby.isCopyOf(generation),
        keptAway: standby.keptAway,
      },
    };
  }

  async #carryOut(effect: PairEffect): Promise<void> {
    switch (effect.type) {
      case "write_mark":
        writeMark(this.#options.markFile, effect.mark);
        this.#pairMetrics.marked(this.#mark, effect.mark);
        this.#mark = effect.mark;
        break;
      case "build_standby":
      case "start_standby":
        this.#beginStandby(effect);
        return;
      default: {
        const done = await this.#effects.carryOut(effect, this.#mark, this.#stopping.signal);
        this.#state = carriedOut(this.#state, effect, done);
        return;
      }
    }
    this.#state = carriedOut(this.#state, effect);
  }

  /** Takes long, and the primary is looked at meanwhile. */
  #beginStandby(effect: ServerEffect): void {
    this.#state = carriedOut(this.#state, effect);
    this.#standbyTask = this.#effects
      .carryOut(effect, this.#mark, this.#stopping.signal)
      .then(
        () => {},
        (error: unknown) => this.#failed(effect, error),
      )
      .finally(() => {
        this.#standbyTask = undefined;
        this.#look();
      });
  }

  #failed(effect: PairEffect, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const why = error instanceof Error ? error.message : String(error);
    this.#failure = error instanceof Error ? error : new Error(why);
    this.#pairMetrics.failed(effect);
    this.#options.report(`✗ postgres pair: ${effect.type} failed: ${why}`);
    this.#state = failed(this.#state, effect, this.#options.clock.monotonicMs());
  }

  /** What a person asked for; the step does the rest. */
  async #handOver(): Promise<void> {
    this.#byHand = false;
    if (!this.standby.isCopyOf(this.#mark.generation)) return;
    await this.primary.fence();
    const mark = promoted(this.#mark);
    writeMark(this.#options.markFile, mark);
    this.#pairMetrics.marked(this.#mark, mark);
    this.#mark = mark;
  }
}
