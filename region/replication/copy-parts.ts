/** The copying of rooms, put together: both sides of it, and what the core asks of them. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { type GameName, type NodeId, RegionId, type RoomId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { NodeAddress } from "../../shared/protocol/failover.ts";
import type { RegionConfig } from "../config.ts";
import type { Matchmaker } from "../matchmaking/matchmaker.ts";
import type { Rooms } from "../node/colyseus.ts";
import type { StateClass } from "../rooms/snapshot-schema.ts";
import { CopyStore, type SchemaOf } from "./copy-store.ts";
import { MoveRooms } from "./move-rooms.ts";
import { PassCopies } from "./pass-copies.ts";
import { Rehearsal } from "./rehearsal.ts";
import { Replication } from "./replication.ts";
import type { ReplicationRoutes } from "./replication-routes.ts";
import { inSlices, type Slice } from "./slices.ts";
import { Standby } from "./standby.ts";
import { TakeOver } from "./take-over.ts";
import { STREAM_PROTOCOL } from "./wire.ts";

export interface CopyPartsOptions {
  readonly config: RegionConfig;
  readonly nodeId: NodeId;
  readonly schemaOf: SchemaOf;
  /** Of games whose rooms can be restored. */
  readonly stateOf: (game: GameName) => StateClass | undefined;
  /** Of this node's link, once it listens. */
  readonly linkAddress: () => string;
  readonly identity: LinkIdentity;
  readonly onOwnerGone: (about: NodeAddress) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** What is made after these parts. */
export interface CopyRouteDeps {
  readonly rooms: Rooms;
  readonly matchmaker: Matchmaker;
  readonly release: (roomIds: readonly RoomId[]) => Promise<void>;
  readonly flushStates: () => Promise<void>;
}

export class CopyParts {
  readonly store: CopyStore;
  readonly replication: Replication;
  readonly standby: Standby;
  readonly #options: CopyPartsOptions;
  readonly #slice: Slice;
  readonly #rehearsal: Rehearsal;
  #takeOver: TakeOver | undefined;

  constructor(options: CopyPartsOptions) {
    const { config, nodeId, schemaOf, stateOf, linkAddress, identity, onOwnerGone } = options;
    const { clock, log, metrics } = options;
    this.#options = options;
    const enabled = config.REPLICATION === "on";
    const regionId = RegionId.parse(config.REGION_ID);
    const limits = { roomsMax: config.COPIES_MAX, bytesMax: config.COPIES_BYTES_MAX };
    this.store = new CopyStore(limits, schemaOf);
    const { store } = this;
    this.#slice = inSlices(clock);
    this.#rehearsal = new Rehearsal({ store, stateOf, slice: this.#slice, clock, log, metrics });
    this.standby = new Standby({
      enabled,
      store,
      onOwnerGone,
      onGiven: (room) => this.#takeOver?.given(room),
      clock,
      log,
      metrics,
    });
    this.replication = new Replication({
      enabled,
      hello: () => {
        return { protocol: STREAM_PROTOCOL, regionId, nodeId, linkAddress: linkAddress() };
      },
      identity,
      store,
      backlogBytesMax: config.REPLICATION_BACKLOG_BYTES_MAX,
      clock,
      log,
      metrics,
    });
  }

  /** In the order of their start. */
  parts(): Part[] {
    return [this.standby, this.replication, this.#rehearsal];
  }

  routes({ rooms, matchmaker, release, flushStates }: CopyRouteDeps): ReplicationRoutes {
    const { store, replication } = this;
    const { clock, log, metrics } = this.#options;
    const slice = this.#slice;
    const takeOver = new TakeOver({ rooms, matchmaker, store, slice, clock, log, metrics });
    this.#takeOver = takeOver;
    return {
      store,
      takeOver,
      passCopies: new PassCopies({
        store,
        rooms,
        streamTo: (node) => replication.streamTo(node),
        slice,
        metrics,
      }),
      moveRooms: new MoveRooms({
        rooms,
        matchmaker,
        replication,
        release,
        flushStates,
        clock,
        log,
        metrics,
      }),
    };
  }
}
