/**
 * One client's connection through a delay proxy: two sockets and a delay line each way.
 *
 * What the client sends counts as sent only after the round trip of a handshake. At most
 * `IN_FLIGHT_BYTES_MAX` a direction are read and not yet written; past that the proxy stops reading, and
 * the sender feels it as it would feel a full pipe.
 */
import type { Socket } from "node:net";
import type { Clock } from "../../../shared/clock.ts";
import { DelayLine } from "./delay-line.ts";

export interface ConnectionOptions {
  readonly clock: Clock;
  /** Opens the connection to the target. */
  readonly target: () => Socket;
  /** One way, now. */
  readonly delayMs: () => number;
  /** Both sockets have closed. */
  readonly onClosed: () => void;
}

export const IN_FLIGHT_BYTES_MAX = 1024 * 1024;
const IN_FLIGHT_BYTES_RESUME = IN_FLIGHT_BYTES_MAX / 2;

type Event = "open" | "end" | "reset" | Buffer;

interface Direction {
  readonly line: DelayLine<Event>;
  inFlightBytes: number;
}

export class DelayedConnection {
  readonly #options: ConnectionOptions;
  readonly #client: Socket;
  readonly #up: Direction;
  readonly #down: Direction;
  readonly #establishedMs: number;
  #server: Socket | undefined;
  #ended = false;

  constructor(client: Socket, options: ConnectionOptions) {
    const { clock, delayMs } = options;
    this.#options = options;
    this.#client = client;
    this.#establishedMs = clock.monotonicMs() + 2 * delayMs();
    this.#up = {
      line: new DelayLine(clock, (event) => this.#toServer(event)),
      inFlightBytes: 0,
    };
    this.#down = {
      line: new DelayLine(clock, (event) => this.#apply(this.#down, client, this.#server, event)),
      inFlightBytes: 0,
    };
    this.#up.line.push("open", delayMs());
    this.#listen(client, this.#up, () => {
      const handshakeMs = this.#establishedMs - clock.monotonicMs();
      return Math.max(0, handshakeMs) + delayMs();
    });
  }

  /** Lets nothing through in either direction until `release`. */
  hold(): void {
    this.#up.line.hold();
    this.#down.line.hold();
  }

  release(): void {
    this.#up.line.release();
    this.#down.line.release();
  }

  /** Ends both sides at once, as a cut link whose ends are told. */
  reset(): void {
    this.#end();
    this.#client.resetAndDestroy();
    this.#server?.resetAndDestroy();
  }

  #toServer(event: Event): void {
    if (event !== "open") {
      this.#apply(this.#up, this.#server, this.#client, event);
      return;
    }
    const server = this.#options.target();
    server.setNoDelay(true);
    this.#server = server;
    this.#listen(server, this.#down, this.#options.delayMs);
  }

  /** Puts everything that happens at `source` on its way. */
  #listen(source: Socket, direction: Direction, delayMs: () => number): void {
    let failed = false;
    source.on("data", (chunk: Buffer) => {
      direction.inFlightBytes += chunk.length;
      if (direction.inFlightBytes > IN_FLIGHT_BYTES_MAX) source.pause();
      direction.line.push(chunk, delayMs());
    });
    source.on("end", () => direction.line.push("end", delayMs()));
    source.on("error", () => {
      failed = true;
    });
    source.on("close", () => {
      if (failed && !this.#ended) direction.line.push("reset", delayMs());
      if (this.#client.closed && this.#server?.closed) this.#end();
    });
  }

  #apply(direction: Direction, to: Socket | undefined, from: Socket | undefined, event: Event) {
    if (event === "end") to?.end();
    else if (event === "reset") to?.resetAndDestroy();
    else if (event !== "open") {
      const written = () => {
        direction.inFlightBytes -= event.length;
        if (direction.inFlightBytes <= IN_FLIGHT_BYTES_RESUME) from?.resume();
      };
      if (to?.writable) to.write(event, written);
      else written();
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#up.line.clear();
    this.#down.line.clear();
    this.#options.onClosed();
  }
}
