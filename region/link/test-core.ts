/**
 * For tests: the core's end of the private link, over real mTLS. It records what nodes send, answers
 * as it is told, and calls nodes as the core would.
 */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { z } from "zod";
import { type Authority, createAuthority } from "../../infra/private-link/authority.ts";
import type { Epoch } from "../../shared/epoch.ts";
import { type ErrorKind, MeridianError } from "../../shared/errors.ts";
import { createHttpServer, type HttpServer } from "../../shared/http-server.ts";
import { NodeId, RegionId, type RoomId } from "../../shared/ids.ts";
import type { LinkCredentials } from "../../shared/link/credentials.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createLog } from "../../shared/log.ts";
import { Evidence, type Standbys } from "../../shared/protocol/failover.ts";
import {
  ClaimRequest,
  Done,
  type DrainRequest,
  type EvictRequest,
  type FenceRequest,
  Heartbeat,
  type HeartbeatAnswer,
  LEASE_MS,
  type Peers,
  ReaffirmRoomsRequest,
  type ReleaseRequest,
  ReleaseRoomsRequest,
  ReserveAnswer,
  type ReserveRequest,
} from "../../shared/protocol/link.ts";
import { type FeedNews, type Profile, ProfilesRequest } from "../../shared/protocol/profiles.ts";
import { Jwks } from "../../shared/protocol/ticket.ts";
import {
  type RoomOps,
  RoomOpsRequest,
  type ValueAgainAnswer,
  ValueAgainRequest,
  ValueRequest,
} from "../../shared/protocol/value.ts";
import { TEST_KEY_ID } from "../transport/test-tickets.ts";
import type { PeerFollower, Report, WayFollower } from "./heartbeat.ts";

/** Of a node that measures nothing. */
export const noPeers: PeerFollower = { version: undefined, roundTripsMs: {}, hear() {} };
/** Of a node whose calls always go straight to the core. */
export const straightWay: WayFollower = { relayed: false, heard() {} };
export const TEST_REGION = RegionId.parse("testing");
/** What a node that does nothing says of itself. */
export const TEST_REPORT: Report = {
  regionId: TEST_REGION,
  nodeId: NodeId.parse("testing-1"),
  protocol: 1,
  build: "test",
  publicAddress: "127.0.0.1:1",
  linkAddress: "127.0.0.1:2",
  nodeAddress: "127.0.0.1:1",
  games: [],
  state: "active",
  capacity: 1,
  connected: 0,
  reserved: 0,
  rooms: 0,
  openSeats: {},
  load: { eventLoopDelayP99Ms: 0, eventLoopUtilisation: 0, rssBytes: 1 },
  redis: "up",
};
const silent = createLog("core", "silent");

