/**
 * The players of one thread of k6. There are many on one event loop, because a thread of k6 (a VU) costs megabytes
 * and compiles every module anew, and a player some kilobytes.
 */
import exec from "k6/execution";
import http from "k6/http";
import type { Options } from "k6/options";
import { gameNamed } from "../games/games.ts";
import { Player, type PlayerOptions } from "../player/player.ts";
import { clock, pause } from "./clock.ts";
import { CoreCalls } from "./core-calls.ts";
import { beginAtZero, failed, metrics, tellCounts } from "./metrics.ts";
import type { Parameters } from "./parameters.ts";
import { seeded } from "./random.ts";

const GAUGE_EVERY_MS = 1_000;
/** To log in, to wait for a seat, and to leave. */
const ASIDE_S = 300;
const READY_MS = 5_000;

export type Thresholds = NonNullable<Options["thresholds"]>;

export interface Demands {
  /** How many players come to the end of what they have to do. */
  readonly finished: number;
  /** What is demanded besides: a threshold of one's own stands in place of a common one. */
  readonly thresholds?: Thresholds;
  /** Whether anybody gets into a room; they do by default. */
  readonly play?: boolean;
}

/** What every scenario demands, and what this one does besides. */
export function optionsOf(
  parameters: Parameters,
  { finished, thresholds = {}, play = true }: Demands,
): Options {
  return {
    scenarios: {
      players: {
        executor: "per-vu-iterations",
        vus: parameters.count("VUS"),
        iterations: 1,
        maxDuration: `${Math.ceil(parameters.number("DURATION_S") + ASIDE_S)}s`,
        gracefulStop: "5s",
      },
    },
    thresholds: {
      checks: ["rate==1"],
      failures: ["count==0"],
      players_finished: [`count==${finished}`],
      // Beyond that the generator measures itself: fewer observers, or more threads and machines.
      generator_lag_ms: ["p(95)<1000"],
      ...(play && { inputs_sent: ["count>0"], patches_decoded: ["count>0"] }),
      ...thresholds,
    },
    summaryTrendStats: ["min", "med", "p(95)", "p(99)", "max", "count"],
  };
}

/** Before the run: without a core there is no load test. */
export function prepare(parameters: Parameters): void {
  const url = `${parameters.text("CORE_URL").replace(/\/+$/, "")}/v1/regions`;
  const { status } = http.get(url, { timeout: READY_MS, tags: { name: "/v1/regions" } });
  if (status !== 200) exec.test.abort(`no core answers at ${url} (${status})`);
  beginAtZero();
}

export interface Arrival {
  /** Of all threads. */
  readonly count: number;
  readonly perS: number;
  /** Of the first one, among all players of the run: names and seeds go by it. */
  readonly first?: number;
  readonly more?: Pick<PlayerOptions, "queueWatch" | "sampled">;
  /** What each does. */
  readonly live: (player: Player, index: number) => Promise<void>;
}

export class Crowd {
  readonly #parameters: Parameters;
  readonly #core: CoreCalls;
  readonly #players = new Set<Player>();
  readonly #stop: () => void;
  #hasEnded = false;
  #coming = 0;

  constructor(parameters: Parameters) {
    this.#parameters = parameters;
    this.#core = new CoreCalls(parameters.text("CORE_URL"));
    this.#stop = clock.every(GAUGE_EVERY_MS, () => this.#tell());
  }

  get players(): ReadonlySet<Player> {
    return this.#players;
  }

  /** Each of this thread's players comes at its time; resolves when all have lived. */
  async arrive({ count, perS, first = 0, more, live }: Arrival): Promise<void> {
    const vus = this.#parameters.count("VUS");
    const beganMs = Date.now();
    this.#coming += 1;
    const lives: Promise<void>[] = [];
    for (let nth = exec.vu.idInTest - 1; nth < count; nth += vus) {
      await pause(beganMs + (nth * 1_000) / perS - Date.now());
      lives.push(this.#live(first + nth, live, more));
    }
    this.#coming -= 1;
    await Promise.all(lives);
  }

  /** Whether nobody is still to come. */
  get haveAllCome(): boolean {
    return this.#coming === 0;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** No player is told of any more. */
  end(): void {
    this.#hasEnded = true;
    this.#tell();
    this.#stop();
  }

  async #live(index: number, live: Arrival["live"], more: Arrival["more"] = {}): Promise<void> {
    const parameters = this.#parameters;
    const gameName = parameters.text("GAME");
    const player = new Player({
      core: this.#core,
      name: `k6 ${index}`,
      gameName,
      game: gameNamed(parameters.text("RULES") || gameName),
      region: parameters.text("REGION"),
      observes: index % parameters.count("OBSERVERS") === 0,
      random: seeded(parameters.number("SEED") * 1_000_003 + index),
      ...more,
    });
    this.#players.add(player);
    try {
      await live(player, index);
      metrics.finished.add(1);
    } catch (error) {
      failed("script", error instanceof Error ? `${error.stack}` : String(error));
    } finally {
      this.#players.delete(player);
    }
  }

  #tell(): void {
    tellCounts();
    const playing = [...this.#players].filter(({ isPlaying }) => isPlaying).length;
    metrics.players.add(playing, { vu: `${exec.vu.idInTest}` });
  }
}
