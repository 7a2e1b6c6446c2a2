/**
 * Brings saved code of games into the running world, with the players still in: pages are built
 * anew, and each region's node is succeeded by one that runs the new code and goes on with the
 * rooms. What can't be built or loaded is told with its file and line, and what ran before runs on.
 *
 * One reload at a time; what is saved meanwhile makes the next one.
 */
import { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import { StartError } from "./node-process.ts";
import type { Report } from "./status.ts";

export interface ReloadedRegion {
  readonly id: string;
  /** Undefined while it is down. */
  readonly pid: number | undefined;
  readonly privateUrl: string;
  succeed(): Promise<void>;
}

export interface ReloaderOptions {
  readonly regions: readonly ReloadedRegion[];
  /** How many players are in which region: those with most come first. */
  readonly players: () => Promise<ReadonlyMap<string, number>>;
  /** @throws one line that names the file */
  readonly buildPages: () => Promise<unknown>;
  readonly clock: Clock;
  readonly report: Report;
}

const ASK_MS = 2_000;

/** What a node tells of the rooms of its former life. */
const TakenOver = z.object({
  restored: z.array(z.object({ players: z.number() })),
  afresh: z.array(z.object({ roomId: z.string(), game: z.string(), why: z.string() })),
});
type TakenOver = z.infer<typeof TakenOver>;

export class Reloader {
  readonly #options: ReloaderOptions;
  readonly #waiting = new Set<string>();
  #running: Promise<void> | undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
  }

  /** @param paths of what changed, such as `duel/duel-rules.ts`; resolves when all of it runs */
  changed(paths: readonly string[]): Promise<void> {
    for (const path of paths) this.#waiting.add(path);
    this.#running ??= this.#reloadAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #reloadAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      const paths = [...this.#waiting];
      this.#waiting.clear();
      await this.#reload(paths);
    }
  }

  async #reload(paths: readonly string[]): Promise<void> {
    const { clock, report } = this.#options;
    const beganMs = clock.monotonicMs();
    const code = paths.filter((path) => path.endsWith(".ts") && !path.includes("/page/"));
    const built = await this.#build();
    const taken = code.length > 0 ? await this.#succeed() : [];
    if (!built || !taken) return;
    const seconds = ((clock.monotonicMs() - beganMs) / 1000).toFixed(1);
    report(`✓ reloaded ${named(paths)}  ${seconds} s  ${outcomeOf(taken)}`.trimEnd());
    for (const { roomId, game, why } of taken.flatMap(({ afresh }) => afresh)) {
      report(`! ${game} room ${roomId} starts afresh: ${why}`);
    }
  }

  async #build(): Promise<boolean> {
    const { buildPages, report } = this.#options;
    try {
      await buildPages();
      return true;
    } catch (error) {
      report(`✗ ${wordsOf(error)}; the page stays as it was`);
      return false;
    }
  }

  /** @returns undefined when the new code does not run */
  async #succeed(): Promise<TakenOver[] | undefined> {
    const { regions, report } = this.#options;
    const players = await this.#players();
    const order = regions
      .filter(({ pid }) => pid !== undefined)
      .sort((a, b) => (players.get(b.id) ?? 0) - (players.get(a.id) ?? 0));
    const taken: TakenOver[] = [];
    for (const region of order) {
      try {
        await region.succeed();
        taken.push(await takenOverBy(region));
      } catch (error) {
        report(`✗ the new code does not run, the old one runs on: ${wordsOf(error)}`);
        return undefined;
      }
    }
    return taken;
  }

  async #players(): Promise<ReadonlyMap<string, number>> {
    try {
      return await this.#options.players();
    } catch {
      // The core is away: any order will do.
      return new Map();
    }
  }
}

async function takenOverBy({ privateUrl }: ReloadedRegion): Promise<TakenOver> {
  const signal = AbortSignal.timeout(ASK_MS);
  const answer = await fetch(`${privateUrl}/taken-over`, { signal });
  return TakenOver.parse(await answer.json());
}

function outcomeOf(taken: readonly TakenOver[]): string {
  const rooms = taken.flatMap(({ restored }) => restored);
  if (rooms.length === 0) return "";
  const players = rooms.reduce((sum, room) => sum + room.players, 0);
  return `${counted(rooms.length, "room")} went on, with ${counted(players, "player")}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function named(paths: readonly string[]): string {
  const [first = "", ...others] = paths;
  return others.length === 0 ? first : `${first} and ${counted(others.length, "other file")}`;
}

function wordsOf(error: unknown): string {
  if (error instanceof StartError) return error.words;
  return error instanceof Error ? error.message : String(error);
}
