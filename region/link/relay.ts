/**
 * Lends this node's way to the core to nodes of other regions whose own is cut: `GET /link/relay` with `Upgrade`
 * opens a connection from here to the core's link, never to anything else, and carries bytes both ways.
 *
 * The core sees the other node's certificate at the far end of the tunnel, and this node nothing but ciphertext. So
 * it lends no rights: whoever may not call the core gets no further than to its handshake.
 *
 * Tunnels are bounded in all and for each region; each holds what two sockets buffer and no more, because neither
 * end is read faster than the other takes it; one on which nothing moves is closed.
 */
import { connect, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { RegionId } from "../../shared/ids.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import { RELAY_PROTOCOL } from "../../shared/protocol/failover.ts";
import { acceptUpgrade, refuseUpgrade, type Upgrade } from "./upgrades.ts";

const CONNECT_DEADLINE_MS = 1_000;
/** A node sends a heartbeat each half second, and its idle connections end after 10 s. */
const IDLE_MS = 15_000;

export interface RelayOptions {
  readonly coreAddress: string;
  /** Most tunnels in all; a region may have half of them. */
  readonly tunnelsMax: number;
  /** Whether this node's own way to the core is cut: it has nothing to lend then. */
  readonly relayed: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

type Outcome = "opened" | "too_many" | "core_unreachable" | "itself_relayed";

export class Relay {
  readonly protocol = RELAY_PROTOCOL;
  readonly #options: RelayOptions;
  readonly #outcomes: Counter<"outcome">;
  readonly #bytes: Counter<"direction">;
  /** Tunnels by region, those that are being opened among them. */
  readonly #tunnels = new Map<RegionId, number>();

  constructor(options: RelayOptions) {
    const { metrics } = options;
    this.#options = options;
    this.#outcomes = new Counter({
      name: "meridian_region_relay_tunnels_total",
      help: "Tunnels to the core that other regions asked for: opened, or why not.",
      labelNames: ["outcome"],
      registers: [metrics],
    });
    this.#bytes = new Counter({
      name: "meridian_region_relay_bytes_total",
      help: "Bytes that were carried for other regions, to the core and from it; counted as tunnels end.",
      labelNames: ["direction"],
      registers: [metrics],
    });
    const tunnels = this.#tunnels;
    new Gauge({
      name: "meridian_region_relay_tunnels",
      help: "Tunnels to the core that are open for nodes of that region.",
      labelNames: ["peer"],
      registers: [metrics],
      collect() {
        this.reset();
        for (const [peer, count] of tunnels) this.set({ peer }, count);
      },
    });
  }

  /** As an arrow, so that it can be given to the link's server as it is. */
  readonly take = ({ regionId, socket, head }: Upgrade): void => {
    if (this.#options.relayed()) {
      this.#refuse(socket, "itself_relayed");
      return;
    }
    if (!this.#hasRoomFor(regionId)) {
      this.#refuse(socket, "too_many");
      return;
    }
    this.#began(regionId);
    socket.once("close", () => this.#ended(regionId));
    this.#open(socket, head);
  };

  #hasRoomFor(regionId: RegionId): boolean {
    const { tunnelsMax } = this.#options;
    const all = [...this.#tunnels.values()].reduce((sum, count) => sum + count, 0);
    const ofRegion = this.#tunnels.get(regionId) ?? 0;
    return all < tunnelsMax && ofRegion < Math.ceil(tunnelsMax / 2);
  }

  #open(near: TLSSocket, head: Buffer): void {
    const { clock, coreAddress } = this.#options;
    const far = connect(target(coreAddress));
    const cancel = clock.after(CONNECT_DEADLINE_MS, () => far.destroy());
    let opened = false;
    far.once("connect", () => {
      opened = true;
      cancel();
      this.#outcomes.inc({ outcome: "opened" });
      acceptUpgrade(near, RELAY_PROTOCOL);
      if (head.length > 0) far.write(head);
      join(near, far);
    });
    // A connection that breaks closes, which is heard below.
    far.on("error", () => undefined);
    far.once("close", () => {
      cancel();
      this.#bytes.inc({ direction: "to_core" }, far.bytesWritten);
      this.#bytes.inc({ direction: "from_core" }, far.bytesRead);
      if (opened) near.destroySoon();
      else this.#refuse(near, "core_unreachable");
    });
    near.once("close", () => far.destroySoon());
  }

  #refuse(socket: TLSSocket, outcome: Exclude<Outcome, "opened">): void {
    this.#outcomes.inc({ outcome });
    refuseUpgrade(socket, new MeridianError("unavailable", { message: REFUSALS[outcome] }));
  }

  #began(regionId: RegionId): void {
    const before = this.#tunnels.get(regionId) ?? 0;
    this.#tunnels.set(regionId, before + 1);
    if (before > 0) return;
    const { log } = this.#options;
    log.info(
      { peer: regionId, runbook: "region-relay" },
      "a region asks for this node's way to the core",
    );
  }

  #ended(regionId: RegionId): void {
    const left = (this.#tunnels.get(regionId) ?? 0) - 1;
    if (left > 0) {
      this.#tunnels.set(regionId, left);
      return;
    }
    this.#tunnels.delete(regionId);
    this.#options.log.info({ peer: regionId }, "no tunnel of that region to the core is left");
  }
}

const REFUSALS = {
  too_many: "Too many tunnels to the core are open here.",
  core_unreachable: "The core can't be reached from here either.",
  itself_relayed: "This node's own way to the core is cut.",
} satisfies Record<Exclude<Outcome, "opened">, string>;

/** Each reads only as fast as the other takes it. */
function join(near: TLSSocket, far: Socket): void {
  near.pipe(far);
  far.pipe(near);
  for (const socket of [near, far]) socket.setTimeout(IDLE_MS, () => socket.destroy());
}

function target(address: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`tcp://${address}`);
  return { host: hostname.replace(/^\[(.*)\]$/u, "$1"), port: Number(port) };
}
