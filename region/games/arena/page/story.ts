/**
 * What happens to regions and to the player between them, a sentence for each turn. It listens to what the page
 * hears anyway: the connection, moves, and the list of regions.
 */
import type { Connection, Moved } from "../../../../shared/client/connection.ts";
import type { RegionInfo } from "../../../../shared/protocol/join.ts";
import { counted } from "./words.ts";

/** How long a sentence stays. */
export const TOLD_MS = 30_000;
export const LINES_MAX = 6;
/** Players of a lost region arrive elsewhere within that. */
const ARRIVALS_MS = 15_000;

type Region = Pick<RegionInfo, "regionId" | "name" | "state" | "players">;

export interface Line {
  readonly serial: number;
  readonly text: string;
  readonly atMs: number;
}

/** What the player has at the moment of a move. */
export interface Luggage {
  /** Banked in this round. */
  readonly score: number;
  readonly carried: number;
}

/** Where others may have come to, since some region was lost. */
interface Refuge {
  readonly playersBefore: number;
  readonly untilMs: number;
  told: number;
}

export class Story {
  readonly #city: (regionId: string) => string;
  readonly #nowMs: () => number;
  #lines: Line[] = [];
  #serial = 0;
  #regions = new Map<string, Region>();
  /** By the player's own region. */
  readonly #refuges = new Map<string, Refuge>();
  #phase: Connection["phase"] = "idle";
  /** Where the connection broke, and when. */
  #broken: { readonly regionId: string; readonly atMs: number } | undefined;

  constructor(city: (regionId: string) => string, nowMs: () => number) {
    this.#city = city;
    this.#nowMs = nowMs;
  }

  /** The oldest first. */
  get lines(): readonly Line[] {
    const nowMs = this.#nowMs();
    this.#lines = this.#lines.filter(({ atMs }) => nowMs - atMs < TOLD_MS);
    return this.#lines;
  }

  tell(text: string): void {
    if (this.#lines.at(-1)?.text === text) return;
    this.#serial += 1;
    const line = { serial: this.#serial, text, atMs: this.#nowMs() };
    this.#lines = [...this.#lines, line].slice(-LINES_MAX);
  }

  connection(connection: Connection): void {
    const { phase } = connection;
    const before = this.#phase;
    this.#phase = phase;
    if (phase === before) return;
    if (phase === "suspect" || phase === "reconnecting") this.#broke(connection.regionId, phase);
    else if (phase === "moving") {
      this.tell(`Your room goes on in ${this.#city(connection.to)}: on the way there…`);
    } else if (phase === "playing") this.#plays(connection.regionId, before);
    else this.#broken = undefined;
  }

  /** @returns what was told */
  moved({ from, to, tookMs, sameRoom }: Moved, luggage: Luggage | undefined): string {
    const [there, here] = [this.#city(from), this.#city(to)];
    const words = sameRoom
      ? `Your room goes on in ${here}, ${laterInWords(tookMs)}${luggageInWords(luggage)}.`
      : `${there} can't be reached from here: you play in another room now, in ${here}.`;
    this.#broken = undefined;
    this.tell(words);
    return words;
  }

  /** @param here the region that the player is in */
  regions(regions: readonly Region[], here: string | undefined): void {
    const before = this.#regions;
    this.#regions = new Map(regions.map((region) => [region.regionId, region]));
    for (const region of regions) {
      const former = before.get(region.regionId);
      if (!former || former.state === region.state) continue;
      if (region.state === "down") this.#lost(region, former, here);
      else if (former.state === "down" && region.state === "active") {
        this.tell(`${region.name} is back. It takes new players; rooms stay where they are.`);
      }
    }
    this.#arrivals(here);
  }

  #broke(regionId: string, phase: "suspect" | "reconnecting"): void {
    if (!this.#broken) {
      this.#broken = { regionId, atMs: this.#nowMs() };
      this.tell(`${this.#city(regionId)} does not answer…`);
    }
    if (phase === "reconnecting") this.tell("Asking where to go on…");
  }

  #plays(regionId: string, before: Connection["phase"]): void {
    const broken = this.#broken;
    this.#broken = undefined;
    if (before === "connecting") this.tell(`You play in ${this.#city(regionId)}.`);
    if (broken?.regionId !== regionId) return;
    this.tell(
      `${this.#city(regionId)} answers again, ${laterInWords(this.#nowMs() - broken.atMs)}.`,
    );
  }

  #lost(region: Region, former: Region, here: string | undefined): void {
    const players = former.players > 0 ? `, with ${counted(former.players, "player")}` : "";
    this.tell(`${region.name} is lost${players}.`);
    const own = here === undefined ? undefined : this.#regions.get(here);
    if (!own || own.regionId === region.regionId) return;
    const untilMs = this.#nowMs() + ARRIVALS_MS;
    this.#refuges.set(own.regionId, { playersBefore: own.players, untilMs, told: 0 });
  }

  #arrivals(here: string | undefined): void {
    if (here === undefined) return;
    const refuge = this.#refuges.get(here);
    const own = this.#regions.get(here);
    if (!refuge || !own || this.#nowMs() > refuge.untilMs) return;
    const more = own.players - refuge.playersBefore;
    if (more <= refuge.told) return;
    refuge.told = more;
    this.tell(`${counted(more, "player")} more in ${own.name} since then.`);
  }
}

function laterInWords(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s later`;
}

function luggageInWords(luggage: Luggage | undefined): string {
  if (!luggage) return "";
  const { score, carried } = luggage;
  const parts = [
    ...(score > 0 ? [`your ${counted(score, "coin")}`] : []),
    ...(carried > 0 ? [`the ${carried} that you carry`] : []),
  ];
  return parts.length === 0 ? "" : `, with ${parts.join(" and ")}`;
}
