/**
 * For tests: what a region is to the core, and no more. A real mTLS link server with the shared schemas
 * that grants seats as it is told to, and heartbeats when it is asked to.
 */
import { systemClock } from "../shared/clock.ts";
import { eachAnswered } from "../shared/errors.ts";
import { createHttpServer, type HttpServer } from "../shared/http-server.ts";
import { nodeIdOf, RegionId, RoomId, SessionId } from "../shared/ids.ts";
import { LinkIdentity } from "../shared/link/identity.ts";
import { LinkClient } from "../shared/link/link-client.ts";
import { look } from "../shared/link/look.ts";
import { createLog } from "../shared/log.ts";
import {
  CopiesAnswer,
  CopiesRequest,
  MoveRoomsAnswer,
  MoveRoomsRequest,
  PassCopiesAnswer,
  PassCopiesRequest,
  type RoomCopy,
  TakeOverAnswer,
  TakeOverRequest,
  WitnessAnswer,
  WitnessRequest,
} from "../shared/protocol/failover.ts";
import {
  ClaimAnswer,
  type Done,
  DrainRequest,
  EvictRequest,
  FenceRequest,
  HEARTBEAT_PERIOD_MS,
  Heartbeat,
  HeartbeatAnswer,
  ReleaseRequest,
  ReserveAnswer,
  ReserveManyAnswer,
  ReserveManyRequest,
  ReserveRequest,
} from "../shared/protocol/link.ts";
import { PROTOCOL_VERSION } from "../shared/protocol/version.ts";
import type { TestCore } from "./test-core.ts";

export interface TestRegion {
  readonly nodeId: string;
  readonly client: LinkClient;
  readonly identity: LinkIdentity;
  readonly asked: ReserveRequest[];
  readonly released: ReleaseRequest[];
  readonly evicted: EvictRequest[];
  readonly drained: string[];
  readonly fenced: FenceRequest[];
  /** Copies of other nodes' rooms that it says it has. */
  readonly copies: RoomCopy[];
  readonly tookOver: TakeOverRequest[];
  readonly passed: PassCopiesRequest[];
  /** What `take-over` does; by default it claims the rooms. */
  takeOver: (request: TakeOverRequest) => Promise<TakeOverAnswer>;
  passCopies: (request: PassCopiesRequest) => Promise<PassCopiesAnswer>;
  /** What `move-rooms` does; by default it has none. */
  moveRooms: (request: MoveRoomsRequest) => Promise<MoveRoomsAnswer>;
  /** Claims a room as its node. */
  claim(roomId: string): Promise<ClaimAnswer>;
  /** What `reserve` does; by default it grants a seat in room `room-<region>`. */
  grant: (request: ReserveRequest) => Promise<ReserveAnswer>;
  granted(request: ReserveRequest): ReserveAnswer;
  firstHeartbeat(): Heartbeat;
  heartbeat(change?: Partial<Heartbeat>): Promise<HeartbeatAnswer>;
  /**
   * Heartbeats now and from now on, as a node does, so that the core does not take it for down; with that
   * change, until it is called again.
   */
  beat(change?: Partial<Heartbeat>): Promise<void>;
  stop(): Promise<void>;
}

export interface TestRegionOptions {
  /** Its link, and who certifies regions there. */
  readonly core: Pick<TestCore, "linkAddress"> & {
    readonly authority: Pick<TestCore["authority"], "caPem" | "issue">;
  };
  readonly name: string;
  readonly incarnation?: number;
}

