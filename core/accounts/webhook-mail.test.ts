/** Mails to a hook that fails for a while: how often it is asked, and that none is lost. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { isFailure } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { Outbound } from "../http/outbound.ts";
import type { Mail } from "./mail-hook.ts";
import { WebhookMail } from "./webhook-mail.ts";

let status = 503;
let asked: { readonly key: string; readonly status: number }[] = [];
const server = createServer((request, response) => {
  request.resume();
  asked.push({ key: String(request.headers["idempotency-key"]), status });
  response.writeHead(status).end();
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
after(() => {
  server.closeAllConnections();
  server.close();
});

const mail: Mail = {
  kind: "password_reset",
  to: "ada@example.org",
  name: "Ada",
  link: "https://play.example.org/#reset=x",
  token: "x",
  expiresAt: new Date(0).toISOString(),
};

function hook() {
  asked = [];
  const clock = new FakeClock();
  const metrics = createMetrics({});
  const webhook = new WebhookMail({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    token: undefined,
    clock,
    random: () => 0.5,
    outbound: new Outbound(metrics),
  });
  const signal = new AbortController().signal;
  const isOpen = async () =>
    (await metrics.metrics()).includes('meridian_breakers_open{to="mail hook"} 1');
  return { clock, isOpen, send: () => webhook.send(mail, signal) };
}

test("a hook that fails is asked by one mail at a time, and gets all of them when it is back", async () => {
  const { clock, isOpen, send } = hook();
  status = 503;
  const mails = Promise.all([send(), send(), send(), send(), send()]);
  await until("five have failed", isOpen);
  for (let second = 0; second < 8; second += 1) {
    await until("all of them wait", () => clock.pending === 5);
    clock.advance(1_000);
  }
  await until("all of them wait", () => clock.pending === 5);
  assert.ok(asked.length <= 5 + 8 / 2 + 1, `${asked.length} calls in 8 s`);
  status = 200;
  const arrived = () => asked.filter((one) => one.status === 200);
  await until("they have arrived", () => {
    clock.advance(100);
    return arrived().length === 5;
  });
  await mails;
  assert.equal(new Set(arrived().map(({ key }) => key)).size, 5);
  assert.equal(new Set(asked.map(({ key }) => key)).size, 5, "under one key each");
  assert.equal(await isOpen(), false);
});

test("a mail does not wait for ever, and a hook that says no has answered", async () => {
  const { clock, isOpen, send } = hook();
  status = 503;
  const failed = Promise.allSettled([send(), send(), send(), send(), send()]);
  let settled = false;
  void failed.then(() => {
    settled = true;
  });
  await until("all are given up", () => {
    clock.advance(100);
    return settled;
  });
  for (const one of await failed) {
    assert.ok(one.status === "rejected" && isFailure(one.reason, "unavailable"));
  }
  assert.equal(await isOpen(), true);
  clock.advance(10_000);
  status = 403;
  await assert.rejects(send(), (error) => isFailure(error, "bad_request"));
  assert.equal(await isOpen(), false);
});
