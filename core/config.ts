/** Every setting of the core, as environment variables. */
import { isIP } from "node:net";
import { z } from "zod";
import { as, type Setting, type Values } from "../shared/config.ts";
import { linkSettings } from "../shared/link/credentials.ts";
import { redisUrl } from "../shared/redis/redis-url.ts";
import { loadTrustedIssuers } from "./accounts/trusted-issuers.ts";
import { CLASSES_DEFAULT, parseClasses } from "./admission/classes.ts";
import { detectorSettings } from "./failover/detector-settings.ts";
import { loadGeoOverrides, parseGeoOverrides } from "./gslb/geo-overrides.ts";
import { PublicOrigin } from "./http/cors.ts";
import { loadCatalogue } from "./purchases/catalogue.ts";
import { loadTrustedStores } from "./purchases/trusted-stores.ts";
import { ACCEPT_MS } from "./tickets/key-schedule.ts";
import { MASTER_KEY_BYTES } from "./tickets/master-key.ts";

const optionalText = z.string().transform((text) => (text === "" ? undefined : text));
const rate = z.coerce.number().positive();
const limit = z.coerce.number().int().positive();
const durationMs = z.coerce.number().int().positive();
/** A token that outlives its key would be refused before it expires. */
const signedTtlMs = durationMs.max(ACCEPT_MS, `${ACCEPT_MS} ms at most: keys are accepted so long`);

/** An address, or a range of them as address/prefix length. */
const addressRange = z.string().refine(isAddressRange, {
  error: (issue) => `"${issue.input}" is neither an address nor a CIDR such as 10.0.0.0/8`,
});

/** 32 bytes, written as base64, base64url or 64 hexadecimal digits. */
const masterKey = z.string().transform((text, context) => {
  const hex = /^[0-9a-f]{64}$/i.test(text);
  const key = Buffer.from(text, hex ? "hex" : "base64");
  if (key.length === MASTER_KEY_BYTES) return key;
  context.addIssue({ code: "custom", message: "needs 32 bytes as base64 or hexadecimal" });
  return z.NEVER;
});

const geoOverrides = z.string().transform((text, context) => {
  try {
    return parseGeoOverrides(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: error instanceof Error ? error.message : "wrong" });
    return z.NEVER;
  }
});

const optionalUrl = optionalText.refine(
  (text) => text === undefined || URL.canParse(text),
  "needs a URL",
);

/** What a file holds, when one is named. */
function loaded<T>(load: (path: string) => T, without: T) {
  return optionalText.transform((path, context) => {
    try {
      return path === undefined ? without : load(path);
    } catch (error) {
      const message = error instanceof Error ? error.message : "wrong";
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    }
  });
}

const geoOverridesFile = loaded(loadGeoOverrides, []);
const trustedIssuers = loaded(loadTrustedIssuers, []);
const trustedStores = loaded(loadTrustedStores, []);
const catalogue = loaded(loadCatalogue, new Map());

const admissionClasses = z.string().transform((text, context) => {
  try {
    return parseClasses(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: error instanceof Error ? error.message : "wrong" });
    return z.NEVER;
  }
});

const share = z.coerce.number().min(0).max(0.9);
const takenShare = z.coerce.number().positive().max(1);
const headroom = z.literal("n+1").or(share);

const operatorToken = optionalText.refine(
  (text) => text === undefined || text.length >= 20,
  "20 characters at least",
);

const optionalRedisUrl = z
  .literal("")
  .transform(() => undefined)
  .or(redisUrl);