export class TestCore {
  readonly heartbeats: Heartbeat[] = [];
  readonly claims: ClaimRequest[] = [];
  /** When set, heartbeats are answered with it. */
  heartbeatFailure: MeridianError | undefined;
  /** Claims are answered with these, one each, and granted when none is left. */
  readonly claimFailures: MeridianError[] = [];
  readonly valueOps: ValueRequest[] = [];
  /** Operations are answered with these, one each, and committed when none is left. */
  readonly valueFailures: MeridianError[] = [];
  /** When set, operations are answered only once it resolves. */
  valueHeld: Promise<void> | undefined;
  /** What the core knows of a room's operations: a claim is answered with the first, `room-ops` with the rest. */
  readonly roomOps: RoomOps[] = [];
  readonly roomOpsAsked: RoomOpsRequest[] = [];
  /** What nodes sent once more, and the rooms that they said are theirs. */
  readonly valueAgain: ValueAgainRequest[] = [];
  readonly reaffirmed: ReaffirmRoomsRequest[] = [];
  /** Rooms that nodes gave up. */
  readonly released: RoomId[] = [];
  /** Of operations sent again, by id; the others are known. */
  readonly againOutcomes = new Map<string, ValueAgainAnswer["outcomes"][number]>();
  readonly againFailures: MeridianError[] = [];
  /** What nodes told of others, unasked; answered with these failures first, one each. */
  readonly evidence: Evidence[] = [];
  readonly evidenceFailures: ErrorKind[] = [];
  coreTerm = 1;
  /** Profiles that it has, and the ids of each call for some. */
  readonly profiles = new Map<string, Profile>();
  readonly profileCalls: string[][] = [];
  /** When set, calls for profiles are answered only once it resolves, as things were before. */
  profilesHeld: Promise<void> | undefined;
  profileFailure: MeridianError | undefined;
  /** What heartbeats' answers carry of the feed. */
  feed: FeedNews | undefined;
  /** Told to whoever names another version of them. */
  peers: Peers | undefined;
  /** By node; told to whoever names another version of them. */
  readonly standbys = new Map<string, Standbys>();
  /** When set, heartbeats are answered only once it resolves. */
  heartbeatsHeld: Promise<void> | undefined;
  /** When set, claims are answered only once it resolves. */
  claimsHeld: Promise<void> | undefined;
  wanted: HeartbeatAnswer["wanted"] = "active";
  regionEpoch: Epoch = [1, 1];
  /** The core's clock is ahead by this. */
  aheadMs = 0;
  readonly signer: KeyObject;
  readonly #jwks: Jwks;
  readonly #authority: Authority;
  readonly #server: HttpServer;
  readonly #client: LinkClient;
  readonly regionIdentity: LinkIdentity;
  readonly coreIdentity: LinkIdentity;

