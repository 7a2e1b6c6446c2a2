/**
 * What the transport counts. Per message it adds to plain numbers, which are read only when
 * Prometheus asks: a labelled counter costs a hash per call.
 */
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Backlog } from "./backlog.ts";

export interface TransportReadings {
  /** Open websockets. */
  readonly connections: () => number;
  readonly backlog: () => Backlog;
}

export class TransportMetrics {
  messagesReceived = 0;
  bytesReceived = 0;
  bytesSent = 0;
  readonly upgrades: Counter<"outcome">;
  readonly closes: Counter<"kind">;

  constructor(metrics: Metrics, { connections, backlog }: TransportReadings) {
    this.upgrades = new Counter({
      name: "meridian_transport_upgrades_total",
      help: "Websocket upgrades by outcome: accepted, ping, or the kind of refusal",
      labelNames: ["outcome"],
      registers: [metrics],
    });
    this.closes = new Counter({
      name: "meridian_transport_closes_total",
      help: "Connections that this side ended, by kind; resync: a message would have been dropped",
      labelNames: ["kind"],
      registers: [metrics],
    });
    new Gauge({
      name: "meridian_transport_connections",
      help: "Open websockets",
      registers: [metrics],
      collect() {
        this.set(connections());
      },
    });
    new Gauge({
      name: "meridian_transport_backlog_bytes",
      help: "What waits to be sent to players",
      registers: [metrics],
      collect() {
        this.set(backlog().bytes);
      },
    });
    new Gauge({
      name: "meridian_transport_slow_readers",
      help: "Players to whom more than an eighth of what may wait does",
      registers: [metrics],
      collect() {
        this.set(backlog().slowReaders);
      },
    });
    this.#total(metrics, "meridian_transport_messages_received_total", "Messages received", () => {
      return this.messagesReceived;
    });
    this.#total(metrics, "meridian_transport_received_bytes_total", "Bytes received", () => {
      return this.bytesReceived;
    });
    this.#total(metrics, "meridian_transport_sent_bytes_total", "Bytes sent", () => {
      return this.bytesSent;
    });
  }

  #total(metrics: Metrics, name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help: `${help} on players' connections`,
      registers: [metrics],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
}
