/** The settings of a region node. Nothing but `main.ts` reads the environment. */
import { z } from "zod";
import { as, type Settings, type Values } from "../shared/config.ts";
import { RegionId } from "../shared/ids.ts";
import { linkSettings } from "../shared/link/credentials.ts";
import { redisUrl } from "../shared/redis/redis-url.ts";

const textOrNothing = z.string();

export const regionSettings = {
  REGION_ID: { schema: RegionId, description: "The region, as the topology file names it." },
  REGION_HOST: {
    schema: as.text,
    default: "127.0.0.1",
    description: "Address on which players' connections are taken.",
  },
  REGION_PORT: {
    schema: as.port,
    default: "0",
    description: "Port of players' connections; 0 takes any free one.",
  },
  REGION_PUBLIC_ADDRESS: {
    schema: textOrNothing,
    default: "",
    description: "`host:port` that players are given; empty: the address it listens on.",
  },
  REGION_ORIGINS: {
    schema: as.list,
    default: "",
    description:
      "Web origins whose pages may connect, comma-separated, such as `https://play.example.com`; " +
      "`*` allows all. Clients that are no browser need none.",
  },
  REGION_LINK_HOST: {
    schema: as.text,
    default: "127.0.0.1",
    description: "Address on which the core reaches this node's link.",
  },
  REGION_LINK_PORT: {
    schema: as.port,
    default: "0",
    description: "Port of this node's link; 0 takes any free one.",
  },
  REGION_LINK_ADDRESS: {
    schema: textOrNothing,
    default: "",
    description: "`host:port` of the link that the core is told; empty: the address it listens on.",
  },
  REGION_PRIVATE_HOST: {
    schema: as.text,
    default: "127.0.0.1",
    description: "Address of the operators' port: health, readiness, metrics.",
  },
  REGION_PRIVATE_PORT: {
    schema: as.port,
    default: "0",
    description: "The operators' port; 0 takes any free one.",
  },
  CORE_LINK_ADDRESS: { schema: as.text, description: "`host:port` of the core's link." },
  REDIS_URL: {
    schema: redisUrl,
    secret: true,
    description:
      "The region's own Redis, such as `redis://127.0.0.1:6379`, or " +
      "`redis+sentinel://user:password@host:port,host:port/name` (docs/redis.md).",
  },
  ...linkSettings,
  REGION_CAPACITY: {
    schema: as.wholeNumber,
    default: "500",
    description: "Most players of this node, connected and reserved.",
  },
  GAMES: {
    schema: as.list,
    default: "*",
    description:
      "Games that this node runs, comma-separated, as region/games/games.ts names them; `*`: all.",
  },
  GAMES_FILE: {
    schema: textOrNothing,
    default: "",
    description:
      "A module whose `games` are the table instead of region/games/games.ts, such as one outside of " +
      "this tree.",
  },
  PEER_PROBE_PERIOD_MS: {
    schema: as.wholeNumber,
    default: "2000",
    description: "How often the way to one of the other regions is measured, ms; 0: never.",
  },
  RELAY_AFTER_MS: {
    schema: as.wholeNumber,
    default: "1000",
    description:
      "After so long without an answer to a heartbeat the node looks for a way to the core through another " +
      "region, ms; 0: never.",
  },
  RELAY_TUNNELS_MAX: {
    schema: as.wholeNumber,
    default: "128",
    description:
      "Connections to the core that this node carries for nodes of other regions whose own way is cut; one " +
      "region gets half of them at most. 0: none.",
  },
  REPLICATION: {
    schema: z.enum(["on", "off"]),
    default: "on",
    description:
      "`on`: rooms of this node are copied to a standby while they run, and it keeps copies of other nodes' rooms. " +
      "`off`: neither; its rooms end with it.",
  },
  REPLICATION_BACKLOG_BYTES_MAX: {
    schema: as.wholeNumber,
    default: "8388608",
    description:
      "What may wait to be sent to one standby, bytes. Past it frames are dropped, and their rooms begin again " +
      "with a full one.",
  },
  COPIES_MAX: {
    schema: as.wholeNumber,
    default: "2000",
    description:
      "Most copies of other nodes' rooms, one region's at most half of it. Past it: refused, and their owners look " +
      "elsewhere.",
  },
  COPIES_BYTES_MAX: {
    schema: as.wholeNumber,
    default: "268435456",
    description: "The same in bytes. Past it the region with most of them loses copies first.",
  },
  MESSAGES_PER_SECOND_MAX: {
    schema: as.wholeNumber,
    default: "60",
    description: "Messages a second from one player; twice as many in a burst. Past it: closed.",
  },
  FRAME_BYTES_MAX: {
    schema: as.wholeNumber,
    default: "16384",
    description: "Largest message from a player, bytes. Past it: closed.",
  },
  BACKPRESSURE_BYTES_MAX: {
    schema: as.wholeNumber,
    default: "262144",
    description: "What may wait to be sent to one player, bytes. Past it: closed for a resync.",
  },
  CONNECTIONS_MAX: {
    schema: as.wholeNumber,
    default: "4000",
    description:
      "Most open websockets of players, well above capacity. Past it: who returns is refused for now; " +
      "a fresh ticket is good always.",
  },
  BEACONS_MAX: {
    schema: as.wholeNumber,
    default: "1000",
    description: "Most open websockets that measure round trips. Past it: refused.",
  },
  OUTBOX_ITEMS_MAX: {
    schema: as.wholeNumber,
    default: "200000",
    description:
      "Changes of players' state that may wait for the core, merged. Past it: rooms can make none.",
  },
  OUTBOX_BYTES_MAX: {
    schema: as.wholeNumber,
    default: "67108864",
    description: "The same in bytes. Past it the region with most of them loses copies first.",
  },
  OVERLOAD_LOOP_DELAY_MS: {
    schema: as.wholeNumber,
    default: "40",
    description:
      "Delay of the event loop (99th percentile, ms) from which on the node has too much to do: it sends fewer " +
      "patches, at 1.5 times of it makes no rooms, at 2.5 times grants no seats, at 5 times ends spectators and " +
      "idle rooms. 0: it never does any of this, for no signal.",
  },
  REGION_MEMORY_BYTES_MAX: {
    schema: as.wholeNumber,
    default: "0",
    description:
      "Memory that this node may have, bytes; from 0.75 of it on it begins to refuse work. 0: what its " +
      "container allows, else all of the machine's.",
  },
  DRAIN_DEADLINE_MS: {
    schema: as.wholeNumber,
    default: "5000",
    description: "How long players may go on playing after SIGTERM, ms.",
  },
  HAND_OVER_FILE: {
    schema: textOrNothing,
    default: "",
    description:
      "File in which a node that gets SIGUSR2 leaves its rooms before it ends, for its next " +
      "start to go on with; empty: the signal does nothing.",
  },
  PREDECESSOR_PID: {
    schema: as.wholeNumber,
    default: "0",
    description:
      "Process of this node's former life: once the code is loaded, it is told to hand over " +
      "and waited for; 0: there is none.",
  },
  LOG_LEVEL: {
    schema: as.text,
    default: "info",
    description: "trace, debug, info, warn, error, fatal or silent.",
  },
  BUILD: {
    schema: as.text,
    default: "development",
    description: "What this software was built from, such as a commit.",
  },
} satisfies Settings;

export type RegionConfig = Values<typeof regionSettings>;
