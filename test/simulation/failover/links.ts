/**
 * The ways between the core and nodes, each direction by itself: open, swallowing what is sent, or rejecting
 * connections. Noise is what TCP makes of lost packets: nothing is lost, but it comes late, and behind what was sent
 * before it only by chance.
 */
import type { NodeId } from "../../../shared/ids.ts";
import type { Saw } from "../../../shared/protocol/failover.ts";
import type { World } from "./world.ts";

/** The core, or a node. */
export type End = "core" | NodeId;
export type Way = "drops" | "rejects";

const RETRANSMIT_MS = 200;
const RETRANSMITS_MAX = 4;
const LOOK_DEADLINE_MS = 600;
const LOCAL_MS_MAX = 4;
const FAR_MS_MAX = 40;
/** Of what was sent on a way that is cut, what comes late. */
const LATE_MAX = 20;

export interface Noise {
  /** 0 to 1. */
  readonly loss: number;
  readonly jitterMs: number;
}

export const QUIET: Noise = { loss: 0, jitterMs: 0 };

export class Links {
  readonly #world: World;
  readonly #ways = new Map<string, Way>();
  /** When a way was changed last. */
  readonly #changedMs = new Map<string, number>();
  readonly #late = new Map<string, readonly (() => void)[]>();
  noise: Noise = QUIET;

  constructor(world: World) {
    this.#world = world;
  }

  set(from: End, to: End, way: Way | undefined): void {
    const key = `${from}>${to}`;
    if (this.#ways.get(key) === way) return;
    if (way) this.#ways.set(key, way);
    else this.#open(key);
    this.#changedMs.set(key, this.#world.schedule.nowMs);
  }

  heal(): void {
    for (const key of [...this.#ways.keys()]) {
      this.#changedMs.set(key, this.#world.schedule.nowMs);
      this.#open(key);
    }
    this.noise = QUIET;
  }

  /** Both ways were open for so long. */
  openFor(one: End, other: End, forMs: number): boolean {
    return [`${one}>${other}`, `${other}>${one}`].every((key) => {
      const changedMs = this.#changedMs.get(key) ?? Number.NEGATIVE_INFINITY;
      return !this.#ways.has(key) && this.#world.schedule.nowMs - changedMs >= forMs;
    });
  }

  send(from: End, to: End, arrive: () => void): void {
    const key = `${from}>${to}`;
    if (this.#ways.has(key)) {
      // TCP sends again: some of it comes when the way is open again, long after its answer was given up.
      const late = this.#late.get(key) ?? [];
      if (late.length < LATE_MAX && this.#world.chance.once(3))
        this.#late.set(key, [...late, arrive]);
      return;
    }
    this.#world.schedule.after(this.#delayMs(from, to), arrive);
  }

  /** Calls, and the answer or undefined within the deadline. Whoever is dead by then hears nothing. */
  call<Answer>(
    { from, to, deadlineMs }: { readonly from: End; readonly to: End; readonly deadlineMs: number },
    work: (reply: (answer: Answer) => void) => void,
    answered: (answer: Answer | undefined) => void,
  ): void {
    let settled = false;
    const settle = (answer: Answer | undefined) => {
      if (settled) return;
      settled = true;
      answered(answer);
    };
    const back = this.#world.runner(from);
    this.send(from, to, () => {
      this.#world.runner(to)(() =>
        work((answer) => this.send(to, from, () => back(() => settle(answer)))),
      );
    });
    this.#world.schedule.after(deadlineMs, () => back(() => settle(undefined)));
  }

  /** What a look shows: a process that is gone refuses, one that stands still is silent. */
  look(from: End, about: NodeId, saw: (saw: Saw) => void): void {
    const back = this.#world.runner(from);
    let settled = false;
    const settle = (what: Saw) =>
      back(() => {
        if (!settled) saw(what);
        settled = true;
      });
    if (this.#ways.get(`${from}>${about}`) === "rejects") {
      this.#world.schedule.after(this.#delayMs(from, about), () => settle("refused"));
    }
    this.send(from, about, () => {
      const node = this.#world.nodes.get(about);
      if (!node || node.vanished) return;
      const answer = (what: Saw) => this.send(about, from, () => settle(what));
      if (node.dead) answer("refused");
      else node.run(() => answer("answers"));
    });
    this.#world.schedule.after(LOOK_DEADLINE_MS, () => settle("silent"));
  }

  #open(key: string): void {
    this.#ways.delete(key);
    for (const arrive of this.#late.get(key) ?? []) {
      this.#world.schedule.after(1 + this.#world.chance.below(FAR_MS_MAX), arrive);
    }
    this.#late.delete(key);
  }

  #delayMs(from: End, to: End): number {
    const { chance } = this.#world;
    const near = this.#world.regionOf(from) === this.#world.regionOf(to);
    let delayMs = 1 + chance.below(near ? LOCAL_MS_MAX : FAR_MS_MAX);
    const { loss, jitterMs } = this.noise;
    if (loss === 0 && jitterMs === 0) return delayMs;
    for (let tries = 0; tries < RETRANSMITS_MAX && chance.float() < loss; tries += 1) {
      delayMs += RETRANSMIT_MS * 2 ** tries;
    }
    return delayMs + chance.below(jitterMs + 1);
  }
}
