/** The responder's process: reads the environment, builds the responder, runs it until a signal. */
import { systemClock } from "../../shared/clock.ts";
import { ConfigError, readConfig } from "../../shared/config.ts";
import { runProcess } from "../../shared/lifecycle.ts";
import { readLinkCredentials } from "../../shared/link/credentials.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { createLog } from "../../shared/log.ts";
import { dnsSettings } from "./config.ts";
import { createResponder } from "./responder.ts";

const STOP_DEADLINE_MS = 4_000;

try {
  const config = readConfig(dnsSettings, process.env);
  const log = createLog("dns", config.LOG_LEVEL);
  const { parts } = createResponder(config, {
    identity: new LinkIdentity(readLinkCredentials(config)),
    readIdentity: () => readLinkCredentials(config),
    clock: systemClock,
    random: Math.random,
    log,
  });
  await runProcess({ log, parts, stopDeadlineMs: STOP_DEADLINE_MS });
} catch (error) {
  const line = error instanceof Error ? error.message : String(error);
  process.stderr.write(`dns: ${error instanceof ConfigError ? line : `can't start: ${line}`}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
}
