/** HTTP calls to the core: each with a deadline, each answer parsed, each failure of a known kind. */
import type { z } from "zod";
import { failureFromBody, isFailure, MeridianError } from "../errors.ts";

const DEADLINE_MS = 5_000;

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

export interface Call<T> {
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  /** For example `/v1/join`. */
  readonly path: string;
  readonly body?: object;
  readonly accessToken?: string;
  /** Of the answer; an empty one is `undefined`. */
  readonly schema: z.ZodType<T, unknown>;
  /** 5 s unless said otherwise. */
  readonly deadlineMs?: number;
}

interface Init {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export class Api {
  readonly #url: string;
  readonly #fetch: Fetch;

  /** @param url the core's, such as `http://127.0.0.1:7300` */
  constructor(url: string, fetch: Fetch) {
    this.#url = url.replace(/\/+$/, "");
    this.#fetch = fetch;
  }

  /**
   * @throws {MeridianError} what the core answered; `timeout` without an answer by the deadline;
   * `unavailable` when it can't be reached or makes no sense
   */
  async call<T>(call: Call<T>): Promise<T> {
    const { method, path, body, accessToken, schema, deadlineMs = DEADLINE_MS } = call;
    const headers: Record<string, string> = { accept: "application/json" };
    if (accessToken) headers.authorization = `Bearer ${accessToken}`;
    const signal = AbortSignal.timeout(deadlineMs);
    return this.#attempt(async () => {
      const response = await this.#send(path, { method, headers, signal }, body);
      const answer: unknown = await response.json().catch(() => undefined);
      if (!response.ok) throw failureOf(response, answer);
      return schema.parse(answer);
    });
  }

  /**
   * Posts, and hands over the answer while it comes: an event stream, which has no deadline.
   * @param signal ends it
   * @throws {MeridianError} as `call`
   */
  async stream(
    path: string,
    body: object,
    signal: AbortSignal,
  ): Promise<ReadableStreamDefaultReader<Uint8Array>> {
    const headers = { accept: "text/event-stream" };
    return this.#attempt(async () => {
      const response = await this.#send(path, { method: "POST", headers, signal }, body);
      if (!response.ok) throw failureOf(response, await response.json().catch(() => undefined));
      if (!response.body) throw new MeridianError("unavailable");
      return response.body.getReader();
    });
  }

  #send(path: string, init: Init, body: object | undefined): Promise<Response> {
    const headers = { ...init.headers, ...(body && { "content-type": "application/json" }) };
    return this.#fetch(`${this.#url}${path}`, {
      ...init,
      headers,
      cache: "no-store",
      ...(body && { body: JSON.stringify(body) }),
    });
  }

  async #attempt<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (cause) {
      if (isFailure(cause)) throw cause;
      const late = cause instanceof DOMException && cause.name === "TimeoutError";
      throw new MeridianError(late ? "timeout" : "unavailable", { cause });
    }
  }
}

/** A proxy on the way knows no body of ours, but may say how long to wait. */
function failureOf(response: Response, answer: unknown): MeridianError {
  const failure = failureFromBody(response.status, answer);
  const headerMs = Number(response.headers.get("retry-after")) * 1000 || 0;
  const busy = response.status === 429 && failure.kind === "bad_request";
  return new MeridianError(busy ? "too_many_requests" : failure.kind, {
    message: failure.message,
    retryAfterMs: failure.retryAfterMs ?? headerMs,
  });
}
