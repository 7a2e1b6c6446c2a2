/** For tests: a node of another region, as far as others see it: a link's server that relays to the core. */
import { systemClock } from "../../shared/clock.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { RegionId } from "../../shared/ids.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { RELAY_PATH } from "../../shared/protocol/failover.ts";
import { TestNode } from "../transport/test-node.ts";
import { createLinkServer } from "./link-server.ts";
import { Relay } from "./relay.ts";
import type { RelayPeer } from "./relay-tunnel.ts";
import type { TestCore } from "./test-core.ts";

const log = createLog("region", "silent");

export interface NeighbourOptions {
  /** Whose authority certifies it. */
  readonly core: TestCore;
  /** Its region. */
  readonly name: string;
  /** Where it finds the core; that one, without. */
  readonly coreAddress?: string;
  readonly tunnelsMax?: number;
}

export class Neighbour {
  readonly #metrics = createMetrics({});
  readonly #regionId: RegionId;
  readonly #server: HttpServer;
  /** Whether its own way to the core is cut. */
  relayed = false;

  private constructor(identity: LinkIdentity, options: NeighbourOptions) {
    const { core, name, coreAddress = core.address, tunnelsMax = 16 } = options;
    this.#regionId = RegionId.parse(name);
    const relay = new Relay({
      coreAddress,
      tunnelsMax,
      relayed: () => this.relayed,
      clock: systemClock,
      log,
      metrics: this.#metrics,
    });
    this.#server = createLinkServer({
      identity,
      // Of a node that is never started: nothing here gets as far as to a seat.
      matchmaker: new TestNode({ games: {} }).matchmaker,
      onWanted() {},
      wanted() {},
      onFenced() {},
      witness: { look: async () => "silent" },
      upgrades: new Map([[RELAY_PATH, relay]]),
      log,
    });
  }

  static async start(options: NeighbourOptions): Promise<Neighbour> {
    const identity = new LinkIdentity(await options.core.credentialsOf(options.name));
    const neighbour = new Neighbour(identity, options);
    await neighbour.#server.listen({ host: "127.0.0.1", port: 0 });
    return neighbour;
  }

  async stop(): Promise<void> {
    await this.#server.close();
  }

  get port(): number {
    const address = this.#server.server.address();
    if (typeof address !== "object" || address === null) throw new Error("it is stopped");
    return address.port;
  }

  /** As the core names it to other regions. */
  get peer(): RelayPeer {
    return { regionId: this.#regionId, linkAddress: `127.0.0.1:${this.port}` };
  }

  /** Tunnels that are open. */
  async tunnels(): Promise<number> {
    const metric = await this.#metrics.getSingleMetric("meridian_region_relay_tunnels")?.get();
    return metric?.values.reduce((sum, { value }) => sum + value, 0) ?? 0;
  }
}
