/**
 * Who the player is: a guest whose secret is kept in the storage, and the tokens of the present
 * log-in. The access token is renewed before it expires and once more when the core calls it expired;
 * however many callers wait, there is one renewal at a time. A refresh token that the core no longer
 * takes costs a new log-in with the guest's secret, nothing else.
 */
import type { Clock } from "../clock.ts";
import { isFailure, MeridianError } from "../errors.ts";
import { GuestAnswer, type GuestRequest, Me, TokenPair } from "../protocol/accounts.ts";
import { EmailLogInAnswer, LinkEmailAnswer } from "../protocol/emails.ts";
import { Done } from "../protocol/link.ts";
import type { Api } from "./api.ts";
import { type RetryBudget, retrying } from "./backoff.ts";
import { claimTab, type KeyValueStorage } from "./storage.ts";

const RENEWAL_MARGIN_MS = 30_000;

export interface AccountOptions {
  readonly api: Api;
  readonly storage: KeyValueStorage;
  /** Whether other tabs share the storage on purpose. */
  readonly shared: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly budget: RetryBudget;
}

/** The player who is logged in. */
export interface Player {
  readonly playerId: string;
  readonly name: string;
}

export class Account {
  readonly #options: AccountOptions;
  #tokens: (TokenPair & { readonly renewAtMs: number }) | undefined;
  #renewal: Promise<TokenPair> | undefined;
  #loggingIn: Promise<Player> | undefined;
  /** Whether the guest's secret in the storage opens the account that is logged in. */
  #guest = false;

  constructor(options: AccountOptions) {
    this.#options = options;
  }

  get player(): Player | undefined {
    return this.#tokens;
  }

