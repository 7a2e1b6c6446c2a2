/**
 * Studios' own identities: a JWT of a trusted issuer logs its subject in. The account is made at first
 * sight and is found again by issuer and subject, whatever else the token says.
 *
 * The issuer decides the keys, the audience and the algorithms; the token's header only picks among
 * them. The name that a token may bring is taken for a new account if it fits.
 */
import { decodeJwt, errors, jwtVerify } from "jose";
import type { Logger } from "pino";
import { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { PlayerName, type TokenPair } from "../../shared/protocol/accounts.ts";
import type { Connections, Tx } from "../db/database.ts";
import * as players from "./account-store.ts";
import type { Accounts } from "./accounts.ts";
import { requireNotBanned } from "./ban.ts";
import type { BarredIdentities } from "./barred-identities.ts";
import { JwksSource, type JwksSourceDeps } from "./jwks-source.ts";
import type { LogIns, Named } from "./log-ins.ts";
import type { TrustedIssuer } from "./trusted-issuers.ts";

/** Clocks of issuers may be wrong by this, and no more. */
const CLOCK_SKEW_S = 30;
/** However long a token says that it lives. */
const TOKEN_AGE_S_MAX = 86_400;

const Claims = z.object({
  sub: z.string().min(1).max(255),
  name: z.unknown().optional(),
  preferred_username: z.unknown().optional(),
});

export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | undefined;
}

/** Who shows a token. */
interface Bearer {
  readonly device: string;
  /** Before an account is made for it; one that throws prevents that. */
  readonly newcomer: () => void;
}

export interface IdentitiesDeps {
  readonly issuers: readonly TrustedIssuer[];
  /** Those for log-ins. */
  readonly database: Connections;
  readonly accounts: Accounts;
  readonly logIns: LogIns;
  readonly barred: BarredIdentities;
  readonly fetches: JwksSourceDeps["fetches"];
  readonly outbound: JwksSourceDeps["outbound"];
  readonly clock: Clock;
  readonly log: Logger;
}

interface Trusted extends TrustedIssuer {
  readonly source: JwksSource;
}

export class Identities {
  readonly #deps: IdentitiesDeps;
  readonly #trusted: ReadonlyMap<string, Trusted>;

  constructor(deps: IdentitiesDeps) {
    this.#deps = deps;
    this.#trusted = new Map(
      deps.issuers.map((issuer) => [
        issuer.issuer,
        { ...issuer, source: new JwksSource(issuer, deps) },
      ]),
    );
  }

  /**
   * Logs in whom the studio's token names.
   * @throws {MeridianError} `token_expired`, `unauthorized` for anything else that is wrong with it,
   *   `unavailable` when the issuer's keys can't be had, `banned`; what `newcomer` throws
   */
  async exchange(token: string, { device, newcomer }: Bearer): Promise<TokenPair> {
    const { database, logIns } = this.#deps;
    const identity = await this.verify(token);
    const begin = () =>
      database.transaction(async (tx) => {
        const known = await this.#known(tx, identity);
        if (!known) newcomer();
        const player = known ?? (await this.#create(tx, identity));
        return { player, refreshToken: await logIns.begin(tx, player.id, device) };
      });
    const { player, refreshToken } = await begin().catch((error: unknown) => {
      // Of two first log-ins at once the other one has made the account.
      if (isFailure(error, "conflict")) return begin();
      throw error;
    });
    logIns.note("identity_logged_in");
    return await logIns.pair(player, refreshToken);
  }

  /** Whether a token names that player. @throws {MeridianError} as `exchange` */
  async proves(token: string, playerId: PlayerId): Promise<boolean> {
    const { issuer, subject } = await this.verify(token);
    const { database } = this.#deps;
    return (await players.selectPlayerIdByIdentity(database, issuer, subject)) === playerId;
  }

  async verify(token: string): Promise<Identity> {
    try {
      return await this.#verify(token);
    } catch (cause) {
      const ours = isFailure(cause, "unavailable");
      this.#deps.logIns.note(ours ? "identity_unavailable" : "identity_refused");
      if (isFailure(cause)) throw cause;
      if (cause instanceof errors.JWTExpired) throw new MeridianError("token_expired", { cause });
      throw new MeridianError("unauthorized", {
        message: "The identity token is not valid here.",
        cause,
      });
    }
  }

  async #verify(token: string): Promise<Identity> {
    const claimed = decodeJwt(token).iss;
    const trusted = this.#trusted.get(claimed ?? "");
    if (!trusted) throw new errors.JWTClaimValidationFailed("unknown issuer", {}, "iss");
    const { issuer, audience, algorithms, source } = trusted;
    const { payload } = await jwtVerify(token, (header) => source.key(header), {
      issuer,
      audience,
      algorithms: [...algorithms],
      requiredClaims: ["sub", "iat", "exp"],
      currentDate: new Date(this.#deps.clock.nowMs()),
      clockTolerance: CLOCK_SKEW_S,
      maxTokenAge: TOKEN_AGE_S_MAX,
    });
    const { sub, name, preferred_username } = Claims.parse(payload);
    const fitting = PlayerName.safeParse(name ?? preferred_username);
    return { issuer, subject: sub, name: fitting.success ? fitting.data : undefined };
  }

  async #known(tx: Tx, { issuer, subject }: Identity): Promise<Named | undefined> {
    const playerId = await players.selectPlayerIdByIdentity(tx, issuer, subject);
    const player = playerId && (await players.lockPlayer(tx, playerId));
    if (!player) return undefined;
    requireNotBanned(player, this.#deps.clock.nowMs());
    return player;
  }

  async #create(tx: Tx, { issuer, subject, name }: Identity): Promise<Named> {
    const { accounts, barred, clock } = this.#deps;
    await barred.requireOpen(tx, identityText(issuer, subject));
    const player = await accounts.create(tx, name);
    const createdAt = new Date(clock.nowMs());
    const identity = { issuer, subject, playerId: player.id, createdAt };
    if (await players.insertIdentity(tx, identity)) return player;
    throw new MeridianError("conflict", { message: "This identity has an account already." });
  }
}

/** One text for an identity; no issuer's name can run into a subject's. */
export function identityText(issuer: string, subject: string): string {
  return JSON.stringify([issuer, subject]);
}
