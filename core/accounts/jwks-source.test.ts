/** An issuer that stops answering: who waits for it, and what its keys are good for meanwhile. */
import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { exportJWK, generateKeyPair } from "jose";
import { isFailure } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { Outbound } from "../http/outbound.ts";
import { JwksSource, jwksFetches } from "./jwks-source.ts";
import { COOLDOWN_MS, FRESH_MS } from "./jwks-step.ts";

const { publicKey } = await generateKeyPair("ES256", { extractable: true });
const jwk = { ...(await exportJWK(publicKey)), alg: "ES256" };
let kids = ["first"];
let answering: "keys" | "failure" | "nothing" = "keys";
let fetches = 0;
const held: ServerResponse[] = [];
const server = createServer((_request, response) => {
  fetches += 1;
  if (answering === "nothing") held.push(response);
  else if (answering === "failure") response.writeHead(500).end();
  else response.end(JSON.stringify({ keys: kids.map((kid) => ({ ...jwk, kid })) }));
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
after(() => {
  server.closeAllConnections();
  server.close();
});

test("after several fetches that failed nobody waits, until one succeeds", async () => {
  const clock = new FakeClock();
  const metrics = createMetrics({});
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const issuer = "https://id.example.org";
  const source = new JwksSource(
    { issuer, audience: "game", algorithms: ["ES256"], keys: { url } },
    {
      clock,
      log: createLog("test", "silent"),
      fetches: jwksFetches(metrics),
      outbound: new Outbound(metrics),
    },
  );
  const key = (kid: string) => source.key({ alg: "ES256", kid });
  const isOpen = async () =>
    (await metrics.metrics()).includes(`meridian_breakers_open{to="keys of ${issuer}"} 1`);
  await key("first");
  await assert.rejects(key("second"), (e) => isFailure(e, "unauthorized"));

  answering = "failure";
  clock.advance(FRESH_MS);
  for (let n = 0; n < 3; n += 1) {
    await key("first");
    clock.advance(COOLDOWN_MS);
  }
  assert.ok(await isOpen());
  answering = "nothing";
  const before = fetches;
  // One fetch hangs meanwhile, and neither of these waits for it.
  await key("first");
  await assert.rejects(
    key("second"),
    (e) => isFailure(e, "unavailable") && e.retryAfterMs === COOLDOWN_MS,
  );
  await until("it is asked", () => held.length === 1);
  assert.equal(fetches, before + 1);

  answering = "keys";
  kids = ["first", "second"];
  held[0]?.end(JSON.stringify({ keys: kids.map((kid) => ({ ...jwk, kid })) }));
  await until("the keys are there", async () => !(await isOpen()));
  await key("second");
});
