/**
 * Look-ups at a rate, for players of several places: each is answered, in time, with the addresses of a region that is
 * right for that place, and with no others.
 *
 * k6 has neither UDP nor an API for DNS, so the messages go over HTTP (RFC 8484), through a gateway beside the name
 * server (`loadtest/load/dns-gateway.ts`) or one of the operator's own. The answers are the real name server's. How
 * many it answers a second is not for k6 to say: `dnsperf` is made for that (`npm run bench -- route`).
 */
import { check } from "k6";
import http from "k6/http";
import "./engine/shims.ts";
import { pause } from "./engine/clock.ts";
import { optionsOf } from "./engine/crowd.ts";
import { answer, type Found, question } from "./engine/dns-message.ts";
import { beginAtZero, failed, metrics } from "./engine/metrics.ts";
import { Parameters } from "./engine/parameters.ts";
import { seeded } from "./engine/random.ts";

const parameters = new Parameters("dns");
const url = parameters.text("DNS_URL");
const name = parameters.text("DNS_NAME");
const expected = parameters.text("DNS_EXPECT").split(";").map(expectation);
const perS = parameters.number("RATE");
const lookUps = Math.max(1, Math.round(perS * parameters.number("DURATION_S")));
const DEADLINE_MS = 5_000;
const ID_MAX = 65_535;
const CONTENT_TYPE = "application/dns-message";

export const options = optionsOf(parameters, {
  finished: lookUps,
  thresholds: { look_up_ms: ["p(95)<200"] },
  play: false,
});

export function setup(): void {
  beginAtZero();
}

export default async function dns(): Promise<void> {
  const vus = parameters.count("VUS");
  const random = seeded(parameters.number("SEED") + __VU);
  const beganMs = Date.now();
  const asked: Promise<void>[] = [];
  for (let nth = __VU - 1; nth < lookUps; nth += vus) {
    await pause(beganMs + (nth * 1_000) / perS - Date.now());
    const place = expected[nth % expected.length];
    if (place) asked.push(lookUp(place, Math.floor(random() * ID_MAX)));
  }
  await Promise.all(asked);
}

interface Expectation {
  readonly subnet: string;
  readonly addresses: readonly string[];
}

/** @throws where it does not say `SUBNET=ADDRESS|ADDRESS` */
function expectation(text: string): Expectation {
  const [subnet = "", addresses = ""] = text.trim().split("=");
  if (!/^\d+(\.\d+){3}\/\d+$/.test(subnet) || addresses === "") {
    throw new Error(`DNS_EXPECT: "${text}" is not SUBNET=ADDRESS|ADDRESS`);
  }
  return { subnet, addresses: addresses.split("|") };
}

async function lookUp({ subnet, addresses }: Expectation, id: number): Promise<void> {
  const sentMs = Date.now();
  const response = await http.asyncRequest("POST", url, question({ id, name, subnet }), {
    headers: { "content-type": CONTENT_TYPE, accept: CONTENT_TYPE },
    responseType: "binary",
    timeout: DEADLINE_MS,
    tags: { name: "dns" },
  });
  const found = response.status === 200 ? parsed(response.body) : undefined;
  if (found) metrics.lookUpMs.add(Date.now() - sentMs);
  else failed("no_answer", `${subnet}: status ${response.status}`);
  const isRight = found !== undefined && isAnswer(found, id, addresses);
  if (found && !isRight) {
    const words = `${subnet}: code ${found.code}, ${found.addresses.join(", ") || "no address"}`;
    failed("wrong_answer", `${words}; ${addresses.join(" or ")} would be right`);
  }
  check(isRight, { "is answered with the right region": (is) => is });
  metrics.finished.add(1);
}

function isAnswer(found: Found, id: number, addresses: readonly string[]): boolean {
  if (found.id !== id || found.code !== 0 || found.addresses.length === 0) return false;
  return found.addresses.every((address) => addresses.includes(address));
}

function parsed(body: unknown): Found | undefined {
  try {
    return body instanceof ArrayBuffer ? answer(body) : undefined;
  } catch {
    // Cut off in the middle: no answer at all.
    return undefined;
  }
}
