/** The operators' calls to the core's private port. */
import type { z } from "zod";
import { failureFromBody } from "../../shared/errors.ts";

const DEADLINE_MS = 10_000;

export interface OpsClientOptions {
  readonly url: string;
  readonly token: string;
}

export interface OpsCall<T> {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly answer: z.ZodType<T>;
  /** Of one that takes its time. */
  readonly deadlineMs?: number;
  /** Calls it off. */
  readonly signal?: AbortSignal;
}

/** @throws an error whose message is one clear line */
export async function callOps<T>(options: OpsClientOptions, call: OpsCall<T>): Promise<T> {
  const { url, token } = options;
  const { method = "GET", path, body, answer, deadlineMs = DEADLINE_MS } = call;
  const deadline = AbortSignal.timeout(deadlineMs);
  const response = await send(url, path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal: call.signal ? AbortSignal.any([deadline, call.signal]) : deadline,
  });
  const content: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw failureFromBody(response.status, content);
  const parsed = answer.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new Error(`${url} answered in a form this command does not know: is it the private port?`);
}

async function send(url: string, path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(new URL(path, url), init);
  } catch (cause) {
    const late = cause instanceof Error && cause.name === "TimeoutError";
    const why = late ? "did not answer in time" : "can't be reached";
    throw new Error(`the core at ${url} ${why}: is it running? (MERIDIAN_OPS_URL)`, { cause });
  }
}
