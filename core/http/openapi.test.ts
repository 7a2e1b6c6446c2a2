/** That the OpenAPI document tells the truth: what routes answer when they fail stands in it. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { decodeJwt } from "jose";
import pg from "pg";
import { type ErrorKind, MeridianError } from "../../shared/errors.ts";
import { TicketClaims } from "../../shared/protocol/ticket.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { ERROR_KINDS } from "./failures.ts";

interface Operation {
  readonly requestBody?: unknown;
  readonly responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

const core = await startTestCore();
const region = await startTestRegion({ core, name: "beijing" });
await region.beat();
after(async () => {
  await region.stop();
  await core.stop();
});

const document = await (await fetch(`${core.url}/docs/json`)).json();
const operations = Object.entries<Record<string, Operation>>(document.paths).flatMap(
  ([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
    })),
);

interface Call {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

async function call(path: string, { method = "POST", body, headers = {} }: Call = {}) {
  const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  const response = await fetch(core.url + path, {
    method,
    headers: { ...(text === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(text === undefined ? {} : { body: text }),
  });
  const answer = await response.json();
  return { status: response.status, body: answer, kind: answer.error?.kind ?? answer.kind };
}

/** Fails unless the document says that this operation may answer so. */
function assertDocumented(
  template: string,
  method: string,
  answer: { status: number; kind: string },
): void {
  const operation: Operation = document.paths[template][method.toLowerCase()];
  const { content } = operation.responses[String(answer.status)] ?? {};
  const schema: Record<string, unknown> = { ...content?.["application/json"]?.schema };
  const kinds = schema[ERROR_KINDS];
  const found = Array.isArray(kinds) && kinds.includes(answer.kind);
  assert.ok(found, `${method} ${template}: ${answer.status} ${answer.kind} is not documented`);
}

/** A path that the template serves. */
function exampleOf(template: string): string {
  return template
    .replace("{method}", "join")
    .replace("{name}", "arena")
    .replace("{playerId}", "0190f2a0-0000-7000-8000-000000000001");
}

for (const { path, method, operation } of operations) {
  test(`${method} ${path} documents what any wrong call to it gets`, async () => {
    const example = exampleOf(path);
    if (method === "GET") {
      const answer = await fetch(core.url + example, { redirect: "manual" });
      // Without a log-in some can only refuse, which must then stand in the document as well.
      if (answer.status >= 400) {
        const { error } = await answer.json();
        assertDocumented(path, method, { status: answer.status, kind: error.kind });
      }
      return;
    }
    if (operation.requestBody !== undefined) {
      assertDocumented(path, method, await call(example, { method, body: "{" }));
      const huge = JSON.stringify({ x: "x".repeat(70_000) });
      assertDocumented(path, method, await call(example, { method, body: huge }));
    }
    const headers = { origin: "https://evil.example" };
    assertDocumented(path, method, await call(example, { method, headers }));
  });
}

async function newGuest(): Promise<string> {
  return (await call("/v1/guests", { body: {} })).body.accessToken;
}

async function newTicket(): Promise<string> {
  const headers = { authorization: `Bearer ${await newGuest()}` };
  return (await call("/v1/join", { body: { game: "arena", protocol: 1 }, headers })).body.ticket;
}

async function removePlayer(ticket: string): Promise<void> {
  const client = new pg.Client({ connectionString: core.databaseUrl });
  await client.connect();
  await client.query("delete from meridian.players where id = $1", [decodeJwt(ticket).sub]);
  await client.end();
}

async function refusing<T>(kind: ErrorKind, work: () => Promise<T>): Promise<T> {
  region.grant = async () => {
    throw new MeridianError(kind);
  };
  try {
    return await work();
  } finally {
    region.grant = async (request) => region.granted(request);
  }
}

test("a renewal documents what the node and a removed account make of it", async () => {
  const ticket = await newTicket();
  const renew = () => call("/v1/join/renew", { body: { ticket } });
  for (const kind of ["ticket_used", "ticket_expired", "room_not_found"] as const) {
    const answer = await refusing(kind, renew);
    assert.equal(answer.kind, kind);
    assertDocumented("/v1/join/renew", "POST", answer);
  }
  await removePlayer(ticket);
  const gone = await renew();
  assert.equal(gone.kind, "unauthorized");
  assertDocumented("/v1/join/renew", "POST", gone);
  const forged = await call("/v1/join/renew", { body: { ticket: "a.b.c" } });
  assertDocumented("/v1/join/renew", "POST", forged);
});

test("joins and reconnections document their refusals, Colyseus' as well", async () => {
  const { roomId, reconnectionToken } = TicketClaims.parse(decodeJwt(await newTicket()));
  const headers = { authorization: `Bearer ${await newGuest()}` };
  const calls = {
    "/v1/join": { body: { game: "arena", protocol: 1 }, headers },
    "/v1/reconnect": { body: { roomId, reconnectionToken, protocol: 1 } },
    "/matchmake/{method}/{name}": { body: {}, headers },
  };
  for (const [template, options] of Object.entries(calls)) {
    const ask = () => call(exampleOf(template), options);
    for (const kind of ["room_not_found", "unavailable", "timeout", "internal"] as const) {
      assertDocumented(template, "POST", await refusing(kind, ask));
    }
  }
  const wrong = { body: { ...calls["/v1/join"].body, protocol: 99 }, headers };
  assertDocumented("/v1/join", "POST", await call("/v1/join", wrong));
});

test("the matchmaking's body is described, though it is parsed by hand", () => {
  const body = JSON.stringify(document.paths["/matchmake/{method}/{name}"].post.requestBody);
  assert.match(body, /"type":"object"/);
  assert.match(body, /reconnectionToken/);
});
