/**
 * How a connection finds the master of a group, by ioredis' own way of asking Sentinels, with what it leaves
 * open closed:
 *
 * - The one that answers first may be behind. So a server is used only once it says itself that it is a
 *   master (the ready check), and is left as soon as it refuses a write because it is none.
 * - Each connection listens to all Sentinels for the switch. ioredis gives a Sentinel that is away another
 *   try a minute later, never listens to one that was away at first, takes another group's switch for its
 *   own, and lets errors fall on stderr.
 * - Sentinels are only those of the URL: none of them can name others.
 *
 * A master that is cut off from its Sentinels, and them alone, is not left: then it has no replicas either
 * and refuses writes (`min-replicas-to-write`), upon which the Sentinels are asked again.
 */
import { type Redis, type RedisOptions, SentinelConnector } from "ioredis";
import { guardParsing } from "./guarded-parsing.ts";
import type { RedisGroup } from "./redis-url.ts";

const SENTINEL_TIMEOUT_MS = 500;
/** Between two rounds of all Sentinels when none knows a master. */
const ROUND_MIN_MS = 200;
const ROUND_MAX_MS = 1_000;
const SWITCH = "+switch-master";
/** A Sentinel says nothing for weeks: that it is gone without a goodbye is found out within 15 s. */
const KEEP_ALIVE_MS = 5_000;

export interface SentinelEvents {
  /** One Sentinel can't be reached, or says what is no answer. */
  readonly failed: (error: Error) => void;
  /** Not one of them named a master, for the first time since one did. */
  readonly noneAnswers: () => void;
  /** So many of them are listened to. */
  readonly listening: (count: number) => void;
}

/** What ioredis' connector has to itself, of which one step is watched. */
interface Steps {
  connectToSentinel(endpoint: unknown, options?: RedisOptions): Client;
  resolve(endpoint: unknown): Promise<object | null>;
}

type Client = Pick<Redis, "on" | "subscribe">;

/** @param random 0 to 1 */
export function groupOptions(
  group: RedisGroup,
  events: SentinelEvents,
  random: () => number,
): RedisOptions {
  const { name, sentinels, tls, db, username, password } = group;
  const { sentinelUsername, sentinelPassword } = group;
  let named = true;
  let roundNamed = false;
  return {
    Connector: watchedConnector(name, events, () => {
      roundNamed = true;
    }),
    name,
    sentinels: [...sentinels],
    db,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(sentinelUsername !== undefined && { sentinelUsername }),
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(tls && { enableTLSForSentinelMode: true, tls: {}, sentinelTLS: {} }),
    role: "master",
    enableReadyCheck: true,
    failoverDetector: true,
    updateSentinels: false,
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
    // Never gives up: ioredis would end the connection for good.
    sentinelRetryStrategy() {
      // A round is over, too, when each of them has named a master that was not to be had.
      if (named && !roundNamed) events.noneAnswers();
      named = roundNamed;
      roundNamed = false;
      return ROUND_MIN_MS + random() * (ROUND_MAX_MS - ROUND_MIN_MS);
    },
    sentinelReconnectStrategy: () => ROUND_MIN_MS + random() * (ROUND_MAX_MS - ROUND_MIN_MS),
  };
}

function watchedConnector(
  name: string,
  events: SentinelEvents,
  named: () => void,
): NonNullable<RedisOptions["Connector"]> {
  return class extends SentinelConnector {
    constructor(options: unknown) {
      super(options as ConstructorParameters<typeof SentinelConnector>[0]);
      const steps = this as unknown as Steps;
      const connect = steps.connectToSentinel.bind(this);
      const resolve = steps.resolve.bind(this);
      const heard = new Set<Client>();
      steps.resolve = async (endpoint) => {
        const master = await resolve(endpoint);
        if (master) named();
        return master;
      };
      steps.connectToSentinel = (endpoint, given) => {
        const safe = { ...given, disableClientInfo: true, keepAlive: KEEP_ALIVE_MS };
        const client = connect(endpoint, safe);
        guardParsing(client);
        // Those that are to be listened to are opened later; the others are asked once, and closed.
        if (given?.lazyConnect) listen(client, name, heard, events);
        return client;
      };
    }
  };
}

function listen(client: Client, name: string, heard: Set<Client>, events: SentinelEvents): void {
  client.on("error", events.failed);
  client.on("ready", () => {
    client.subscribe(SWITCH).then(() => {
      heard.add(client);
      events.listening(heard.size);
    }, events.failed);
  });
  client.on("close", () => {
    if (heard.delete(client)) events.listening(heard.size);
  });
  const on = client.on.bind(client);
  const onlyOurs = (listener: (channel: string, text: string) => void) => {
    return (channel: string, text: string) => {
      if (text.startsWith(`${name} `)) listener(channel, text);
    };
  };
  // What is added from here on are ioredis' own listeners.
  client.on = ((event: string, listener: (...args: unknown[]) => void) =>
    on(event, event === "message" ? onlyOurs(listener) : listener)) as Client["on"];
}

/** A server that is no master, or one that lost its replicas, says so to whoever writes. */
export function saysNotToWrite(error: Error): "demoted" | "alone" | undefined {
  if (/\b(?:READONLY|MASTERDOWN)\b/.test(error.message)) return "demoted";
  return /\bNOREPLICAS\b/.test(error.message) ? "alone" : undefined;
}
