/** For tests: a standby over a real link, without rooms of its own, whose reading can be held up. */

import { systemClock } from "../../shared/clock.ts";
import { createHttpServer, type HttpServer } from "../../shared/http-server.ts";
import { NodeId, type RoomId } from "../../shared/ids.ts";
import type { LinkCredentials } from "../../shared/link/credentials.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import {
  type NodeAddress,
  REPLICAS_PATH,
  REPLICAS_PROTOCOL,
} from "../../shared/protocol/failover.ts";
import { serveUpgrades, type Upgrade } from "../link/upgrades.ts";
import type { CopyLimits } from "./copy-shares.ts";
import { CopyStore } from "./copy-store.ts";
import { Standby } from "./standby.ts";

const LIMITS: CopyLimits = { roomsMax: 100, bytesMax: 64 * 1024 * 1024 };

export class TestStandby {
  readonly nodeId: NodeId;
  readonly store: CopyStore;
  readonly standby: Standby;
  readonly metrics = createMetrics({});
  readonly gone: NodeAddress[] = [];
  readonly given: RoomId[] = [];
  /** Of each stream that came. */
  readonly sockets: Upgrade["socket"][] = [];
  readonly #server: HttpServer;

  constructor(
    nodeId: string,
    credentials: LinkCredentials,
    limits: Partial<CopyLimits> & { readonly streamsMax?: number } = {},
  ) {
    this.nodeId = NodeId.parse(nodeId);
    this.store = new CopyStore({ ...LIMITS, ...limits });
    const log = createLog("region", "silent");
    this.standby = new Standby({
      enabled: true,
      store: this.store,
      ...(limits.streamsMax === undefined ? {} : { streamsMax: limits.streamsMax }),
      onOwnerGone: (about) => this.gone.push(about),
      onGiven: ({ roomId }) => this.given.push(roomId),
      clock: systemClock,
      log,
      metrics: this.metrics,
    });
    this.#server = createHttpServer({
      log,
      bodyBytesMax: 1_024,
      requestTimeoutMs: 5_000,
      mutualTls: new LinkIdentity(credentials),
    });
    const take = (upgrade: Upgrade) => {
      this.sockets.push(upgrade.socket);
      this.standby.take(upgrade);
    };
    serveUpgrades(this.#server, new Map([[REPLICAS_PATH, { protocol: REPLICAS_PROTOCOL, take }]]));
  }

  async start(): Promise<this> {
    await this.#server.listen({ host: "127.0.0.1", port: 0 });
    return this;
  }

  /** As a process that dies: its port is closed and every connection is cut. */
  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await this.#server.close();
  }

  get address(): NodeAddress {
    const address = this.#server.server.address();
    const port = typeof address === "object" && address !== null ? address.port : 1;
    return { nodeId: this.nodeId, linkAddress: `127.0.0.1:${port}` };
  }
}
