/** A guest: logs in, renews its token, and asks what it owns. */
import { isFailure, MeridianError } from "../../../shared/errors.ts";
import { GuestAnswer, TokenPair } from "../../../shared/protocol/accounts.ts";
import { Possessions } from "../../../shared/protocol/value.ts";
import type { CoreCalls } from "../engine/core-calls.ts";
import { metrics } from "../engine/metrics.ts";

export class Account {
  readonly #core: CoreCalls;
  readonly #name: string;
  readonly #device: string;
  #secret: string | undefined;
  #tokens: TokenPair | undefined;

  constructor(core: CoreCalls, name: string, random: () => number) {
    this.#core = core;
    this.#name = name;
    this.#device = `k6-${Math.floor(random() * 2 ** 52).toString(36)}`;
  }

  get playerId(): string {
    return this.#tokens?.playerId ?? "";
  }

  /** As a new guest, then as the same. @throws {MeridianError} */
  async logIn(): Promise<void> {
    const beganMs = Date.now();
    const body = { device: this.#device, ...(this.#secret ? { secret: this.#secret } : {}) };
    const answer = await this.#core.call({
      method: "POST",
      path: "/v1/guests",
      body: { ...body, name: this.#name },
      schema: GuestAnswer,
    });
    metrics.logInMs.add(Date.now() - beganMs);
    this.#secret ??= answer.secret;
    this.#tokens = answer;
  }

  /** What the core says that the player has of each currency. @throws {MeridianError} */
  async balances(): Promise<ReadonlyMap<string, number>> {
    const { wallets } = await this.authorized((accessToken) =>
      this.#core.call({
        method: "GET",
        path: "/v1/me/possessions",
        accessToken,
        schema: Possessions,
      }),
    );
    return new Map(wallets.map(({ currency, balance }) => [currency, balance]));
  }

  /** Makes a call that needs a log-in. @throws {MeridianError} */
  async authorized<T>(call: (accessToken: string) => Promise<T>): Promise<T> {
    if (!this.#tokens) throw new MeridianError("unauthorized");
    try {
      return await call(this.#tokens.accessToken);
    } catch (error) {
      if (!isFailure(error, "token_expired")) throw error;
      const { refreshToken } = this.#tokens;
      this.#tokens = await this.#core.call({
        method: "POST",
        path: "/v1/tokens/refresh",
        body: { refreshToken, device: this.#device },
        schema: TokenPair,
      });
      return call(this.#tokens.accessToken);
    }
  }
}