  private constructor(authority: Authority, own: LinkIdentity, region: LinkIdentity) {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const jwk = publicKey.export({ format: "jwk" });
    this.signer = privateKey;
    this.#jwks = Jwks.parse({ keys: [{ ...jwk, kid: TEST_KEY_ID, alg: "EdDSA", use: "sig" }] });
    this.#authority = authority;
    this.regionIdentity = region;
    this.coreIdentity = own;
    this.#client = new LinkClient(own);
    this.#server = createHttpServer({
      log: silent,
      bodyBytesMax: 65_536,
      requestTimeoutMs: 5_000,
      mutualTls: own,
    });
    this.#server.post("/link/heartbeat", { schema: { body: Heartbeat } }, async (request) => {
      if (this.heartbeatFailure) throw this.heartbeatFailure;
      this.heartbeats.push(request.body);
      const answer = this.#answer(request.body);
      await this.heartbeatsHeld;
      return answer;
    });
    this.#server.post("/link/claim", { schema: { body: ClaimRequest } }, async (request) => {
      this.claims.push(request.body);
      await this.claimsHeld;
      const failure = this.claimFailures.shift();
      if (failure) throw failure;
      const roomOps = this.roomOps.shift();
      return { roomEpoch: [1, this.claims.length], ...(roomOps && { roomOps }) };
    });
    this.#server.post("/link/room-ops", { schema: { body: RoomOpsRequest } }, async (request) => {
      this.roomOpsAsked.push(request.body);
      return this.roomOps.shift() ?? { ops: [], upTo: request.body.opSeq, more: false };
    });
    this.#server.post(
      "/link/value-again",
      { schema: { body: ValueAgainRequest } },
      async (request) => {
        this.valueAgain.push(request.body);
        const failure = this.againFailures.shift();
        if (failure) throw failure;
        return {
          outcomes: request.body.ops.map(({ op }) => this.againOutcomes.get(op.id) ?? "known"),
        };
      },
    );
    this.#server.post(
      "/link/reaffirm-rooms",
      { schema: { body: ReaffirmRoomsRequest } },
      async (request) => {
        this.reaffirmed.push(request.body);
        return { held: request.body.rooms.map(({ roomId }) => roomId) };
      },
    );
    this.#server.post("/link/evidence", { schema: { body: Evidence } }, async (request) => {
      const failure = this.evidenceFailures.shift();
      if (failure) throw new MeridianError(failure);
      this.evidence.push(request.body);
      return { ok: true };
    });
    this.#server.post(
      "/link/release-rooms",
      { schema: { body: ReleaseRoomsRequest } },
      async (request) => {
        this.released.push(...request.body.roomIds);
        return { released: request.body.roomIds.length };
      },
    );
    this.#server.post("/link/value", { schema: { body: ValueRequest } }, async (request) => {
      this.valueOps.push(request.body);
      await this.valueHeld;
      const failure = this.valueFailures.shift();
      if (failure) throw failure;
      return { outcome: "committed", opSeq: 1, wallets: [] };
    });
    this.#server.post("/link/profiles", { schema: { body: ProfilesRequest } }, async (request) => {
      const { ids } = request.body;
      this.profileCalls.push(ids);
      if (this.profileFailure) throw this.profileFailure;
      const asOf = this.feed?.place ?? { feedId: "none", seq: 0 };
      const profiles = ids.flatMap((id) => this.profiles.get(id) ?? []);
      await this.profilesHeld;
      return { asOf, profiles };
    });
  }

  static async start(port = 0): Promise<TestCore> {
    const authority = await createAuthority();
    const { caPem: ca } = authority;
    const own = { ca, ...(await authority.issue({ role: "core" })) };
    const region = { ca, ...(await authority.issue({ role: "region", regionId: TEST_REGION })) };
    const core = new TestCore(authority, new LinkIdentity(own), new LinkIdentity(region));
    await core.#server.listen({ host: "127.0.0.1", port });
    return core;
  }

  async stop(): Promise<void> {
    await this.#client.stop();
    await this.#server.close();
  }

  get address(): string {
    const address = this.#server.server.address();
    if (typeof address !== "object" || address === null) throw new Error("the core is stopped");
    return `127.0.0.1:${address.port}`;
  }

  /** Credentials of the same authority under another region's name. */
  async credentialsOf(regionId: string): Promise<LinkCredentials> {
    const peer = { role: "region", regionId: RegionId.parse(regionId) } as const;
    return { ca: this.#authority.caPem, ...(await this.#authority.issue(peer)) };
  }

  reserve(address: string, body: ReserveRequest): Promise<ReserveAnswer> {
    return this.#call(address, "/link/reserve", body, ReserveAnswer);
  }

  release(address: string, body: ReleaseRequest): Promise<Done> {
    return this.#call(address, "/link/release", body, Done);
  }

  evict(address: string, body: EvictRequest): Promise<Done> {
    return this.#call(address, "/link/evict", body, Done);
  }

  fence(address: string, body: FenceRequest): Promise<Done> {
    return this.#call(address, "/link/fence", body, Done);
  }

  drain(address: string, body: DrainRequest): Promise<Done> {
    return this.#call(address, "/link/drain", body, Done);
  }

  #call<T>(address: string, path: string, body: unknown, answer: z.ZodType<T>): Promise<T> {
    const peer = { role: "region", regionId: TEST_REGION } as const;
    return this.#client.call<T>({ address, peer, path, body, answer, deadlineMs: 5_000 });
  }

  #answer(heartbeat: Heartbeat): HeartbeatAnswer {
    const known = heartbeat.keyIds.includes(TEST_KEY_ID);
    const standbys = this.standbys.get(heartbeat.nodeId);
    return {
      coreTimeMs: Date.now() + this.aheadMs,
      leaseMs: LEASE_MS,
      regionEpoch: this.regionEpoch,
      coreTerm: this.coreTerm,
      ...(!known && { jwks: this.#jwks }),
      wanted: this.wanted,
      ...(this.feed && { feed: this.feed }),
      ...(standbys && standbys.version !== heartbeat.standbysVersion && { standbys }),
      ...(this.peers && this.peers.version !== heartbeat.peersVersion && { peers: this.peers }),
    };
  }
}
