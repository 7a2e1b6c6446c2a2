/** Access tokens and join tickets: two kinds of JWT that never pass for each other (`typ`). */
import { errors, type JWTVerifyResult, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { PlayerId } from "../../shared/ids.ts";
import {
  ACCESS_TYP,
  TICKET_TYP,
  TicketClaims,
  TOKEN_ALG,
  TOKEN_ISSUER,
} from "../../shared/protocol/ticket.ts";
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
    const signed = await this.#sign({ sub: playerId }, ACCESS_TYP, this.#deps.accessTtlMs);
    const { token, kid, exp } = signed;
    this.#known.note(token, { playerId, kid, exp });
    return token;
  }

  /** @throws {MeridianError} `token_expired`, or `unauthorized` for anything else that is wrong */
  async verifyAccess(token: string): Promise<PlayerId> {
    const known = this.#knownOwner(token);
    if (known !== undefined) return known;
    try {
      const { payload, protectedHeader } = await this.#verify(token, ACCESS_TYP, 0);
      const { sub: playerId, exp } = AccessClaims.parse(payload);
      const { kid } = protectedHeader;
      if (kid !== undefined) this.#known.note(token, { playerId, kid, exp });
      return playerId;
    } catch (cause) {
      if (cause instanceof errors.JWTExpired) throw new MeridianError("token_expired", { cause });
      throw new MeridianError("unauthorized", {
        message: "The access token is not valid.",
        cause,
      });
    }
  }

  /** A ticket for that seat, with a `jti` of its own. */
  async signTicket(seat: Seat): Promise<string> {
    const jti = this.#deps.random(JTI_BYTES).toString("base64url");
    return (await this.#sign({ ...seat, jti }, TICKET_TYP, this.#deps.ticketTtlMs)).token;
  }

  /**
   * A ticket's claims, accepted for `toleranceMs` past its expiry.
   * @throws {MeridianError} `ticket_expired`, or `ticket_invalid` for anything else that is wrong
   */
  async verifyTicket(token: string, toleranceMs: number): Promise<TicketClaims> {
    try {
      return TicketClaims.parse((await this.#verify(token, TICKET_TYP, toleranceMs)).payload);
    } catch (cause) {
      if (cause instanceof errors.JWTExpired) throw new MeridianError("ticket_expired", { cause });
      throw new MeridianError("ticket_invalid", { cause });
    }
  }

  /** Of a token that passed, or was made here, and would pass now. */
  #knownOwner(token: string): PlayerId | undefined {
    const { keyring, clock } = this.#deps;
    const known = this.#known.find(token);
    if (!known || keyring.verifier(known.kid) === undefined) return undefined;
    return known.exp > Math.floor(clock.nowMs() / 1_000) ? known.playerId : undefined;
  }

  async #sign(claims: Record<string, unknown>, typ: string, ttlMs: number): Promise<Signed> {
    const { kid, key } = this.#deps.keyring.signer();
    const nowS = Math.floor(this.#deps.clock.nowMs() / 1_000);
    const exp = nowS + Math.ceil(ttlMs / 1_000);
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: TOKEN_ALG, typ, kid })
      .setIssuer(TOKEN_ISSUER)
      .setIssuedAt(nowS)
      .setExpirationTime(exp)
      .sign(key);
    return { token, kid, exp };
  }

  async #verify(token: string, typ: string, toleranceMs: number): Promise<JWTVerifyResult> {
    return await jwtVerify(
      token,
      (header) => {
        const key = this.#deps.keyring.verifier(header.kid);
        if (!key) throw new errors.JWKSNoMatchingKey();
        return key;
      },
      {
        algorithms: [TOKEN_ALG],
        issuer: TOKEN_ISSUER,
        typ,
        requiredClaims: ["sub", "iat", "exp"],
        currentDate: new Date(this.#deps.clock.nowMs()),
        clockTolerance: toleranceMs / 1_000,
      },
    );
  }
}
