/**
 * The responder beside a name server, wired top to bottom:
 *
 *     resolver ─▶ PowerDNS ─unix socket─▶ backend server ─▶ answer ◀─ view keeper ◀─mTLS─ core
 *
 * PowerDNS speaks DNS to the world; this process decides. It holds a view of the regions and ranks by
 * itself, so a flood of queries is none at the core, and the core's absence is none in the answers.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { createHttpServer } from "../../shared/http-server.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { LinkCredentials } from "../../shared/link/credentials.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import { IdentityFiles } from "../../shared/link/identity-files.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { GeoLocator } from "../gslb/geo-locator.ts";
import { Serving } from "../http/serving.ts";
import { answer } from "./answer.ts";
import { AnswerMetrics } from "./answer-metrics.ts";
import { type BackendQuestion, recordsLine, unknownLine, zoneLine } from "./backend-protocol.ts";
import { BackendServer } from "./backend-server.ts";
import type { DnsConfig } from "./config.ts";
import { zoneOf } from "./config.ts";
import { addPrivateRoutes } from "./private-port.ts";
import { ViewKeeper, type ViewStatus } from "./view-keeper.ts";

const BODY_BYTES_MAX = 1_024;
const REQUEST_TIMEOUT_MS = 5_000;
/** Never shown: a view brings the core's place, which counts for whom the locator does not know. */
const NOWHERE = { name: "the core", latitude: 0, longitude: 0 };

export interface ResponderDeps {
  readonly identity: LinkIdentity;
  /** What the identity's files say now. */
  readonly readIdentity: () => LinkCredentials;
  readonly clock: Clock;
  /** From 0 to 1, exclusive. */
  readonly random: () => number;
  readonly log: Logger;
}

export interface Responder {
  readonly parts: readonly Part[];
  readonly privateServing: Serving;
  readonly status: () => ViewStatus;
}

/** @throws one line when the settings contradict each other */
export function createResponder(config: DnsConfig, deps: ResponderDeps): Responder {
  const { identity, readIdentity, clock, random, log } = deps;
  const metrics = createMetrics({ process: "dns" });
  const common = { clock, log, metrics };
  const zone = zoneOf(config);
  // As the core does: of the same range the variable's counts.
  const overrides = [...config.GEO_OVERRIDES_FILE, ...config.GEO_OVERRIDES];
  const locator = new GeoLocator(overrides, NOWHERE);
  const keeper = new ViewKeeper({
    client: new LinkClient(identity, clock),
    coreAddress: config.CORE_LINK_ADDRESS,
    file: config.DNS_VIEW_FILE,
    random,
    ...common,
  });
  const counted = new AnswerMetrics(common);
  const locate = (address: string) => locator.locate(address);

  function reply(question: BackendQuestion): string {
    if (question.method !== "lookup") return zoneLine(question, zone);
    const found = answer(question, { zone, regions: keeper.regions, locate, random });
    counted.count(found);
    return found.outcome === "unknown" ? unknownLine() : recordsLine(found.records);
  }

  const status = () => keeper.status();
  const privateServing = new Serving({
    name: "private server",
    server: createHttpServer({
      log,
      bodyBytesMax: BODY_BYTES_MAX,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    }),
    host: config.DNS_PRIVATE_HOST,
    port: config.DNS_PRIVATE_PORT,
    portSetting: "DNS_PRIVATE_PORT",
    clock,
    prepare: (server) => addPrivateRoutes(server, { status, metrics }),
  });
  return {
    privateServing,
    status,
    parts: [
      privateServing,
      locator,
      new IdentityFiles({ identity, read: readIdentity, ...common }),
      keeper,
      new BackendServer({ path: config.DNS_SOCKET, reply, ...common }),
    ],
  };
}
