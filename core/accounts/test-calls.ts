/** For tests: calls of the players' API as a client makes them, from whichever network. */
import assert from "node:assert/strict";
import type { TestCore } from "../test-core.ts";

/** With it a test may say from where it calls, by `x-forwarded-for`. */
export const PROXIED = { TRUSTED_PROXIES: "127.0.0.1" };

export interface Call {
  readonly token?: string | undefined;
  readonly from?: string;
}

// biome-ignore lint/suspicious/noExplicitAny: an answer may have any form; the tests look into it.
export type Answer = { readonly status: number; readonly body: any };

export function callsOf(core: TestCore) {
  async function post(path: string, body: object, { token, from }: Call = {}): Promise<Answer> {
    const response = await fetch(core.url + path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token && { authorization: `Bearer ${token}` }),
        ...(from && { "x-forwarded-for": from }),
      },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  }

  /** The answer's body, of a call that must succeed. */
  async function done(path: string, body: object, call?: Call) {
    const answer = await post(path, body, call);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  }

  /** The kind of the failure, of a call that must fail. */
  async function kind(path: string, body: object, call?: Call): Promise<string> {
    const answer = await post(path, body, call);
    assert.notEqual(answer.status, 200, JSON.stringify(answer.body));
    return answer.body.error.kind;
  }

  async function me(token: string) {
    const headers = { authorization: `Bearer ${token}` };
    return await (await fetch(`${core.url}/v1/me`, { headers })).json();
  }

  return { post, done, kind, me };
}
