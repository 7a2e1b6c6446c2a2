/** For tests of the client: the queue of a scripted world. It speaks the protocol, and lets in when told to. */
import type { ServerResponse } from "node:http";
import { RegionId } from "../ids.ts";
import { JoinRequest } from "../protocol/join.ts";
import {
  LeaveQueueRequest,
  PollRequest,
  QueueEventsRequest,
  QueuePlace,
} from "../protocol/queue.ts";
import type { Asked } from "./scripted-world.testkit.ts";

export const POLL_AFTER_MS = 4_000;
export const GRACE_MS = 120_000;

/** The third of 30 in the queue for Beijing. */
export function placeOf(change: Partial<QueuePlace> = {}): QueuePlace {
  return QueuePlace.parse({
    token: "place-0",
    state: "waiting",
    regionId: "beijing",
    number: 7,
    class: "normal",
    position: 3,
    waiting: 30,
    eta: { ms: 60_000, lowMs: 50_000, highMs: 80_000 },
    pollAfterMs: POLL_AFTER_MS,
    graceMs: GRACE_MS,
    partySize: 1,
    offers: [],
    ...change,
  });
}

export const OFFER = {
  regionId: RegionId.parse("tianjin"),
  addedMs: 32,
  eta: { ms: 20_000, lowMs: 15_000, highMs: 30_000 },
};

export class ScriptedQueue {
  /** What everyone who waits is told; undefined while there are seats. */
  place: QueuePlace | undefined = placeOf();
  /** Whether answers can be streamed. */
  streaming = true;
  readonly joins: JoinRequest[] = [];
  readonly polls: PollRequest[] = [];
  /** Tokens of places that were given up. */
  readonly left: string[] = [];
  readonly streams = new Set<ServerResponse>();
  #tokens = 0;

  /** The newest token that was given out. */
  get token(): string {
    return `place-${this.#tokens}`;
  }

  /** @returns false for what it leaves to the world */
  answer({ path, body }: Asked, response: ServerResponse): boolean {
    switch (path) {
      case "/v1/join":
        return this.#join(JoinRequest.parse(body), response);
      case "/v1/queue/poll":
        this.polls.push(PollRequest.parse(body));
        respond(response, { queue: this.#next() });
        return true;
      case "/v1/queue/leave":
        this.left.push(LeaveQueueRequest.parse(body).token);
        response.writeHead(204).end();
        return true;
      case "/v1/queue/events":
        QueueEventsRequest.parse(body);
        this.#stream(response);
        return true;
      default:
        return false;
    }
  }

  /** Tells all streams. */
  push(): void {
    for (const stream of this.streams) stream.write(this.#event());
  }

  #join(request: JoinRequest, response: ServerResponse): boolean {
    this.joins.push(request);
    if (this.place === undefined) return false;
    if (this.place.state === "called" && request.queueToken === this.token) return false;
    respond(response, { queue: this.#next(), ranking: [] });
    return true;
  }

  #stream(response: ServerResponse): void {
    if (!this.streaming) {
      response.writeHead(503).end();
      return;
    }
    this.streams.add(response);
    response.on("close", () => this.streams.delete(response));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`: hello\n\n${this.#event()}`);
  }

  #event(): string {
    return `event: place\ndata: ${JSON.stringify(this.#next())}\n\n`;
  }

  #next(): QueuePlace {
    this.#tokens += 1;
    return { ...placeOf(this.place), token: this.token };
  }
}

function respond(response: ServerResponse, answer: unknown): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(answer));
}
