/** The client of the private link against a peer that fails in every way a peer can. */
import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { z } from "zod";
import { createAuthority } from "../../infra/private-link/authority.ts";
import { systemClock } from "../../shared/clock.ts";
import { type ErrorKind, isFailure, MeridianError } from "../../shared/errors.ts";
import { createHttpServer } from "../../shared/http-server.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { type LateAnswer, LinkClient } from "../../shared/link/link-client.ts";
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

/** As many as one client makes to one peer. */
const CONNECTIONS = 16;
const client = new LinkClient(identity);
const clients = [client];
afterEach(() => {
  answer = async () => ({ ok: true });
});
after(async () => {
  await Promise.all(clients.map((each) => each.stop()));
  await server.close();
});

function ask(from = client, deadlineMs = 5_000, late?: LateAnswer<{ ok: boolean }>) {
  return from.call({
    address: `127.0.0.1:${port}`,
    peer: { role: "core" },
    path: "/link/ask",
    body: {},
    answer: z.object({ ok: z.boolean() }),
    deadlineMs,
    ...(late && { late }),
  });
}

function newClient(callsMax?: number): LinkClient {
  const made = new LinkClient(identity, systemClock, callsMax === undefined ? {} : { callsMax });
  clients.push(made);
  return made;
}

/** The peer answers nothing until it is woken. */
function hang(asked = (): void => {}): () => void {
  let wake = (): void => {};
  const woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  answer = async () => {
    asked();
    await woken;
    return { ok: true };
  };
  return wake;
}

async function until(done: () => boolean): Promise<void> {
  const endMs = performance.now() + 5_000;
  while (!done()) {
    assert.ok(performance.now() < endMs, "the condition did not come true within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
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

test("what was sent is heard of late, what still waited at its deadline is never sent", async () => {
  const asking = newClient();
  let asked = 0;
  const wake = hang(() => {
    asked += 1;
  });
  const late: boolean[] = [];
  const take = ({ ok }: { ok: boolean }) => late.push(ok);
  const calls = Array.from({ length: 40 }, () => ask(asking, 1_000, { waitMs: 10_000, take }));
  const results = await Promise.allSettled(calls);
  assert.ok(results.every(({ status }) => status === "rejected"));
  assert.equal(asked, CONNECTIONS);
  wake();
  await until(() => late.length === CONNECTIONS);
  assert.deepEqual(await ask(), { ok: true });
  assert.equal(asked, CONNECTIONS + 1, "of the others nothing came");
});

test("past the bound of calls to one peer the next is refused at once", async () => {
  const bounded = newClient(2);
  const wake = hang();
  const two = [ask(bounded), ask(bounded)];
  await assert.rejects(ask(bounded), /too many calls/);
  wake();
  await Promise.all(two);
  assert.deepEqual(await ask(bounded), { ok: true });
});

test("a peer that does not answer at all opens the breaker, and is then refused at once", async () => {
  const breaking = newClient();
  const wake = hang();
  for (let call = 0; call < 5; call += 1) {
    await assert.rejects(ask(breaking, 20), (error) => isFailure(error, "timeout"));
  }
  await assert.rejects(ask(breaking), /breaker is open/);
  wake();
});
