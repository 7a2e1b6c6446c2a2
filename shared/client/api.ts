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
   * @throws {MeridianError} what the core answered; `timeout` after 5 s without an answer;
   * `unavailable` when it can't be reached or makes no sense
   */
  async call<T>({ method, path, body, accessToken, schema }: Call<T>): Promise<T> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (body) headers["content-type"] = "application/json";
    if (accessToken) headers.authorization = `Bearer ${accessToken}`;
    try {
      const response = await this.#fetch(`${this.#url}${path}`, {
        method,
        headers,
        cache: "no-store",
        signal: AbortSignal.timeout(DEADLINE_MS),
        ...(body && { body: JSON.stringify(body) }),
      });
      const answer: unknown = await response.json().catch(() => undefined);
      if (!response.ok) throw failureOf(response, answer);
      return schema.parse(answer);
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
