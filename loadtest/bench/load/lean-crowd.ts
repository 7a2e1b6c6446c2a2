/**
 * The process of the players that load as those of the `rooms` benchmark do: sockets that send inputs and count what
 * comes, and one of ten who is a client of the SDK, decodes everything, and takes the time of its inputs.
 */
import { Protocol } from "@colyseus/core";
import type { ArenaState } from "../../../region/games/arena/arena-state.ts";
import { LOOK_EVERY_MS } from "../../../region/games/arena/bot.ts";
import { Random } from "../../../region/rooms/random.ts";
import { Meridian } from "../../../shared/client/meridian.ts";
import type { Play } from "../../../shared/client/play.ts";
import { sleep, systemClock } from "../../../shared/clock.ts";
import { GuestAnswer } from "../../../shared/protocol/accounts.ts";
import { messageFrame as inputFrame } from "../../k6/player/sent-frames.ts";
import { LightPlayer } from "../herd/light-player.ts";
import { LeanPool } from "../lean-pool.ts";
import { messageFrame } from "../lean-socket.ts";

export interface LeanQuestion {
  readonly coreUrl: string;
  readonly region: string;
  readonly players: number;
  readonly perS: number;
  /** How long all play, once the last has come. */
  readonly playMs: number;
  /** One of so many decodes. */
  readonly observers: number;
}

export interface LeanAnswer {
  readonly playing: number;
  readonly joinsMs: readonly number[];
  /** Since all had come. */
  readonly echoesMs: readonly number[];
  readonly failures: readonly string[];
}

const CONNECTIONS_MAX = 64;
const JOINED_WITHIN_MS = 20_000;
const POLL_MS = 20;
const SAMPLE_EVERY_MS = 500;
/** A room lets whoever says so go at once, and keeps the others' seats. */
const LEAVE_MS = 500;
const leave = messageFrame(Uint8Array.of(Protocol.LEAVE_ROOM));

const dice = Random.fromSeed(1);
const random = () => dice.float();

async function load(question: LeanQuestion): Promise<LeanAnswer> {
  const { coreUrl, players, perS, playMs, observers } = question;
  const pool = new LeanPool(coreUrl, CONNECTIONS_MAX);
  const joinsMs: number[] = [];
  const echoesMs: number[] = [];
  const failures: string[] = [];
  const light: LightPlayer[] = [];
  const plays: Play<ArenaState>[] = [];
  const stops: (() => void)[] = [];
  const comes = async (index: number) => {
    const beganMs = systemClock.monotonicMs();
    if (index % observers === 0) {
      const play = await observer(question, index);
      plays.push(play);
      stops.push(keepWatching(play, echoesMs));
    } else {
      const player = await lightPlayer(question, pool);
      light.push(player);
      stops.push(keepPlaying(player));
    }
    joinsMs.push(systemClock.monotonicMs() - beganMs);
  };
  const arrivals: Promise<void>[] = [];
  for (let index = 0; index < players; index += 1) {
    arrivals.push(comes(index).catch((error: unknown) => void failures.push(String(error))));
    await sleep(systemClock, 1_000 / perS);
  }
  await Promise.all(arrivals);
  echoesMs.length = 0;
  await sleep(systemClock, playMs);
  const answer = { playing: playingOf(light, plays), joinsMs, echoesMs: [...echoesMs], failures };
  for (const stop of stops) stop();
  for (const player of light) player.send(leave);
  await sleep(systemClock, LEAVE_MS);
  for (const player of light) player.end();
  await Promise.allSettled(plays.map((play) => play.leave()));
  pool.stop();
  return answer;
}

async function observer({ coreUrl, region }: LeanQuestion, index: number) {
  const meridian = new Meridian({ url: coreUrl });
  await meridian.logIn({ name: `Observer ${index}` });
  return await meridian.join<ArenaState>("arena", { region });
}

async function lightPlayer({ coreUrl: _, region }: LeanQuestion, pool: LeanPool) {
  const { status, body } = await pool.post("/v1/guests", JSON.stringify({ device: "benchmark" }));
  if (status !== 200) throw new Error(`no guest: ${status}`);
  const { accessToken } = GuestAnswer.parse(JSON.parse(body));
  const clock = systemClock;
  const player = new LightPlayer({ pool, accessToken, game: "arena", region, clock, random });
  player.join();
  const endMs = clock.monotonicMs() + JOINED_WITHIN_MS;
  while (player.connection.phase !== "playing") {
    if (clock.monotonicMs() > endMs) throw new Error(`not in: ${player.connection.phase}`);
    await sleep(clock, POLL_MS);
  }
  return player;
}

function keepPlaying(player: LightPlayer): () => void {
  let input = 0;
  return systemClock.every(LOOK_EVERY_MS, () => {
    input += 1;
    player.send(messageFrame(new Uint8Array(inputFrame("move", moveOf(input)))));
  });
}

function keepWatching(play: Play<ArenaState>, echoesMs: number[]): () => void {
  let input = 0;
  let sample: { readonly input: number; readonly sentMs: number } | undefined;
  let sampledMs = 0;
  play.onChange((state) => {
    const seen = state.players.get(play.sessionId)?.lastInput ?? 0;
    if (!sample || seen < sample.input) return;
    echoesMs.push(systemClock.monotonicMs() - sample.sentMs);
    sample = undefined;
  });
  return systemClock.every(LOOK_EVERY_MS, () => {
    input += 1;
    if (!play.send("move", moveOf(input))) return;
    const nowMs = systemClock.monotonicMs();
    if (sample || nowMs - sampledMs < SAMPLE_EVERY_MS) return;
    sample = { input, sentMs: nowMs };
    sampledMs = nowMs;
  });
}

function moveOf(input: number) {
  return { input, x: random() * 2 - 1, y: random() * 2 - 1 };
}

function playingOf(light: readonly LightPlayer[], plays: readonly Play<ArenaState>[]): number {
  const isPlaying = ({ phase }: { readonly phase: string }) => phase === "playing";
  return [...light, ...plays].filter(({ connection }) => isPlaying(connection)).length;
}

process.on("message", async (question: LeanQuestion) => {
  process.send?.(await load(question));
});
// Before the first question there is nothing else that keeps this process alive.
process.channel?.ref();
process.send?.({ ready: true });
