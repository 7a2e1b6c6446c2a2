/** One attempt to post JSON to a hook of the studio's: a mail, an order for nodes. Redirects are not followed. */
import { MeridianError } from "../../shared/errors.ts";

export interface HookPost {
  /** For people: `the mail hook`. */
  readonly what: string;
  readonly url: string;
  /** Beside the content's type and the key. */
  readonly headers: Readonly<Record<string, string>>;
  /** The same for all attempts of one thing, so that the receiver can drop one that it took already. */
  readonly key: string;
  /** JSON. */
  readonly body: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** Never rejects. @returns why it was not taken; retryable where that may pass (no answer, 429, 5xx) */
export async function postHook(post: HookPost): Promise<MeridianError | undefined> {
  const { what, url, headers, key, body, deadlineMs, signal } = post;
  try {
    const response = await fetch(url, {
      method: "POST",
      redirect: "manual",
      headers: { "content-type": "application/json", "idempotency-key": key, ...headers },
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
    });
    await response.body?.cancel();
    if (response.ok) return undefined;
    const passing = response.status === 429 || response.status >= 500;
    return new MeridianError(passing ? "unavailable" : "bad_request", {
      message: `${what} answered with status ${response.status}`,
    });
  } catch (cause) {
    const late = cause instanceof Error && cause.name === "TimeoutError";
    const message = `${what} did not answer`;
    return new MeridianError(late ? "timeout" : "unavailable", { message, cause });
  }
}
