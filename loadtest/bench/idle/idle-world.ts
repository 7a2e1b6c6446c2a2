/** A node, the players' process, and what stands for the core: it asks for seats and signs tickets. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TEST_REGION, TestCore } from "../../../region/link/test-core.ts";
import {
  claimsFor,
  newPlayerId,
  reservationFor,
  signTicket,
} from "../../../region/transport/test-tickets.ts";
import { sleep, systemClock } from "../../../shared/clock.ts";
import { GameName } from "../../../shared/ids.ts";
import type { ReserveRequest } from "../../../shared/protocol/link.ts";
import { Child } from "../child.ts";
import type { LeanAddress } from "../lean-socket.ts";
import type { NodeCpu, NodeMemory, NodeQuestion, NodeReady } from "./node-process.ts";
import type { PlayersAnswer, PlayersQuestion, PlayersReady } from "./players-process.ts";

const NODE = fileURLToPath(import.meta.resolve("./node-process.ts"));
const PLAYERS = fileURLToPath(import.meta.resolve("./players-process.ts"));
/** Files that a process needs besides the players' sockets. */
const OTHER_FILES = 250;
/** One address has ports for some 28,000 connections; real players don't share one at all. */
const PLAYERS_PER_ADDRESS = 100;
const HOLD_MS = 30_000;
const LEASE_DEADLINE_MS = 10_000;
const POLL_MS = 20;
/** As long as the core's are. */
const TOKEN_LENGTH = 140;

export class IdleWorld {
  /** The most players that fit under the limit of open files. */
  readonly playersMax: number;
  readonly #core: TestCore;
  readonly #node: Child;
  readonly #players: Child;
  readonly #ready: NodeReady;
  readonly #dir: string;
  #joined = 0;

  private constructor(parts: Parts) {
    const { core, node, players, nodeReady, playersReady, dir } = parts;
    this.#core = core;
    this.#node = node;
    this.#players = players;
    this.#ready = nodeReady;
    this.#dir = dir;
    this.playersMax = Math.min(nodeReady.openFilesMax, playersReady.openFilesMax) - OTHER_FILES;
  }

  /** @param playersWanted what the node's settings and limits are to allow for */
  static async start(playersWanted: number): Promise<IdleWorld> {
    const dir = mkdtempSync(join(tmpdir(), "meridian-idle-"));
    const core = await TestCore.start();
    const openFiles = playersWanted + OTHER_FILES;
    const started: Child[] = [];
    try {
      const env = nodeEnvironment(core, dir, playersWanted);
      const nodeOptions = ["--expose-gc"];
      const [node, nodeReady] = await Child.start<NodeReady>({
        file: NODE,
        nodeOptions,
        env,
        openFiles,
      });
      started.push(node);
      const [players, playersReady] = await Child.start<PlayersReady>({
        file: PLAYERS,
        openFiles,
      });
      started.push(players);
      const world = new IdleWorld({ core, node, players, nodeReady, playersReady, dir });
      await world.#leased();
      return world;
    } catch (error) {
      await stopAll(core, started, dir);
      throw error;
    }
  }

  memory(): Promise<NodeMemory> {
    return this.#ask("memory");
  }

  cpu(): Promise<NodeCpu> {
    return this.#ask("cpu");
  }

  /** So many players take their seats, all at once. @throws when one has no place in a room */
  async join(count: number): Promise<void> {
    const seats = Array.from({ length: count }, () => this.#seat());
    await this.#check(await Promise.all(seats));
  }

  /** @throws when a player is not in a room any more */
  async checkAllHere(): Promise<void> {
    await this.#check([]);
    const connected = this.#core.heartbeats.at(-1)?.connected;
    if (connected === this.#joined) return;
    throw new Error(`the node has ${connected} players instead of ${this.#joined}`);
  }

  stop(): Promise<void> {
    return stopAll(this.#core, [this.#node, this.#players], this.#dir);
  }

  #ask<Answer>(question: NodeQuestion): Promise<Answer> {
    return this.#node.ask<Answer>(question);
  }

  async #seat(): Promise<LeanAddress> {
    const playerId = newPlayerId();
    const player = { playerId, name: "Ada", sessionEpoch: [1, 1] as const };
    const request: ReserveRequest = {
      kind: "seat",
      player,
      game: GameName.parse("idle"),
      mode: "joinOrCreate",
      options: {},
      holdMs: HOLD_MS,
    };
    const answer = await this.#core.reserve(this.#ready.link, request);
    const reconnectionToken = answer.sessionId.padEnd(TOKEN_LENGTH, "-");
    const claims = claimsFor(answer, playerId, { reconnectionToken });
    const ticket = signTicket(this.#core.signer, claims);
    const reservation = reservationFor(answer, this.#ready.players, ticket);
    const { publicAddress, processId, roomId, sessionId } = reservation;
    const place = new URL(`http://${publicAddress}/${processId}/${roomId}?sessionId=${sessionId}`);
    this.#joined += 1;
    return {
      host: place.hostname,
      port: Number(place.port),
      path: place.pathname + place.search,
      localAddress: addressOf(this.#joined),
    };
  }

  async #check(newcomers: PlayersQuestion): Promise<void> {
    const { entered, lost, reason } = await this.#players.ask<PlayersAnswer>(newcomers);
    if (entered === this.#joined && lost === 0) return;
    throw new Error(`${entered} of ${this.#joined} players came in, ${lost} were lost: ${reason}`);
  }

  /** Once the core's keys are known, and seats are granted. */
  async #leased(): Promise<void> {
    const endMs = systemClock.monotonicMs() + LEASE_DEADLINE_MS;
    while (!this.#core.heartbeats.at(-1)?.keyIds.length) {
      if (systemClock.monotonicMs() > endMs) throw new Error("the node has no lease");
      await sleep(systemClock, POLL_MS);
    }
  }
}

interface Parts {
  readonly core: TestCore;
  readonly node: Child;
  readonly players: Child;
  readonly nodeReady: NodeReady;
  readonly playersReady: PlayersReady;
  readonly dir: string;
}

async function stopAll(core: TestCore, children: readonly Child[], dir: string): Promise<void> {
  await Promise.all(children.map((child) => child.stop()));
  await core.stop();
  rmSync(dir, { recursive: true, force: true });
}

/** Defaults, but for how many may come. */
function nodeEnvironment(core: TestCore, dir: string, players: number): Record<string, string> {
  const { ca, cert, key } = core.regionIdentity.current;
  const keep = (name: string, text: string) => {
    const file = join(dir, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  return {
    REGION_ID: TEST_REGION,
    CORE_LINK_ADDRESS: core.address,
    REDIS_URL: "redis://127.0.0.1:1",
    LINK_CA_FILE: keep("ca.pem", ca),
    LINK_CERT_FILE: keep("cert.pem", cert),
    LINK_KEY_FILE: keep("key.pem", key),
    REGION_CAPACITY: String(players),
    CONNECTIONS_MAX: String(players * 2),
    // So many come at once that they would be sent elsewhere.
    OVERLOAD_LOOP_DELAY_MS: "0",
    LOG_LEVEL: "warn",
  };
}

/** Only Linux has all of 127.0.0.0/8. */
function addressOf(player: number): string | undefined {
  if (process.platform !== "linux") return undefined;
  const index = Math.floor(player / PLAYERS_PER_ADDRESS);
  return `127.67.${index >> 8}.${index & 255 || 1}`;
}