  /** Logs in as the guest in the storage, or as a new one. Callers at once share one log-in. */
  logIn(name?: string): Promise<Player> {
    this.#loggingIn ??= this.#logInOnce(name).finally(() => {
      this.#loggingIn = undefined;
    });
    return this.#loggingIn;
  }

  async #logInOnce(name?: string): Promise<Player> {
    const { storage, shared } = this.#options;
    let device = storage.getItem(DEVICE_KEY);
    if (device && !shared && !(await claimTab(`meridian-${device}`))) {
      storage.removeItem(SECRET_KEY);
      device = null;
    }
    if (!device) {
      device = newDevice();
      storage.setItem(DEVICE_KEY, device);
      await claimTab(`meridian-${device}`);
    }
    this.#guest = true;
    const secret = storage.getItem(SECRET_KEY);
    const request = { device, ...(name !== undefined && { name }) };
    return this.#keep(await this.#logInAs(request, secret));
  }

  /** Logs in with an address and a password. @param create makes the account */
  async logInWithEmail(email: string, password: string, create = false): Promise<Player> {
    const { api, storage } = this.#options;
    const device = storage.getItem(DEVICE_KEY) ?? newDevice();
    storage.setItem(DEVICE_KEY, device);
    const deviceToken = storage.getItem(DEVICE_TOKEN_KEY) ?? undefined;
    const path = create ? "/v1/emails/register" : "/v1/emails/log-in";
    const body = { email, password, device, ...(!create && deviceToken && { deviceToken }) };
    const answer = await api.call({ method: "POST", path, body, schema: EmailLogInAnswer });
    storage.setItem(DEVICE_TOKEN_KEY, answer.deviceToken);
    this.#guest = false;
    return this.#keep(answer);
  }

  /**
   * Gives a guest an address and a password as one more way in; nothing else changes.
   * @throws {MeridianError} `unauthorized` for who is no guest of this storage
   */
  async linkEmail(email: string, password: string): Promise<void> {
    const { api, storage } = this.#options;
    const secret = storage.getItem(SECRET_KEY);
    if (!this.#guest || !secret) {
      throw new MeridianError("unauthorized", { message: "Only a guest can link an address." });
    }
    const body = { email, password, proof: { secret } };
    const answer = await this.authorized((accessToken) =>
      api.call({
        method: "POST",
        path: "/v1/me/email",
        body,
        accessToken,
        schema: LinkEmailAnswer,
      }),
    );
    storage.setItem(DEVICE_TOKEN_KEY, answer.deviceToken);
  }

  /** Has a link for a new password sent there, if there is such an account. */
  async requestPasswordReset(email: string): Promise<void> {
    const { api, storage } = this.#options;
    const deviceToken = storage.getItem(DEVICE_TOKEN_KEY);
    const body = { email, ...(deviceToken && { deviceToken }) };
    await api.call({ method: "POST", path: "/v1/emails/reset", body, schema: Done });
  }

  /** Changes the shown name; rooms joined from then on show it. */
  async rename(name: string): Promise<void> {
    await this.authorized((accessToken) =>
      this.#options.api.call({
        method: "PATCH",
        path: "/v1/me",
        body: { name },
        accessToken,
        schema: Me,
      }),
    );
    if (this.#tokens) this.#tokens = { ...this.#tokens, name };
  }

  /** Makes a call that needs a log-in. */
  async authorized<T>(call: (accessToken: string) => Promise<T>): Promise<T> {
    const tokens = await this.#fresh();
    try {
      return await call(tokens.accessToken);
    } catch (error) {
      // `unauthorized` where the core has other keys than before: the refresh token still tells who.
      if (!isFailure(error, "token_expired") && !isFailure(error, "unauthorized")) throw error;
      // Another caller may have renewed it meanwhile.
      const current = this.#tokens?.accessToken === tokens.accessToken ? undefined : this.#tokens;
      return call((current ?? (await this.#renew())).accessToken);
    }
  }

  async #fresh(): Promise<TokenPair> {
    const tokens = this.#tokens;
    if (!tokens) throw new MeridianError("unauthorized");
    return this.#options.clock.nowMs() < tokens.renewAtMs ? tokens : this.#renew();
  }

  #renew(): Promise<TokenPair> {
    this.#renewal ??= this.#refresh().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #refresh(): Promise<TokenPair> {
    const { api, storage } = this.#options;
    const refreshToken = this.#tokens?.refreshToken;
    const device = storage.getItem(DEVICE_KEY) ?? "unknown";
    try {
      const path = "/v1/tokens/refresh";
      const body = { refreshToken, device };
      const refresh = () => api.call({ method: "POST", path, body, schema: TokenPair });
      return this.#keep(await this.#retrying(refresh));
    } catch (error) {
      const secret = this.#guest ? storage.getItem(SECRET_KEY) : null;
      if (!secret || !(isFailure(error) && error.status === 401)) throw error;
      return this.#keep(await this.#logInAs({ device }, secret));
    }
  }

  async #logInAs(request: GuestRequest, secret: string | null): Promise<GuestAnswer> {
    const body = secret ? { ...request, secret } : request;
    const path = "/v1/guests";
    try {
      const logIn = () =>
        this.#options.api.call({ method: "POST", path, body, schema: GuestAnswer });
      return await this.#retrying(logIn);
    } catch (error) {
      // The core does not know this guest (any more): its database may be a new one.
      if (secret && isFailure(error, "unauthorized")) return this.#logInAs(request, null);
      throw error;
    }
  }

  #retrying<T>(call: () => Promise<T>): Promise<T> {
    return retrying(call, this.#options.budget, this.#options);
  }

  #keep(answer: TokenPair & { readonly secret?: string | undefined }): TokenPair {
    const { storage, clock } = this.#options;
    if (answer.secret !== undefined) storage.setItem(SECRET_KEY, answer.secret);
    const marginMs = Math.min(RENEWAL_MARGIN_MS, answer.accessExpiresInMs / 4);
    const renewAtMs = clock.nowMs() + answer.accessExpiresInMs - marginMs;
    this.#tokens = { ...answer, renewAtMs };
    return this.#tokens;
  }
}

const SECRET_KEY = "meridian.guest.secret";
const DEVICE_KEY = "meridian.device";
/** Tells the core that this device has logged in before: guesses of others don't lock it out. */
const DEVICE_TOKEN_KEY = "meridian.device.token";

function newDevice(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
