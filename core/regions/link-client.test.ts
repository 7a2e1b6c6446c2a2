/** The client of the private link against a peer that fails in every way a peer can. */
import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { z } from "zod";
import { createAuthority } from "../../infra/private-link/authority.ts";
import { type ErrorKind, isFailure, MeridianError } from "../../shared/errors.ts";
import { createHttpServer } from "../../shared/http-server.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createLog } from "../../shared/log.ts";

const authority = await createAuthority();
const issued = await authority.issue({ role: "core" });
const identity = new LinkIdentity({ ca: authority.caPem, ...issued });
const server = createHttpServer({
  log: createLog("peer", "silent"),
  bodyBytesMax: 65_536,
  requestTimeoutMs: 5_000,
  mutualTls: identity,
});
let answer: () => Promise<unknown> = async () => ({ ok: true });
server.post("/link/ask", () => answer());
await server.listen({ host: "127.0.0.1", port: 0 });
const bound = server.server.address();
const port = typeof bound === "object" && bound ? bound.port : 0;

const client = new LinkClient(identity);
const clients = [client];
afterEach(() => {
  answer = async () => ({ ok: true });
});
after(async () => {
  await Promise.all(clients.map((each) => each.stop()));
  await server.close();
});

function ask(from = client, deadlineMs = 5_000) {
  return from.call({
    address: `127.0.0.1:${port}`,
    peer: { role: "core" },
    path: "/link/ask",
    body: {},
    answer: z.object({ ok: z.boolean() }),
    deadlineMs,
  });
}

function newClient(): LinkClient {
  const made = new LinkClient(identity);
  clients.push(made);
  return made;
}

function refusing(kind: ErrorKind): void {
  answer = async () => {
    throw new MeridianError(kind);
  };
}

for (const kind of ["unavailable", "timeout"] as const) {
  test(`a peer that answers \`${kind}\` is there: its breaker stays closed`, async () => {
    refusing(kind);
    for (let call = 0; call < 10; call += 1) {
      await assert.rejects(ask(), (error) => isFailure(error, kind));
    }
    answer = async () => ({ ok: true });
    assert.deepEqual(await ask(), { ok: true });
  });
}

test("an answer of a wrong form is an answer all the same", async () => {
  answer = async () => ({ ok: "perhaps" });
  for (let call = 0; call < 10; call += 1) {
    await assert.rejects(ask(), (error) => isFailure(error, "unavailable"));
  }
  answer = async () => ({ ok: true });
  assert.deepEqual(await ask(), { ok: true });
});

test("a peer that does not answer at all opens the breaker, and is then refused at once", async () => {
  const breaking = newClient();
  let wake = (): void => {};
  const woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  answer = () => woken;
  for (let call = 0; call < 5; call += 1) {
    await assert.rejects(ask(breaking, 20), (error) => isFailure(error, "timeout"));
  }
  await assert.rejects(ask(breaking), /breaker is open/);
  wake();
});
