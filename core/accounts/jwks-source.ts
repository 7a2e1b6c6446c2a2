/**
 * The public keys of one trusted issuer: given once in a file, or fetched over HTTP and kept. One fetch
 * at a time, with a deadline and a bound on its size; whoever needs the keys meanwhile waits for it. So many are
 * bounded by the caps of the routes. Once several fetches in a row have failed nobody waits any more: keys that
 * are held go on being used, and others are `unavailable` until a fetch, beside, succeeds.
 */
import { type CryptoKey, createLocalJWKSet, errors, type JWTHeaderParameters } from "jose";
import type { Logger } from "pino";
import { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { Breaker } from "../../shared/link/breaker.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";
import type { Outbound } from "../http/outbound.ts";
import { COOLDOWN_MS, decideJwks, type JwksState } from "./jwks-step.ts";
import type { TrustedIssuer } from "./trusted-issuers.ts";

const FETCH_DEADLINE_MS = 3_000;
const BYTES_MAX = 65_536;
const KEYS_MAX = 64;
const FAILURES_MAX = 3;

/** Keys of other types (a shared secret, `oct`, above all) are left out. */
const PublicJwk = z.looseObject({ kty: z.enum(["RSA", "EC", "OKP"]), kid: z.string().optional() });
const JwksBody = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(KEYS_MAX) });

type KeySet = ReturnType<typeof createLocalJWKSet>;

export interface JwksSourceDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly fetches: Counter<"issuer" | "outcome">;
  readonly outbound: Outbound;
}

export class JwksSource {
  readonly #issuer: TrustedIssuer;
  readonly #deps: JwksSourceDeps;
  readonly #pace = new LogPace();
  readonly #breaker: Breaker;
  #keys: KeySet | undefined;
  #state: JwksState = { fetchedMs: undefined, triedMs: undefined };
  #fetching: Promise<void> | undefined;

  constructor(issuer: TrustedIssuer, deps: JwksSourceDeps) {
    this.#issuer = issuer;
    this.#deps = deps;
    this.#breaker = deps.outbound.breaker(`keys of ${issuer.issuer}`, FAILURES_MAX, COOLDOWN_MS);
    if ("jwks" in issuer.keys) this.#keys = keySetOf(issuer.keys.jwks);
  }

  /**
   * The key that a token says it is signed with.
   * @throws {MeridianError} `unauthorized` when the issuer has none such, `unavailable` when it can't
   *   be asked
   */
  async key(header: JWTHeaderParameters): Promise<CryptoKey> {
    const { keys } = this.#issuer;
    if ("url" in keys) await this.#refresh(header, keys.url);
    const found = await this.#find(header);
    if (found && (!("url" in keys) || this.#decide(found) === "use")) return found;
    throw this.#refusal();
  }

  async #refresh(header: JWTHeaderParameters, url: string): Promise<void> {
    const action = this.#decide(await this.#find(header));
    if (action === "use" || (action === "refuse" && !this.#fetching)) return;
    if (!this.#fetching && !this.#breaker.permits(this.#deps.clock.monotonicMs())) return;
    this.#fetching ??= this.#fetch(url).finally(() => {
      this.#fetching = undefined;
    });
    if (!this.#breaker.open) await this.#fetching;
  }

  #decide(found: CryptoKey | undefined) {
    return decideJwks(this.#state, found !== undefined, this.#deps.clock.monotonicMs());
  }

  #refusal(): MeridianError {
    // Whoever does not answer may have made a new key.
    if (this.#keys && !this.#breaker.open) {
      return new MeridianError("unauthorized", { message: "Signed by no known key." });
    }
    return new MeridianError("unavailable", {
      message: "The issuer's keys can't be had now.",
      retryAfterMs: COOLDOWN_MS,
    });
  }

  async #find(header: JWTHeaderParameters): Promise<CryptoKey | undefined> {
    try {
      return await this.#keys?.(header);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return undefined;
      throw error;
    }
  }

  async #fetch(url: string): Promise<void> {
    const { clock, log, fetches } = this.#deps;
    const { issuer } = this.#issuer;
    const nowMs = clock.monotonicMs();
    this.#state = { ...this.#state, triedMs: nowMs };
    try {
      this.#keys = keySetOf(await fetchJson(url));
      this.#state = { ...this.#state, fetchedMs: nowMs };
      this.#breaker.succeeded();
      fetches.inc({ issuer, outcome: "fetched" });
    } catch (err) {
      this.#breaker.failed(clock.monotonicMs());
      fetches.inc({ issuer, outcome: "failed" });
      const held = this.#pace.permit(nowMs);
      if (held === undefined) return;
      const about = { issuer, err, held, runbook: "core-identity-keys" };
      log.warn(about, "the keys of a trusted issuer can't be fetched");
    }
  }
}

export function jwksFetches(metrics: Metrics): Counter<"issuer" | "outcome"> {
  return new Counter({
    name: "meridian_jwks_fetches_total",
    help: "Fetches of the keys of trusted issuers and stores.",
    labelNames: ["issuer", "outcome"],
    registers: [metrics],
  });
}

function keySetOf(body: unknown): KeySet {
  const keys = JwksBody.parse(body).keys.filter((key) => PublicJwk.safeParse(key).success);
  return createLocalJWKSet({ keys });
}

async function fetchJson(url: string): Promise<unknown> {
  const response = await fetch(url, {
    headers: { accept: "application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(FETCH_DEADLINE_MS),
  });
  if (!response.ok || !response.body) throw new Error(`answered with status ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > BYTES_MAX) throw new Error(`answered with more than ${BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}