const databaseUrl = z.string().regex(/^postgres(ql)?:\/\//, "starts with postgresql://");

export const coreSettings = {
  DATABASE_URL: {
    schema: databaseUrl,
    description:
      "PostgreSQL, as `postgresql://user:password@host:port/database`. All work but migrations is done " +
      "as the role `meridian_core`, of which the user is a member.",
    secret: true,
  },
  DATABASE_OWNER_URL: {
    schema: databaseUrl.or(z.literal("").transform(() => undefined)),
    description:
      "The same database as the owner of the schema `meridian`, for migrations. Without it the user of " +
      "`DATABASE_URL` is the owner, and a statement slipped in could get the owner's rights.",
    default: "",
    secret: true,
  },
  DATABASE_MIGRATE: {
    schema: as.flag,
    description:
      "`false`: this core changes no tables, and its start waits `DATABASE_WAIT_MS` at most for whoever does " +
      "(`npm run migrate`), so that it needs no owner's login.",
    default: "true",
  },
  DATABASE_CONNECTIONS: {
    schema: limit,
    description:
      "Most connections to the database. Each is busy for as long as the core's loop and the database take to " +
      "answer each other, so that few of them hold joins up before either is at its limit.",
    default: "30",
  },
  DATABASE_STANDBY_URL: {
    schema: databaseUrl.or(z.literal("").transform(() => undefined)),
    description:
      "A standby of the same database, for reads that may be some seconds old (the reconciler's). Without " +
      "it, and whenever it lags or fails, the primary is read.",
    default: "",
    secret: true,
  },
  DATABASE_STANDBY_LAG_MS: {
    schema: durationMs,
    description: "A standby that is further behind is not read, ms.",
    default: "5000",
  },
  DATABASE_WAIT_MS: {
    schema: as.wholeNumber,
    description: "How long a start waits for a database that can't be reached, ms.",
    default: "30000",
  },
  ADMISSION_REDIS_URL: {
    schema: optionalRedisUrl,
    description:
      "The core's own Redis, as `redis://user:password@host:port`, or as " +
      "`redis+sentinel://user:password@host:port,host:port/name` (docs/redis.md): mirrors the queue, and " +
      "holds seats that are being taken. Without it the queue lives in memory and by its tokens alone. Its user is " +
      "as in `infra/redis/core.acl`, its `maxmemory-policy` `noeviction`.",
    default: "",
    secret: true,
  },
  CORE_NAME: {
    schema: optionalText.refine((text) => text === undefined || text.length <= 64, "64 at most"),
    description:
      "What this core is called where several run; host name and private port by default. No two that " +
      "run may have the same: each would take the lead from the other.",
    default: "",
  },
  CORE_HOST: {
    schema: as.text,
    description: "Address on which players reach the core.",
    default: "127.0.0.1",
  },
  CORE_PORT: { schema: as.port, description: "Port for players.", default: "7300" },
  CORE_CONNECTIONS_MAX: {
    schema: limit,
    description: "Connections of players to the core at a time; the next is closed at once.",
    default: "10000",
  },
  CORE_LINK_HOST: {
    schema: as.text,
    description: "Address on which regions reach the core (mTLS).",
    default: "127.0.0.1",
  },
  CORE_LINK_PORT: { schema: as.port, description: "Port for regions.", default: "7301" },
  CORE_PRIVATE_HOST: {
    schema: as.text,
    description: "Address for health, metrics and operators; never a public one.",
    default: "127.0.0.1",
  },
  CORE_PRIVATE_PORT: {
    schema: as.port,
    description: "Port for health, metrics and operators.",
    default: "7302",
  },
  ...linkSettings,
  ...detectorSettings,
  TOPOLOGY_FILE: {
    schema: as.text,
    description: "JSON file that names the regions (docs/topology.md); followed without a restart.",
    default: "infra/topology/china.json",
  },
  MASTER_KEY: {
    schema: masterKey,
    description:
      "32 bytes as base64 or hexadecimal. Seals the signing keys in the database and signs refresh " +
      "and reconnection tokens; without it they are worthless, so keep a copy.",
    secret: true,
  },
  OPERATOR_TOKEN: {
    schema: operatorToken,
    description:
      "A first operator's token with the role admin, taken in at start unless it is known.",
    default: "",
    secret: true,
  },
  PUBLIC_ORIGINS: {
    schema: as.list.pipe(z.array(PublicOrigin)),
    description:
      "Web origins, comma-separated, whose pages may call the players' API. The core's own page needs " +
      "none. `*` lets in every origin, without credentials: stock Colyseus clients in browsers need " +
      "their origin named.",
    default: "",
  },
  TRUSTED_PROXIES: {
    schema: as.list.pipe(z.array(addressRange)),
    description: "Addresses or CIDRs, comma-separated, whose `X-Forwarded-For` is believed.",
    default: "",
  },
  GEO_OVERRIDES: {
    schema: geoOverrides,
    description:
      "Places of addresses that geo-IP does not know, as `CIDR=latitude,longitude,label`, separated " +
      "by `;`, 256 at most; the longest prefix counts. Addresses that nobody knows count as at the " +
      "core's place.",
    default: "",
  },
  GEO_OVERRIDES_FILE: {
    schema: geoOverridesFile,
    description:
      "A file of more of them, one a line, 10,000 and 1 MiB at most, read at the start; `#` begins a " +
      "comment. Of the same range, the one in `GEO_OVERRIDES` counts.",
    default: "",
  },
  WEB_DIR: {
    schema: optionalText,
    description: "Folder with the page's built files, served at `/`; none by default.",
    default: "",
  },
  ACCESS_TOKEN_TTL_MS: {
    schema: signedTtlMs,
    description: `How long an access token is valid, ms; ${ACCEPT_MS} at most.`,
    default: "600000",
  },
  REFRESH_TOKEN_TTL_MS: {
    schema: durationMs,
    description: "How long a refresh token is valid, ms; each use starts it anew.",
    default: "2592000000",
  },
  REFRESH_GRACE_MS: {
    schema: as.wholeNumber,
    description: "How long a used refresh token gives the same successor to the same device, ms.",
    default: "30000",
  },
  TICKET_TTL_MS: {
    schema: signedTtlMs,
    description: "How long a join ticket is valid, ms; its seat is held a little longer.",
    default: "30000",
  },
  RESERVE_DEADLINE_MS: {
    schema: durationMs,
    description: "How long a join waits for one region's seat before it asks the next, ms.",
    default: "1500",
  },
  RESERVES_PER_NODE_MAX: {
    schema: limit,
    description:
      "Seats that are asked of one node at a time; past it a join asks the next region at once. Below " +
      "`JOINS_UNDER_WAY_MAX`, so that one node that hangs can't stop all joins.",
    default: "128",
  },
  JOINS_UNDER_WAY_MAX: {
    schema: limit,
    description: "Joins at a time; the next gets `unavailable`.",
    default: "256",
  },
  RETURNS_UNDER_WAY_MAX: {
    schema: limit,
    description: "Renewals of tickets and reconnections at a time; the next gets `unavailable`.",
    default: "256",
  },
  LOG_INS_UNDER_WAY_MAX: {
    schema: limit,
    description:
      "Log-ins of guests and with studios' tokens at a time, new ones too; the next gets `unavailable`.",
    default: "256",
  },
  TOKEN_CALLS_UNDER_WAY_MAX: {
    schema: limit,
    description:
      "Refreshes of log-ins at a time, and as many log-outs and new passwords by mail; the next gets " +
      "`unavailable`.",
    default: "128",
  },
  JOINS_PER_PLAYER_PER_SECOND: {
    schema: rate,
    description:
      "Joins a second of one player. Renewals and reconnections don't count; seats for lost ones apart.",
    default: "0.5",
  },
  JOINS_PER_PLAYER_BURST: {
    schema: limit,
    description: "Joins of one player at once, one after the other: as many as a client retries.",
    default: "10",
  },
  ADMISSIONS_PER_SECOND: {
    schema: rate,
    description: "Players let into one region a second; the others wait in its queue.",
    default: "200",
  },
  ADMISSIONS_BURST: {
    schema: limit,
    description: "The same at once.",
    default: "50",
  },
  ADMISSION_CLASSES: {
    schema: admissionClasses,
    description:
      "Classes of those who wait, and by which weights they share freed seats, as `name=weight`. " +
      "`reconnect`, `failover` and `normal` are given by the core, all others by operators.",
    default: CLASSES_DEFAULT,
  },
  CAPACITY_MARGIN: {
    schema: share,
    description:
      "Share of a node's measured capacity that admission does not give (`npm run ops -- capacity`), 0 to 0.9.",
    default: "0.15",
  },
  ADMISSION_HEADROOM: {
    schema: headroom,
    description:
      "Share of each region's seats, 0 to 0.9, that is kept free for players whose own region is lost; " +
      "`n+1`: as much as the loss of the largest region takes.",
    default: "n+1",
  },
  SCALING_NODES_MIN: {
    schema: limit,
    description:
      "Fewest nodes that a region is to run, unless its `nodes` in the topology says so.",
    default: "1",
  },
  SCALING_NODES_MAX: {
    schema: limit,
    description: "The most, likewise.",
    default: "8",
  },
  SCALING_FILL: {
    schema: takenShare,
    description:
      "Share of the seats for everyone that may be taken before one more node is wanted, above 0, to 1.",
    default: "0.8",
  },
  SCALING_CALM_FILL: {
    schema: takenShare,
    description: "The share that fewer nodes would have to keep to; below `SCALING_FILL`.",
    default: "0.6",
  },
  SCALING_COOL_DOWN_MS: {
    schema: durationMs,
    description:
      "How long fewer nodes must have sufficed, and the last change must be past, before one fewer is wanted, ms.",
    default: "600000",
  },
  SCALING_LEAD_MS: {
    schema: as.wholeNumber,
    description: "How long a node takes to start: growth is looked ahead by so much, ms.",
    default: "60000",
  },
  SCALING_PERIOD_MS: {
    schema: durationMs,
    description: "How often it is decided how many nodes each region should run, ms.",
    default: "5000",
  },
  ADMISSION_SPILL_MS: {
    schema: as.wholeNumber,
    description:
      "How much further away, ms, a player is sent without a question when the nearest region is full; " +
      "other regions are offered to whoever waits.",
    default: "60",
  },
  PLAYERS_MAX: {
    schema: as.wholeNumber.transform((players) => (players === 0 ? Infinity : players)),
    description: "Most players in all regions together; 0: as many as the regions have seats for.",
    default: "0",
  },
  QUEUE_MAX: {
    schema: limit,
    description: "Most players in the queue of one region; the next gets `queue_full`.",
    default: "200000",
  },
  QUEUE_POLLS_PER_SECOND: {
    schema: rate,
    description: "Polls a second of all who wait together: the more wait, the seldomer each asks.",
    default: "4000",
  },
  LOOK_UPS_PER_PLAYER_PER_SECOND: {
    schema: rate,
    description: "Look-ups of other players a second by one player.",
    default: "10",
  },
  LOOK_UPS_PER_PLAYER_BURST: {
    schema: limit,
    description: "The same at once: a list of friends.",
    default: "100",
  },
  GUESTS_PER_PREFIX_PER_SECOND: {
    schema: rate,
    description: "Guests made a second from one address prefix (IPv4 /24, IPv6 /48).",
    default: "20",
  },
  GUESTS_PER_PREFIX_BURST: {
    schema: limit,
    description: "Guests made at once from one address prefix: carriers hide towns behind one.",
    default: "500",
  },
  GUESTS_PER_SECOND: {
    schema: rate,
    description: "Guests made a second from everywhere.",
    default: "200",
  },
  GUESTS_BURST: {
    schema: limit,
    description: "Guests made at once from everywhere.",
    default: "2000",
  },
  GUEST_LOG_INS_PER_PREFIX_PER_SECOND: {
    schema: rate,
    description:
      "Log-ins of known guests and with studios' tokens a second from one address prefix.",
    default: "50",
  },
  GUEST_LOG_INS_PER_PREFIX_BURST: {
    schema: limit,
    description: "The same at once.",
    default: "1000",
  },
  GUEST_LOG_INS_PER_SECOND: {
    schema: rate,
    description: "Log-ins of known guests and with studios' tokens a second from everywhere.",
    default: "500",
  },
  GUEST_LOG_INS_BURST: {
    schema: limit,
    description: "The same at once.",
    default: "5000",
  },
  MAIL_HOOK_URL: {
    schema: optionalUrl,
    description:
      "Where mails to players are posted as JSON: `{ kind, to, name, link, token, expiresAt }`. Without " +
      "it and without `MAIL_FILE` a forgotten password can't be reset.",
    default: "",
  },
  MAIL_HOOK_TOKEN: {
    schema: optionalText,
    description: "Sent to the mail hook as `Authorization: Bearer …`.",
    default: "",
    secret: true,
  },
  MAIL_FILE: {
    schema: optionalText,
    description: "A file that gets each mail as a line of JSON instead, for development.",
    default: "",
  },
  PASSWORD_RESET_PAGE: {
    schema: z.url(),
    description:
      "The page to which the mail of a password reset leads, with `#reset=TOKEN`; it posts the token " +
      "to `/v1/emails/reset/confirm`.",
    default: "http://127.0.0.1:7300/",
  },
  PASSWORD_RESET_TTL_MS: {
    schema: durationMs,
    description: "How long the link of that mail is good, ms.",
    default: "1800000",
  },
  TRUSTED_ISSUERS_FILE: {
    schema: trustedIssuers,
    description:
      "JSON file that names the identity providers whose tokens log players in: a list of `{ issuer, " +
      "audience, jwksUrl or jwksFile, algorithms }`. None by default.",
    default: "",
  },
  LOG_IN_FAILURES_PER_ACCOUNT_PER_HOUR: {
    schema: rate,
    description:
      "Failed log-ins an hour on one account, by devices and networks that it does not know. Those " +
      "that it knows have ten at once of their own, and one a minute.",
    default: "20",
  },
  LOG_IN_FAILURES_PER_ACCOUNT_BURST: {
    schema: limit,
    description: "The same at once.",
    default: "10",
  },
  LOG_IN_FAILURES_PER_PREFIX_PER_SECOND: {
    schema: rate,
    description:
      "Failed log-ins a second from one address prefix (IPv4 /24, IPv6 /48), by devices and networks " +
      "that are new to the account.",
    default: "0.5",
  },
  LOG_IN_FAILURES_PER_PREFIX_BURST: {
    schema: limit,
    description: "The same at once.",
    default: "100",
  },
  LOG_IN_FAILURES_PER_SECOND: {
    schema: rate,
    description:
      "Failed log-ins a second from everywhere, by devices and networks that are new to the account.",
    default: "20",
  },
  LOG_IN_FAILURES_BURST: { schema: limit, description: "The same at once.", default: "100" },
  LOG_IN_CREDIT_PER_SUCCESS: {
    schema: as.wholeNumber,
    description:
      "Failures that a successful log-in allows its address prefix besides; each account earns them " +
      "once an hour.",
    default: "3",
  },
  PURCHASE_STORES_FILE: {
    schema: trustedStores,
    description:
      "JSON file that names the stores whose receipts are taken: a list of `{ store, issuer, audience, " +
      "jwksUrl or jwksFile, algorithms }`. None by default.",
    default: "",
  },
  PURCHASE_CATALOGUE_FILE: {
    schema: catalogue,
    description:
      "JSON file of what is sold: product ids, each with a list of `{ kind: credit, currency, amount }` " +
      "and `{ kind: grantItem, itemKind }`.",
    default: "",
  },
  PURCHASES_PER_PLAYER_PER_SECOND: {
    schema: rate,
    description: "Receipts a second that one player may show.",
    default: "0.2",
  },
  PURCHASES_PER_PLAYER_BURST: {
    schema: limit,
    description: "The same at once.",
    default: "30",
  },
  PURCHASE_CALLS_UNDER_WAY_MAX: {
    schema: limit,
    description: "Receipts that are looked at at a time; the next gets `unavailable`.",
    default: "64",
  },
  FAILOVER_ARRIVALS_PER_SECOND: {
    schema: rate,
    description:
      "Players of rooms that were failed over who are let in at one node in a second: all of them ask at " +
      "the same moment.",
    default: "500",
  },
  RECONCILE_PERIOD_MS: {
    schema: as.wholeNumber,
    description:
      "How often the core looks whether ledger, wallets, items and operations say the same, ms; 0: only " +
      "when an operator asks.",
    default: "600000",
  },
  LOG_LEVEL: {
    schema: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
    description: "The least severe log lines that are written.",
    default: "info",
  },
  BUILD: {
    schema: as.text,
    description: "What runs, for operators: a version or a commit.",
    default: "dev",
  },
} satisfies Record<string, Setting<unknown>>;

export type CoreConfig = Values<typeof coreSettings>;

function isAddressRange(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  if (prefix === undefined) return true;
  return /^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}
