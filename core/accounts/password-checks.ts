/**
 * Whether somebody knows the password of an account, within the attempt limits (`attempt-step.ts`).
 *
 * Whoever asks about an address that has no account waits as long, for a hash that is nobody's, and gets
 * the same answer. Only registering and linking tell that an address is taken, because a player must
 * know; that counts as a failed attempt, so a list of addresses costs as much as a list of passwords.
 */
import type { Clock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import type { Connections } from "../db/database.ts";
import { prefixOf } from "./address-prefix.ts";
import type { AttemptGate } from "./attempt-gate.ts";
import type { Attempt } from "./attempts.ts";
import type { DeviceTokens, KnownDevice } from "./device-tokens.ts";
import * as store from "./email-store.ts";
import type { KnownPrefixes } from "./known-prefixes.ts";
import type { LogIns } from "./log-ins.ts";
import { hashOf } from "./opaque-token.ts";
import type { Passwords } from "./passwords.ts";

export interface PasswordChecksDeps {
  /** Those for log-ins. */
  readonly database: Connections;
  readonly gate: AttemptGate;
  readonly passwords: Passwords;
  readonly devices: DeviceTokens;
  readonly prefixes: KnownPrefixes;
  readonly logIns: LogIns;
  readonly clock: Clock;
}

/** From where somebody logs in. */
export interface From {
  readonly device: string;
  readonly deviceToken?: string | undefined;
  /** Of the network. */
  readonly address: string;
}

/** The holder of an access token, as a device of its own for the attempt limits. */
const LOGGED_IN = "logged in";
const ACCOUNT_KEY_BYTES = 16;
/**
 * Look-ups of accounts at once for devices that no account knows. Those past their limits have few: one
 * may still succeed, if it turns out that the account knows the network.
 */
const LOOK_UPS_MAX = 64;
const LIMITED_LOOK_UPS_MAX = 2;
const LOOK_UPS_RETRY_MS = 1_000;

export class PasswordChecks {
  readonly #deps: PasswordChecksDeps;
  /** Under way, for strangers. */
  #lookUps = 0;
  /** Whose devices have a look-up of their own under way: one each, or one token would do for a flood. */
  readonly #ownLookUps = new Set<string>();

  constructor(deps: PasswordChecksDeps) {
    this.#deps = deps;
  }

  /**
   * The account of that address, to someone who knows its password.
   * @throws {MeridianError} `unauthorized`, `too_many_requests`, `unavailable`
   */
  async prove(email: string, password: string, from: From): Promise<store.EmailRow> {
    const { database, prefixes, devices, clock } = this.#deps;
    const known = devices.read(from.deviceToken, clock.nowMs());
    const find = () => store.selectEmail(database, email, prefixes.macOf(from.address));
    const row =
      known && !this.#ownLookUps.has(known.playerId)
        ? await this.#findForDevice(known, find)
        : await this.#findForStranger(email, from.address, find);
    const device = known && knows(known, row) ? known.device : undefined;
    return await this.#check(row, password, attemptOn(email, from.address, device, row));
  }

  /** The same for a player who is logged in. @throws {MeridianError} as `prove` */
  async proveOf(playerId: PlayerId, password: string, address: string): Promise<store.EmailRow> {
    const { database, prefixes } = this.#deps;
    const row = await store.selectEmailOf(database, playerId, prefixes.macOf(address));
    if (!row)
      throw new MeridianError("unauthorized", { message: "There is no password to check." });
    return await this.#check(row, password, attemptOn(row.address, address, LOGGED_IN, row));
  }

  /** Does what needs a free address, which proves nobody: it earns nothing. @throws {MeridianError} what `work` throws; a limit's refusal */
  async free<T>(email: string, address: string, work: () => Promise<T>): Promise<T> {
    const { gate, logIns } = this.#deps;
    let taken: MeridianError | undefined;
    const attempt = attemptOn(`new ${email}`, address, undefined, undefined);
    const done = await gate.runUnearned(attempt, async () => {
      try {
        return { result: await work() };
      } catch (error) {
        if (!isFailure(error, "conflict")) throw error;
        taken = error;
        return undefined;
      }
    });
    if (done) return done.result;
    logIns.note("email_taken");
    throw taken;
  }

  async #findForDevice<T>({ playerId }: KnownDevice, find: () => Promise<T>): Promise<T> {
    this.#ownLookUps.add(playerId);
    try {
      return await find();
    } finally {
      this.#ownLookUps.delete(playerId);
    }
  }

  /** Bounds what a flood of guesses costs the database. */
  async #findForStranger<T>(email: string, address: string, find: () => Promise<T>): Promise<T> {
    const { gate, passwords, logIns } = this.#deps;
    const attempt = attemptOn(email, address, undefined, undefined);
    const limited = gate.refusesStranger(attempt) || !passwords.takesStrangers;
    if (this.#lookUps >= (limited ? LIMITED_LOOK_UPS_MAX : LOOK_UPS_MAX)) {
      logIns.note("look_up_refused");
      throw new MeridianError(limited ? "too_many_requests" : "unavailable", {
        message: "Too many log-ins from unknown devices are under way.",
        retryAfterMs: LOOK_UPS_RETRY_MS,
      });
    }
    this.#lookUps += 1;
    try {
      return await find();
    } finally {
      this.#lookUps -= 1;
    }
  }

  async #check(
    row: store.EmailRow | undefined,
    password: string,
    attempt: Attempt,
  ): Promise<store.EmailRow> {
    const { gate, passwords, logIns } = this.#deps;
    const proved = await gate.run(attempt, async (urgency) => {
      const right = await passwords.verify(row?.password_hash, password, urgency);
      return right ? row : undefined;
    });
    if (proved) return proved;
    logIns.note("password_wrong");
    throw wrongPassword();
  }
}

export function wrongPassword(): MeridianError {
  return new MeridianError("unauthorized", { message: "The address or the password is wrong." });
}

/** Whether the device logged in to that account with the password that it has now. */
function knows({ playerId, sinceS }: KnownDevice, row: store.EmailRow | undefined): boolean {
  if (playerId !== row?.player_id) return false;
  return sinceS >= Math.floor(row.password_changed_at.getTime() / 1_000);
}

function attemptOn(
  email: string,
  address: string,
  device: string | undefined,
  row: store.EmailRow | undefined,
): Attempt {
  const account = hashOf(email).toString("base64url", 0, ACCOUNT_KEY_BYTES);
  return { account, prefix: prefixOf(address), device, prefixKnown: row?.prefix_known ?? false };
}
