/** Where callers are sent: `/v1/route`, `/play`, and whose word on the caller's address counts. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, beforeEach, test } from "node:test";
import { Agent, request } from "undici";
import { JoinAnswer } from "../../shared/protocol/join.ts";
import { ExplainedRoute, RouteAnswer } from "../../shared/protocol/route.ts";
import { until } from "../../test/until.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { pageOf } from "./play-routes.ts";

const PROXY = "127.0.0.2";
const core = await startTestCore({
  TRUSTED_PROXIES: `${PROXY},198.51.100.0/24`,
  GEO_OVERRIDES: [
    "127.0.0.0/8=30.27,120.16,Hangzhou",
    "203.0.113.0/24=39.9,116.4,Beijing",
    "2001:db8::/32=39.9,116.4,Beijing by IPv6",
  ].join(";"),
});
const beijing = await startTestRegion({ core, name: "beijing" });
const shanghai = await startTestRegion({ core, name: "shanghai" });
const agents = new Map(
  ["127.0.0.1", PROXY].map((localAddress) => [localAddress, new Agent({ localAddress })]),
);
// Beating: on a busy machine a test may take longer than a silent node counts as alive.
beforeEach(async () => {
  await beijing.beat();
  await shanghai.beat();
});
after(async () => {
  for (const agent of agents.values()) await agent.close();
  await beijing.stop();
  await shanghai.stop();
  await core.stop();
});

interface Call {
  readonly from?: string;
  readonly forwardedFor?: string;
  readonly method?: "GET" | "HEAD" | "POST";
  readonly body?: object;
  readonly headers?: Record<string, string>;
}

async function call(path: string, options: Call = {}) {
  const { from = "127.0.0.1", forwardedFor, method = "GET", body, headers = {} } = options;
  const dispatcher = agents.get(from);
  assert.ok(dispatcher);
  const answer = await request(core.url + path, {
    dispatcher,
    method,
    headers: {
      ...headers,
      ...(forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor }),
      ...(body ? { "content-type": "application/json" } : {}),
    },
    body: body ? JSON.stringify(body) : null,
  });
  const text = await answer.body.text();
  const isJson = String(answer.headers["content-type"]).includes("json");
  const json = isJson && text !== "" ? JSON.parse(text) : undefined;
  return { status: answer.statusCode, headers: answer.headers, text, json };
}

const explained = async (path: string, options?: Call) =>
  ExplainedRoute.parse((await call(path, options)).json);

test("a caller gets the best region, and all others in order, in numbers", async () => {
  const { status, json } = await call("/v1/route?game=arena");
  assert.equal(status, 200);
  const { place, regionId, publicAddress, ranking } = RouteAnswer.parse(json);
  assert.deepEqual([place.label, place.source], ["Hangzhou", "override"]);
  assert.deepEqual(
    [regionId, publicAddress],
    ["shanghai", shanghai.firstHeartbeat().publicAddress],
  );
  assert.deepEqual(
    ranking.map((one) => [one.regionId, one.eligible]),
    [
      ["shanghai", true],
      ["beijing", true],
    ],
  );
  assert.deepEqual(Object.keys(json.ranking[0]).sort(), [
    "eligible",
    "regionId",
    "roundTripMs",
    "score",
  ]);
  assert.equal("reason" in json, false);
});

test("an explained answer has every term, and they add up", async () => {
  await beijing.beat({ connected: 90, capacity: 100 });
  const { ranking, reason } = await explained("/v1/route?game=arena&explain=1");
  assert.equal(reason, null);
  for (const one of ranking) {
    const sum = one.latencyMs + one.loadMs - one.homeMs - one.friendsMs;
    assert.ok(Math.abs(sum - (one.score ?? Number.NaN)) < 0.2, JSON.stringify(one));
    assert.equal(one.state, "active");
  }
  const [first, second] = ranking;
  assert.deepEqual([first?.name, first?.verdict], ["Shanghai", "the best"]);
  assert.match(second?.verdict ?? "", /ms behind shanghai: \+\d+.* latency, \+\d+.* load$/);
});

test("what a client measured counts as in its join: while fresh, and silence as well", async () => {
  const best = async (body: object) =>
    (await call("/v1/route", { method: "POST", body })).json.regionId;
  const roundTripsMs = { beijing: 20, shanghai: 90 };
  assert.equal(await best({ roundTripsMs }), "beijing");
  assert.equal(await best({ roundTripsMs, roundTripsAgeMs: 3_600_000 }), "shanghai");
  assert.equal(await best({ unanswered: ["shanghai"] }), "beijing");
  assert.equal(await best({}), "shanghai");
  const body = { unanswered: ["shanghai"] };
  const { ranking } = await explained("/v1/route?explain=1", { method: "POST", body });
  assert.deepEqual(
    ranking.map(({ basis }) => basis),
    ["estimated", "unanswered"],
  );
});

test("a region that is insisted on is the only one, also when it is the worse", async () => {
  assert.equal((await call("/v1/route?region=beijing")).json.regionId, "beijing");
  const { ranking } = await explained("/v1/route?region=beijing&explain=1");
  assert.equal(ranking[1]?.verdict, "the player insists on beijing");
  const unknown = await call("/v1/route?region=lhasa&explain=1");
  assert.deepEqual([unknown.status, unknown.json.error.kind], [403, "unknown_region"]);
});

test("with every seat taken the best region to wait in is the answer", async () => {
  const full = { connected: 100, reserved: 0, capacity: 100 };
  await beijing.beat(full);
  for (const change of [full, { connected: 0, overload: "no_seats" } as const]) {
    await shanghai.beat(change);
    assert.equal((await call("/v1/route")).json.regionId, "shanghai");
    assert.equal((await call("/v1/route?region=beijing")).json.regionId, "beijing");
    assert.equal((await call("/play")).headers.location, "/?region=shanghai");
    const { ranking, reason } = await explained("/v1/route?explain=1");
    const [first, second] = ranking;
    assert.deepEqual([first?.full, second?.full, reason], [true, true, null]);
    assert.match(first?.verdict ?? "", /^the best to wait in: no seat is free/);
    assert.match(second?.reasons[0] ?? "", /players wait in its queue/);
    assert.match(second?.verdict ?? "", /ms behind shanghai/);
  }
  await beijing.beat();
  assert.equal((await call("/v1/route")).json.regionId, "beijing", "a seat counts more");
  const insisted = await explained("/v1/route?region=shanghai&explain=1");
  assert.match(insisted.ranking[0]?.verdict ?? "", /^the best to wait in/);
});

test("without any region a program gets a failure, and a person each region's obstacle", async () => {
  await beijing.beat({ state: "draining" });
  await shanghai.beat({ connected: 0, overload: "no_rooms" });
  assert.equal((await call("/v1/route")).status, 200, "there are rooms");
  await shanghai.beat({ redis: "down" });
  const none = await call("/v1/route");
  assert.deepEqual([none.status, none.json.error.kind], [503, "no_region"]);
  assert.equal(none.headers["retry-after"], "2");
  const { regionId, publicAddress, ranking, reason } = await explained("/v1/route?explain=1");
  assert.deepEqual([regionId, publicAddress], [null, null]);
  assert.equal(reason, "No region can take players right now.");
  const verdicts = new Map(ranking.map((one) => [one.regionId as string, one.verdict]));
  assert.equal(verdicts.get("beijing"), "draining: it takes no new players");
  assert.equal(verdicts.get("shanghai"), "not healthy: its Redis does not answer");
  const metrics = await (await fetch(`${core.privateUrl}/metrics`)).text();
  assert.match(metrics, /meridian_routes_total\{via="route",outcome="no_region",.*\} 2/);
});

test("a game that nobody runs is named, with those that there are", async () => {
  for (const path of [
    "/v1/route?game=chess",
    "/v1/route?game=chess&explain=1",
    "/play?game=chess",
  ]) {
    const { status, json } = await call(path);
    assert.deepEqual([status, json.error.kind], [404, "unknown_game"]);
    assert.match(json.error.message, /they run: arena/);
  }
});

test("only a trusted proxy's word on the address counts, and the right-most untrusted one", async () => {
  const placed = async (options: Call) => {
    const { place } = await explained("/v1/route?explain=1", options);
    return place.source === "default" ? "default" : place.label;
  };
  const cases: [string, string, string][] = [
    // Forged by whoever calls us directly.
    ["127.0.0.1", "203.0.113.9", "Hangzhou"],
    ["127.0.0.1", "203.0.113.9, 198.51.100.7", "Hangzhou"],
    [PROXY, "203.0.113.9", "Beijing"],
    [PROXY, "2001:db8::9", "Beijing by IPv6"],
    [PROXY, "::ffff:203.0.113.9", "Beijing"],
    // Through two proxies; and forged before an address that was not trusted.
    [PROXY, "203.0.113.9, 198.51.100.7", "Beijing"],
    [PROXY, "192.0.2.1, 203.0.113.9", "Beijing"],
    [PROXY, "203.0.113.9, 192.0.2.1", "default"],
    [PROXY, "", "Hangzhou"],
    [PROXY, "nonsense", "default"],
    [PROXY, "203.0.113.9, <script>", "default"],
    [PROXY, ",,,", "Hangzhou"],
    [PROXY, "x".repeat(8_000), "default"],
  ];
  for (const [from, forwardedFor, expected] of cases) {
    const found = await placed({ from, forwardedFor });
    assert.equal(found, expected, `${from} ${forwardedFor.slice(0, 40)}`);
  }
  const { ranking } = await explained("/v1/route?explain=1", { from: PROXY, forwardedFor: "?" });
  assert.match(ranking[0]?.reasons[0] ?? "", /from Shanghai, by default$/);
});

test("joins and /play take the address as routes do", async () => {
  const headers = {
    authorization: `Bearer ${(await call("/v1/guests", { method: "POST", body: {} })).json.accessToken}`,
  };
  const body = { game: "arena", protocol: 1 };
  for (const [from, forwardedFor, expected] of [
    ["127.0.0.1", "203.0.113.9", "shanghai"],
    [PROXY, "203.0.113.9", "beijing"],
    [PROXY, "nonsense", "shanghai"],
  ] as const) {
    const joined = await call("/v1/join", { method: "POST", from, forwardedFor, headers, body });
    const { ranking } = JoinAnswer.parse(joined.json);
    const played = await call("/play", { from, forwardedFor });
    // The player's last region counts for a join, and is at most 15 ms better.
    assert.equal(ranking[0]?.regionId, expected, forwardedFor);
    assert.equal(played.headers.location, `/?region=${expected}`, forwardedFor);
  }
});

test("/play leads to the best region's page, with the caller's other parameters", async () => {
  const { status, headers, text } = await call("/play?room=r1&region=beijing&x=%0d%0aa");
  assert.deepEqual([status, text], [302, ""]);
  assert.equal(headers.location, "/?room=r1&x=%0D%0Aa&region=beijing");
  assert.equal(headers["cache-control"], "private, no-store");
  assert.match(String(headers.vary), /x-forwarded-for/);
  const head = await call("/play?game=arena", { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.location], [302, "/?game=arena&region=shanghai"]);
  for (const path of ["/play?region=lhasa", "/play?game=A%20B"]) {
    const failed = await call(path);
    assert.ok(failed.status >= 400);
    assert.equal(failed.headers["cache-control"], "private, no-store", path);
    assert.match(String(failed.headers.vary), /x-forwarded-for/);
  }
});

test("/play says in the caller's form that there is nowhere", async () => {
  for (const region of [beijing, shanghai]) await region.beat({ state: "draining" });
  const json = await call("/play", { headers: { accept: "application/json" } });
  assert.deepEqual([json.status, json.json.error.kind], [503, "no_region"]);
  const html = await call("/play", { headers: { accept: "text/html,*/*;q=0.8" } });
  assert.equal(html.status, 503);
  assert.match(String(html.headers["content-type"]), /^text\/html/);
  assert.match(html.text, /No region can take players right now\./);
  for (const { headers } of [json, html]) {
    assert.equal(headers["retry-after"], "2");
    assert.equal(headers["cache-control"], "private, no-store");
  }
  const metrics = await (await fetch(`${core.privateUrl}/metrics`)).text();
  assert.match(metrics, /meridian_routes_total\{via="play",outcome="no_region",.*\} 2/);
});

