/** Access tokens and join tickets: two kinds of JWT that never pass for each other (`typ`). */
import { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { PlayerId } from "../../shared/ids.ts";
import { ACCESS_TYP, TICKET_TYP, TicketClaims } from "../../shared/protocol/ticket.ts";
import { type JwsAnswer, readJws, signJws } from "./jws.ts";
import type { Keyring } from "./keyring.ts";
import { KnownAccess } from "./known-access.ts";
import type { RandomBytes } from "./master-key.ts";

/** What a ticket says besides what every token says. */
export type Seat = Omit<TicketClaims, "iss" | "jti" | "iat" | "exp">;

const AccessClaims = z.object({ sub: PlayerId, exp: z.number() });
const JTI_BYTES = 12;

export interface SignedTokensDeps {
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly accessTtlMs: number;
  readonly ticketTtlMs: number;
}

interface Signed {
  readonly token: string;
  readonly kid: string;
  /** When it expires, s since 1970. */
  readonly exp: number;
}

export class SignedTokens {
  readonly #deps: SignedTokensDeps;
  readonly #known = new KnownAccess();

  constructor(deps: SignedTokensDeps) {
    this.#deps = deps;
  }

  get accessTtlMs(): number {
    return this.#deps.accessTtlMs;
  }

  get ticketTtlMs(): number {
    return this.#deps.ticketTtlMs;
  }

  /** An access token for that player. */
  async signAccess(playerId: PlayerId): Promise<string> {
    const signed = this.#sign({ sub: playerId }, ACCESS_TYP, this.#deps.accessTtlMs);
    const { token, kid, exp } = signed;
    this.#known.note(token, { playerId, kid, exp });
    return token;
  }

  /** @throws {MeridianError} `token_expired`, or `unauthorized` for anything else that is wrong */
  async verifyAccess(token: string): Promise<PlayerId> {
    const known = this.#knownOwner(token);
    if (known !== undefined) return known;
    const answer = this.#read(token, ACCESS_TYP, 0);
    const claims = answer.valid ? AccessClaims.safeParse(answer.claims) : undefined;
    if (!answer.valid || !claims?.success) {
      if (!answer.valid && answer.expired) throw new MeridianError("token_expired");
      throw new MeridianError("unauthorized", { message: "The access token is not valid." });
    }
    const { sub: playerId, exp } = claims.data;
    this.#known.note(token, { playerId, kid: answer.kid, exp });
    return playerId;
  }

  /** A ticket for that seat, with a `jti` of its own. */
  async signTicket(seat: Seat): Promise<string> {
    const jti = this.#deps.random(JTI_BYTES).toString("base64url");
    return this.#sign({ ...seat, jti }, TICKET_TYP, this.#deps.ticketTtlMs).token;
  }

  /**
   * A ticket's claims, accepted for `toleranceMs` past its expiry.
   * @throws {MeridianError} `ticket_expired`, or `ticket_invalid` for anything else that is wrong
   */
  async verifyTicket(token: string, toleranceMs: number): Promise<TicketClaims> {
    const answer = this.#read(token, TICKET_TYP, toleranceMs);
    if (!answer.valid) {
      throw new MeridianError(answer.expired ? "ticket_expired" : "ticket_invalid");
    }
    const claims = TicketClaims.safeParse(answer.claims);
    if (claims.success) return claims.data;
    throw new MeridianError("ticket_invalid", { cause: claims.error });
  }

  /** Of a token that passed, or was made here, and would pass now. */
  #knownOwner(token: string): PlayerId | undefined {
    const { keyring, clock } = this.#deps;
    const known = this.#known.find(token);
    if (!known || keyring.verifier(known.kid) === undefined) return undefined;
    return known.exp > Math.floor(clock.nowMs() / 1_000) ? known.playerId : undefined;
  }

  #sign(claims: Record<string, unknown>, typ: string, ttlMs: number): Signed {
    const signer = this.#deps.keyring.signer();
    const iat = Math.floor(this.#deps.clock.nowMs() / 1_000);
    const exp = iat + Math.ceil(ttlMs / 1_000);
    return { token: signJws(typ, { ...claims, iat, exp }, signer), kid: signer.kid, exp };
  }

  #read(token: string, typ: string, toleranceMs: number): JwsAnswer {
    const { keyring, clock } = this.#deps;
    const nowS = Math.floor(clock.nowMs() / 1_000) - toleranceMs / 1_000;
    return readJws(token, { typ, nowS, keyOf: (kid) => keyring.verifier(kid) });
  }
}