export async function startTestRegion(options: TestRegionOptions): Promise<TestRegion> {
  const { core, name, incarnation = 1 } = options;
  const regionId = RegionId.parse(name);
  const nodeId = nodeIdOf(regionId, incarnation);
  const peer = { role: "region", regionId } as const;
  const issued = { ca: core.authority.caPem, ...(await core.authority.issue(peer)) };
  const identity = new LinkIdentity(issued);
  const server = createHttpServer({
    log: createLog("region", "silent"),
    bodyBytesMax: 65_536,
    requestTimeoutMs: 5_000,
    mutualTls: identity,
  });
  const client = new LinkClient(identity);
  let claims = 0;
  let sequence = 0;
  let seats = 0;
  let beats: Partial<Heartbeat> = {};
  let beating: NodeJS.Timeout | undefined;

  const region: TestRegion = {
    nodeId,
    client,
    identity,
    asked: [],
    released: [],
    evicted: [],
    drained: [],
    fenced: [],
    copies: [],
    tookOver: [],
    passed: [],
    async takeOver({ rooms }) {
      for (const { roomId } of rooms) await region.claim(roomId);
      return { taken: rooms.map(({ roomId }) => ({ roomId, players: 1, tick: 1 })), failed: [] };
    },
    passCopies: async ({ rooms }) => ({ passed: rooms.map(({ roomId }) => roomId), failed: [] }),
    moveRooms: async () => ({ moved: [], stayed: [] }),
    claim(roomId) {
      claims += 1;
      return client.call({
        address: core.linkAddress,
        peer: { role: "core" },
        path: "/link/claim",
        body: { claimId: `claim-${nodeId}-${claims}`, roomId, game: "arena", nodeId },
        answer: ClaimAnswer,
        deadlineMs: 5_000,
      });
    },
    firstHeartbeat,
    grant: async (request) => region.granted(request),
    granted(request) {
      if (request.kind !== "seat") {
        const { roomId, sessionId } = request;
        return ReserveAnswer.parse({ nodeId, game: "arena", roomId, sessionId });
      }
      seats += 1;
      const roomId = request.roomId ?? RoomId.parse(`room-${name}`);
      const sessionId = SessionId.parse(`seat-${name}-${seats}`);
      return { nodeId, game: request.game, roomId, sessionId };
    },
    heartbeat(change = {}) {
      sequence += 1;
      const body = { ...firstHeartbeat(), sequence, ...change };
      return client.call({
        address: core.linkAddress,
        peer: { role: "core" },
        path: "/link/heartbeat",
        body,
        answer: HeartbeatAnswer,
        deadlineMs: 5_000,
      });
    },
    async beat(change = {}) {
      beats = change;
      await region.heartbeat(beats);
      // One that fails is followed by the next.
      const again = () => void region.heartbeat(beats).catch(() => undefined);
      beating ??= setInterval(again, HEARTBEAT_PERIOD_MS);
    },
    async stop() {
      clearInterval(beating);
      await client.stop();
      await server.close();
    },
  };

  const response = (schema: typeof Done | typeof ReserveAnswer) => ({ 200: schema });
  server.post(
    "/link/reserve",
    { schema: { body: ReserveRequest, response: response(ReserveAnswer) } },
    async (request) => {
      region.asked.push(request.body);
      return await region.grant(request.body);
    },
  );
  server.post(
    "/link/reserve-many",
    { schema: { body: ReserveManyRequest, response: { 200: ReserveManyAnswer } } },
    async ({ body }) => ({
      answers: await eachAnswered(body.requests, async (one) => {
        region.asked.push(one);
        return await region.grant(one);
      }),
    }),
  );
  server.post("/link/release", { schema: { body: ReleaseRequest } }, async (request) => {
    region.released.push(request.body);
    return { ok: true };
  });
  server.post("/link/evict", { schema: { body: EvictRequest } }, async (request) => {
    region.evicted.push(request.body);
    return { ok: true };
  });
  server.post("/link/drain", { schema: { body: DrainRequest } }, async (request) => {
    region.drained.push(request.body.state);
    return { ok: true };
  });
  server.post("/link/fence", { schema: { body: FenceRequest } }, async (request) => {
    region.fenced.push(request.body);
    return { ok: true };
  });
  addFailoverRoutes(server, region);
  await server.listen({ host: "127.0.0.1", port: 0 });
  const address = server.server.address();
  const port = typeof address === "object" && address ? address.port : 0;

  function firstHeartbeat(): Heartbeat {
    return Heartbeat.parse({
      regionId,
      nodeId,
      sequence: 1,
      protocol: PROTOCOL_VERSION,
      build: "test",
      publicAddress: `${name}.test:${port}`,
      nodeAddress: `127.0.0.1:${port}`,
      linkAddress: `127.0.0.1:${port}`,
      games: ["arena"],
      state: "active",
      capacity: 100,
      connected: 0,
      reserved: 0,
      rooms: 0,
      load: { eventLoopDelayP99Ms: 1, eventLoopUtilisation: 0.1, rssBytes: 1 },
      redis: "up",
      keyIds: [],
      endedRooms: [],
    });
  }
  return region;
}

/** What the core asks of nodes when one of them is lost. */
function addFailoverRoutes(server: HttpServer, region: TestRegion): void {
  server.post(
    "/link/copies",
    { schema: { body: CopiesRequest, response: { 200: CopiesAnswer } } },
    async ({ body }) => ({
      copies: region.copies.filter((copy) => body.ofNodes.includes(copy.ofNode)),
    }),
  );
  server.post(
    "/link/take-over",
    { schema: { body: TakeOverRequest, response: { 200: TakeOverAnswer } } },
    async ({ body }) => {
      region.tookOver.push(body);
      return await region.takeOver(body);
    },
  );
  server.post(
    "/link/move-rooms",
    { schema: { body: MoveRoomsRequest, response: { 200: MoveRoomsAnswer } } },
    ({ body }) => region.moveRooms(body),
  );
  server.post(
    "/link/pass-copies",
    { schema: { body: PassCopiesRequest, response: { 200: PassCopiesAnswer } } },
    async ({ body }) => {
      region.passed.push(body);
      return await region.passCopies(body);
    },
  );
  server.post(
    "/link/witness",
    { schema: { body: WitnessRequest, response: { 200: WitnessAnswer } } },
    async ({ body: { about } }) => {
      const { identity } = region;
      return { saw: await look({ address: about.linkAddress, identity, clock: systemClock }) };
    },
  );
}
