/** Everything of accounts, wired: what `core.ts` needs of it, and nothing else. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { CoreConfig } from "../config.ts";
import type { Database } from "../db/database.ts";
import { ConnectionShare } from "../db/share.ts";
import type { Outbound } from "../http/outbound.ts";
import type { Evictions } from "../join/evictions.ts";
import type { Profiles } from "../profiles/profiles.ts";
import type { RandomBytes } from "../tickets/master-key.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import { AccountsData } from "./account-data.ts";
import { Accounts } from "./accounts.ts";
import { AttemptGate } from "./attempt-gate.ts";
import { attemptLimitsOf } from "./attempt-limits.ts";
import { Bans } from "./bans.ts";
import { BarredIdentities } from "./barred-identities.ts";
import { DeviceTokens } from "./device-tokens.ts";
import { EmailAccounts } from "./email-accounts.ts";
import { FileMail } from "./file-mail.ts";
import { Identities } from "./identities.ts";
import type { JwksSourceDeps } from "./jwks-source.ts";
import { KnownPrefixes } from "./known-prefixes.ts";
import { LogIns } from "./log-ins.ts";
import { type MailHook, Mails } from "./mail-hook.ts";
import { PasswordChecks } from "./password-checks.ts";
import { PasswordResets } from "./password-resets.ts";
import { Passwords } from "./passwords.ts";
import { WebhookMail } from "./webhook-mail.ts";

/** One part in so many of the connections is the most that log-ins have in use; refreshes are none. */
const LOG_INS_PART = 2;

export interface AccountPartsDeps {
  readonly database: Database;
  readonly tokens: SignedTokens;
  readonly evictions: Evictions;
  readonly profiles: Pick<Profiles, "forget">;
  /** Of issuers' keys. */
  readonly fetches: JwksSourceDeps["fetches"];
  readonly outbound: Outbound;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export type AccountParts = ReturnType<typeof createAccountParts>;

export function createAccountParts(config: CoreConfig, deps: AccountPartsDeps) {
  const { database, tokens, evictions, profiles, clock, random, log, metrics } = deps;
  const { fetches, outbound } = deps;
  const common = { clock, log, metrics };
  const master = config.MASTER_KEY;
  const logIns = new LogIns({
    database,
    tokens,
    master,
    random,
    refreshTtlMs: config.REFRESH_TOKEN_TTL_MS,
    refreshGraceMs: config.REFRESH_GRACE_MS,
    ...common,
  });
  const forLogIns = new ConnectionShare({
    of: "log_ins",
    connections: database,
    connectionsMax: Math.max(1, Math.floor(config.DATABASE_CONNECTIONS / LOG_INS_PART)),
    clock,
    metrics,
  });
  const accounts = new Accounts({
    database,
    forLogIns,
    logIns,
    evictions,
    profiles,
    clock,
    random,
  });
  const passwords = new Passwords(common);
  const devices = new DeviceTokens(master, random);
  const prefixes = new KnownPrefixes(master);
  const barred = new BarredIdentities(master, clock);
  const gate = new AttemptGate(attemptLimitsOf(config), common);
  const people = { database: forLogIns, accounts, logIns, barred, clock };
  const checks = new PasswordChecks({
    database: forLogIns,
    gate,
    passwords,
    devices,
    prefixes,
    logIns,
    clock,
  });
  const emails = new EmailAccounts({ ...people, checks, passwords, devices, prefixes });
  const mails = new Mails({ hook: mailHookOf(config, deps), ...common });
  const resets = new PasswordResets({
    database: forLogIns,
    emails,
    passwords,
    devices,
    mails,
    evictions,
    clock,
    random,
    metrics,
    ttlMs: config.PASSWORD_RESET_TTL_MS,
    pageUrl: config.PASSWORD_RESET_PAGE,
  });
  const issuers = config.TRUSTED_ISSUERS_FILE;
  const identities = new Identities({ ...people, issuers, fetches, outbound, log });
  const data = new AccountsData({
    database,
    checks,
    identities,
    logIns,
    barred,
    evictions,
    profiles,
    clock,
  });
  const bans = new Bans({ database, logIns, evictions, clock, metrics });
  return { accounts, logIns, emails, resets, identities, data, bans, mails };
}

function mailHookOf(config: CoreConfig, deps: AccountPartsDeps): MailHook | undefined {
  const { MAIL_HOOK_URL: url, MAIL_HOOK_TOKEN: token, MAIL_FILE: file } = config;
  const { clock, random, log, outbound } = deps;
  if (url !== undefined) {
    const dice = () => random(4).readUInt32BE() / 2 ** 32;
    return new WebhookMail({ url, token, clock, random: dice, outbound });
  }
  return file === undefined ? undefined : new FileMail(file, log);
}
