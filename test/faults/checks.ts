/** The invariants as checks of a running world and of the players in it. */
import type { LocalWorld } from "../../infra/local/world.ts";
import { JOIN_BUDGET_MS, RETURN_BUDGET_MS } from "../../shared/client/connection-moves.ts";
import type { RegionId } from "../../shared/ids.ts";
import type { RegionInfo, RegionsAnswer } from "../../shared/protocol/join.ts";
import { HEARTBEAT_PERIOD_MS } from "../../shared/protocol/link.ts";
import { regionsOf, seatsHeld } from "../world.ts";
import { Violation, waitUntil } from "./invariant.ts";
import type { Trader } from "./value/trader.ts";
import type { WatchedPlayer } from "./watched-players.ts";

/** What the SDK may take to give its seat up, and then to find another. */
const PLAYS_AGAIN_WITHIN_MS = RETURN_BUDGET_MS + JOIN_BUDGET_MS;
const TOLD_WITHIN_MS = 10_000;
/** The core's grace, and a machine that is busy with restarts. */
const CORE_KNOWS_WITHIN_MS = 15_000;
const SESSIONS_WITHIN_MS = 15_000;
/** Every region has reported twice: a number that was right for a moment only is not settled. */
const SETTLED_MS = 2 * HEARTBEAT_PERIOD_MS + 200;
/** A ticket's seat is held for 35 s, a dropped player's for 30 s. */
const SEATS_LAPSE_WITHIN_MS = 45_000;
const DRAINS_WITHIN_MS = 15_000;

/** Each of them plays, and not in `elsewhereThan`. */
export function allPlay(
  players: readonly (WatchedPlayer | Trader)[],
  elsewhereThan?: RegionId,
): Promise<void> {
  const plays = ({ regionId }: WatchedPlayer | Trader) =>
    regionId !== undefined && regionId !== elsewhereThan;
  return waitUntil({
    invariant: "plays-again",
    withinMs: PLAYS_AGAIN_WITHIN_MS,
    wrong: () => listed(players.filter((player) => !plays(player))),
  });
}

export function allAtHome(players: readonly WatchedPlayer[]): Promise<void> {
  return waitUntil({
    invariant: "plays-again",
    withinMs: PLAYS_AGAIN_WITHIN_MS,
    wrong: () => listed(players.filter(({ regionId, home }) => regionId !== home)),
  });
}

/** Each of them has been told that something is wrong. */
export function allTold(players: readonly WatchedPlayer[]): Promise<void> {
  const wasTold = ({ seen }: WatchedPlayer) => [...seen].some((phase) => phase !== "playing");
  return waitUntil({
    invariant: "told",
    withinMs: TOLD_WITHIN_MS,
    wrong: () => listed(players.filter((player) => !wasTold(player))),
  });
}

/** Those who had to come back, or were sent away. */
export function disturbedAmong(players: readonly WatchedPlayer[]): WatchedPlayer[] {
  // A busy machine may keep a room silent for a moment: doubt alone harms nobody.
  const fine = ["playing", "suspect"];
  return players.filter(({ seen }) => [...seen].some((phase) => !fine.includes(phase)));
}

/** @throws {Violation} when one of them had to come back, or was sent away */
export function requireUndisturbed(players: readonly WatchedPlayer[]): void {
  const problem = listed(disturbedAmong(players));
  if (problem !== undefined) throw new Violation("undisturbed", problem);
}

export function coreLists(
  world: LocalWorld,
  regionId: RegionId,
  states: readonly RegionInfo["state"][],
): Promise<void> {
  return waitUntil({
    invariant: "core-knows",
    withinMs: CORE_KNOWS_WITHIN_MS,
    wrong: () =>
      askCore(world, ({ regions }) => {
        const state = regions.find((region) => region.regionId === regionId)?.state;
        return state && states.includes(state) ? undefined : `${regionId} is ${state}`;
      }),
  });
}

export interface Online {
  readonly players: readonly WatchedPlayer[];
  /** Are counted, and not looked for in their rooms. */
  readonly traders: readonly Trader[];
}

/** The core counts exactly these players, and each is in one room alone. */
export function sessionsCount(world: LocalWorld, online: Online): Promise<void> {
  return sessionsSettle(world, online, 0);
}

/** As `sessionsCount`, and it stays like that. */
export function sessionsSettle(
  world: LocalWorld,
  { players, traders }: Online,
  forMs = SETTLED_MS,
): Promise<void> {
  const count = players.length + traders.length;
  return waitUntil({
    invariant: "one-session",
    withinMs: SESSIONS_WITHIN_MS,
    forMs,
    wrong: async () => (await miscounted(world, count)) ?? notInOneRoom(players),
  });
}

/** Nobody is in a room, and no seat waits for anybody any more. */
export function nobodyLeft(world: LocalWorld): Promise<void> {
  return waitUntil({
    invariant: "one-session",
    withinMs: SEATS_LAPSE_WITHIN_MS,
    async wrong() {
      const held = await seatsHeld(world);
      return (await miscounted(world, 0)) ?? (held === 0 ? undefined : `${held} seats are held`);
    },
  });
}

/** The process of a region has ended by itself. */
export function ends(world: LocalWorld, regionId: RegionId): Promise<void> {
  return waitUntil({
    invariant: "drains",
    withinMs: DRAINS_WITHIN_MS,
    wrong() {
      const pid = world.regions.get(regionId)?.pid;
      return pid === undefined ? undefined : `process ${pid} of ${regionId} still runs`;
    },
  });
}

function miscounted(world: LocalWorld, players: number): Promise<string | undefined> {
  return askCore(world, ({ playersOnline, regions }) => {
    if (playersOnline === players) return undefined;
    const counts = regions.map((region) => `${region.regionId} ${region.players}`).join(", ");
    return `${playersOnline} sessions of ${players} players: ${counts}`;
  });
}

/** A core that does not answer is wrong as well, until it does. */
async function askCore(
  world: LocalWorld,
  judge: (answer: RegionsAnswer) => string | undefined,
): Promise<string | undefined> {
  let answer: RegionsAnswer;
  try {
    answer = await regionsOf(world);
  } catch (error) {
    return `the core does not answer: ${error instanceof Error ? error.message : error}`;
  }
  return judge(answer);
}

/** Asks the rooms themselves, as the players in them see them: names are the players' own. */
function notInOneRoom(players: readonly WatchedPlayer[]): string | undefined {
  const rooms = new Map(
    players.flatMap(({ bot: { room } }) => (room ? [[room.roomId, room]] : [])),
  );
  const present = [...rooms.values()].flatMap((room) => room.present).sort();
  const expected = players.map(({ name }) => name).sort();
  if (present.join() === expected.join()) return undefined;
  return `in ${rooms.size} rooms there are: ${present.join(", ")}`;
}

function listed(players: readonly (WatchedPlayer | Trader)[]): string | undefined {
  if (players.length === 0) return undefined;
  return players
    .map((player) => {
      if (!("bot" in player)) return `trader ${player.name} is ${player.regionId ?? "nowhere"}`;
      const { name, bot, seen } = player;
      const { connection } = bot;
      const where = "regionId" in connection ? ` ${connection.regionId}` : "";
      const why = "error" in connection ? ` ${connection.error.kind}` : "";
      return `${name} is ${connection.phase}${where}${why} (was ${[...seen].join(", ")})`;
    })
    .join("; ");
}
