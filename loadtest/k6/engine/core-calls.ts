/**
 * HTTP calls to the core, as `shared/client/api.ts` makes them: each with a deadline, each answer parsed, each
 * failure of a known kind.
 */
import http from "k6/http";
import type { z } from "zod";
import { type ErrorKind, failureFromBody, MeridianError } from "../../../shared/errors.ts";
import { failed } from "./metrics.ts";

const DEADLINE_MS = 5_000;
/** k6's own code of a call that took longer than its deadline. */
const TIMED_OUT = 1050;
/** Of a server that has too much to do, or no room: it knows when to come back. One whose peer is gone does not. */
const LATER: readonly ErrorKind[] = [
  ...(["too_many_requests", "overloaded", "region_full", "queue_full", "queued"] as const),
];

export interface Call<T> {
  readonly method: "GET" | "POST";
  /** For example `/v1/join`. */
  readonly path: string;
  readonly body?: object;
  readonly accessToken?: string;
  readonly schema: z.ZodType<T, unknown>;
  /** 5 s unless said otherwise. */
  readonly deadlineMs?: number;
}

export class CoreCalls {
  readonly #url: string;

  /** @param url the core's, such as `http://127.0.0.1:7300` */
  constructor(url: string) {
    this.#url = url.replace(/\/+$/, "");
  }

  get scheme(): "ws:" | "wss:" {
    return this.#url.startsWith("https:") ? "wss:" : "ws:";
  }

  /** @throws {MeridianError} as the client's API does */
  async call<T>({ method, path, body, accessToken, schema, deadlineMs }: Call<T>): Promise<T> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (body) headers["content-type"] = "application/json";
    if (accessToken) headers.authorization = `Bearer ${accessToken}`;
    const content = body ? JSON.stringify(body) : null;
    const response = await http.asyncRequest(method, `${this.#url}${path}`, content, {
      headers,
      responseType: "text",
      timeout: deadlineMs ?? DEADLINE_MS,
      tags: { name: path },
    });
    if (response.status === 0) {
      throw new MeridianError(response.error_code === TIMED_OUT ? "timeout" : "unavailable");
    }
    const answer = parsed(response.body);
    if (response.status >= 400) throw this.#refusal(path, response, answer);
    const result = schema.safeParse(answer);
    if (result.success) return result.data;
    failed("wrong_answer", `${path} answered with ${response.status}: ${result.error.message}`);
    throw new MeridianError("internal", { cause: result.error });
  }

  #refusal(path: string, { status, headers }: Answered, answer: unknown): MeridianError {
    const failure = failureFromBody(status, answer);
    const headerMs = Number(headers["Retry-After"]) * 1_000 || 0;
    const retryAfterMs = failure.retryAfterMs ?? headerMs;
    if (LATER.includes(failure.kind) && retryAfterMs === 0) {
      failed("impolite", `${path} answered ${status} (${failure.kind}) and not when to come back`);
    }
    return new MeridianError(failure.kind, { message: failure.message, retryAfterMs });
  }
}

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

function parsed(body: unknown): unknown {
  try {
    return typeof body === "string" ? JSON.parse(body) : undefined;
  } catch {
    // Not an answer of ours: what it means is told by its status.
    return undefined;
  }
}
