/**
 * The crowd of one contender: a process of its own, so that what players cost is not in the server's
 * figures. Each player sends its inputs at its own moment of the period, as real ones would.
 */
import { Random } from "../../../region/rooms/random.ts";
import { systemClock } from "../../../shared/clock.ts";
import { answerParent } from "./answer-parent.ts";
import { TICK_MS } from "./game.ts";
import { RawPlayer } from "./raw-player.ts";

/** Connections under way at a time. */
const CONNECTING_MAX = 20;
const SEND_EVERY_MS = 1;
/** After a hold-up of the machine no more than one input of each player is made up for. */
const OWED_PERIODS_MAX = 1;

export interface Joining {
  readonly urls: readonly string[];
  readonly seed: number;
  /** The server's process: if the parent is killed, there is nobody else to end a frozen one. */
  readonly serverPid: number;
}

/** Of all players together, since they joined. */
export interface Counts {
  readonly inputsSent: number;
  readonly patches: number;
  readonly bytesReceived: number;
  /** Of the player who got the fewest. */
  readonly patchesMin: number;
  /** Of this process. */
  readonly cpuUs: number;
}

const players: RawPlayer[] = [];
let serverPid: number | undefined;
let broken: Error | undefined;
let inputsSent = 0;
let stopSending = () => {};

async function join(joining: Joining): Promise<void> {
  serverPid = joining.serverPid;
  const random = Random.fromSeed(joining.seed);
  const seats = joining.urls.map((url) => ({ url, random: Random.fromSeed(random.next()) }));
  const joinNext = async (): Promise<void> => {
    for (let seat = seats.pop(); seat; seat = seats.pop()) await joinOne(seat.url, seat.random);
  };
  await Promise.all(Array.from({ length: CONNECTING_MAX }, joinNext));
}

function joinOne(url: string, random: Random): Promise<void> {
  return new Promise((onJoined, reject) => {
    const onBroken = (error: Error) => {
      broken ??= error;
      reject(error);
    };
    players.push(new RawPlayer({ url: new URL(url), random, onJoined, onBroken }));
  });
}

function play(): void {
  const perMs = players.length / TICK_MS;
  const owedMax = players.length * OWED_PERIODS_MAX;
  let lastMs = systemClock.monotonicMs();
  let owed = 0;
  let turn = 0;
  stopSending();
  stopSending = systemClock.every(SEND_EVERY_MS, () => {
    const nowMs = systemClock.monotonicMs();
    owed = Math.min(owedMax, owed + (nowMs - lastMs) * perMs);
    lastMs = nowMs;
    for (; owed >= 1; owed -= 1) {
      players[turn]?.sendInput();
      inputsSent += 1;
      turn = (turn + 1) % players.length;
    }
  });
}

/** @throws when any player's connection has failed */
function count(): Counts {
  if (broken) throw broken;
  const { user, system } = process.cpuUsage();
  return {
    inputsSent,
    patches: players.reduce((sum, player) => sum + player.patches, 0),
    bytesReceived: players.reduce((sum, player) => sum + player.bytesReceived, 0),
    patchesMin: Math.min(...players.map((player) => player.patches)),
    cpuUs: user + system,
  };
}

answerParent({ join, play, count, rest: () => stopSending() }, () => {
  if (serverPid !== undefined) process.kill(serverPid, "SIGKILL");
});
