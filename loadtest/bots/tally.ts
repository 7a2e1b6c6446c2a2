/** Counts what happens to bots, for the status line and the summary. */
import type { Connection } from "../../shared/client/connection.ts";
import type { BotObserver } from "./bot-player.ts";

/** The newest joins, from which the percentiles are taken. */
const JOINS_KEPT_MAX = 10_000;

/** Where a bot stands, in the words of the status line. */
export const STANDINGS = [
  "playing",
  "joining",
  "queued",
  "reconnecting",
  "lost",
  "failed",
] as const;
export type Standing = (typeof STANDINGS)[number];

export interface Census {
  readonly bots: Readonly<Record<Standing, number>>;
  /** Those who play, by region. */
  readonly regions: ReadonlyMap<string, number>;
}

export class Tally {
  /** How often a bot got into a room. */
  joins = 0;
  /** How often a connection broke; most come back to their seat. */
  disconnects = 0;
  /** How often a room could not be had back. */
  roomsLost = 0;
  /** Coins' worth that was brought to banks. */
  banked = 0;
  /** The most bots that played at one time, and when that was reached. */
  playingMost = 0;
  playingMostAfterMs = 0;
  readonly #passedMs: () => number;
  readonly #failures = new Map<string, number>();
  readonly #joinsMs: number[] = [];
  readonly #playing = new Set<object>();

  /** @param passedMs since the run's start */
  constructor(passedMs: () => number) {
    this.#passedMs = passedMs;
  }

  /** What counts for one bot. */
  observer(): BotObserver {
    const bot = {};
    let before: Connection["phase"] = "idle";
    return {
      connection: (connection) => {
        this.#changed(connection, before);
        before = connection.phase;
        if (standingOf(connection) === "playing") this.#playing.add(bot);
        else this.#playing.delete(bot);
        this.#noteMost();
      },
      joined: (tookMs) => {
        this.#joinsMs[this.joins % JOINS_KEPT_MAX] = tookMs;
        this.joins += 1;
      },
      failed: ({ kind }) => this.#fail(kind),
      banked: (worth) => {
        this.banked += worth;
      },
    };
  }

  /** Since the run's start. */
  get passedMs(): number {
    return this.#passedMs();
  }

  /** How often each kind of failure was met. */
  get failures(): ReadonlyMap<string, number> {
    return this.#failures;
  }

  /** @returns ms; undefined before the first join */
  joinMs(percent: number): number | undefined {
    return percentile(this.#joinsMs, percent);
  }

  #changed(connection: Connection, before: Connection["phase"]): void {
    const { phase } = connection;
    // Each further attempt to come back is told as well.
    const away = before === "reconnecting" || before === "moving";
    if (phase === "reconnecting" && !away) this.disconnects += 1;
    if (phase === "lost") {
      this.roomsLost += 1;
      this.#fail(connection.error.kind);
    }
    if (phase === "left" && connection.reason !== "asked") this.#fail(connection.reason);
  }

  #noteMost(): void {
    if (this.#playing.size <= this.playingMost) return;
    this.playingMost = this.#playing.size;
    this.playingMostAfterMs = this.#passedMs();
  }

  #fail(kind: string): void {
    this.#failures.set(kind, (this.#failures.get(kind) ?? 0) + 1);
  }
}

/** Undefined for a bot that has not arrived, or left because it was asked to. */
export function standingOf(connection: Connection): Standing | undefined {
  switch (connection.phase) {
    case "idle":
      return undefined;
    case "admitted":
    case "connecting":
      return "joining";
    case "offered":
      return "queued";
    case "suspect":
    case "moving":
      return "reconnecting";
    case "left":
      return connection.reason === "asked" ? undefined : "failed";
    default:
      return connection.phase;
  }
}

/** Where all bots stand at this moment. */
export function takeCensus(connections: Iterable<Connection>): Census {
  const bots = { playing: 0, joining: 0, queued: 0, reconnecting: 0, lost: 0, failed: 0 };
  const regions = new Map<string, number>();
  for (const connection of connections) {
    const standing = standingOf(connection);
    if (standing) bots[standing] += 1;
    if (connection.phase !== "playing") continue;
    regions.set(connection.regionId, (regions.get(connection.regionId) ?? 0) + 1);
  }
  return { bots, regions };
}

/** The smallest value that so many percent of all are not above (nearest rank). */
export function percentile(values: readonly number[], percent: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
}