test("nothing of a request to /play chooses where it leads", () => {
  const page = (url: string, playUrl?: string) =>
    pageOf({ id: beijing.firstHeartbeat().regionId, playUrl }, url);
  for (const url of [
    "/play?//evil.example",
    "/play?host=evil.example#@evil.example",
    "//evil.example/play?x=1",
    "http://evil.example/play?x=1",
    "/play?region=//evil.example",
  ]) {
    assert.match(page(url), /^\/\?/);
    assert.equal(new URL(page(url), "https://core.example").host, "core.example", url);
    const front = page(url, "https://bj.play.example/arena?lang=zh");
    assert.match(front, /^https:\/\/bj\.play\.example\/arena\?lang=zh/);
  }
  const front = page("/play?lang=en&room=r1", "https://bj.play.example/?lang=zh");
  assert.equal(front, "https://bj.play.example/?lang=zh&room=r1");
  assert.equal(page(`/play?x=${"y".repeat(1_024)}`), "/?region=beijing");
});

test("a region with a front of its own has its players led there, once the topology says so", async () => {
  const topology = JSON.parse(readFileSync(core.topologyFile, "utf8"));
  topology.regions[0].playUrl = "https://bj.play.example/?lang=zh";
  writeFileSync(core.topologyFile, JSON.stringify(topology));
  await until("the core has seen it", async () => {
    const { headers } = await call("/play?region=beijing&room=r1");
    return headers.location === "https://bj.play.example/?lang=zh&room=r1";
  });
});
