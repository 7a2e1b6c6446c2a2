/** `docs/configuration.md`, made from the settings tables that the processes read. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { coreSettings } from "../../core/config.ts";
import { dnsSettings } from "../../core/dns/config.ts";
import { scaleSettings } from "../../core/scaling/agent/config.ts";
import { regionSettings } from "../../region/config.ts";
import { describeSettings } from "../../shared/config.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TARGET = "docs/configuration.md";

/** The whole reference, as Markdown. */
export function configurationPage(): string {
  return `# Configuration

<!-- Made by "npm run docs" from core/config.ts, region/config.ts, core/dns/config.ts and core/scaling/agent/config.ts: change it there. -->

Every process reads its settings from environment variables, once, at its start. A wrong or missing one
ends it with a line that names the variable. Durations are in milliseconds, sizes in bytes.

A setting marked as secret may be given as a file instead: \`MASTER_KEY_FILE=/run/secrets/master-key\`.

## The core

${describeSettings(coreSettings)}

## A region node

${describeSettings(regionSettings)}

## The responder beside a name server

${describeSettings(dnsSettings)}

## Scaling

\`npm run scale\` ([scaling](scaling.md)), which finds the core as \`npm run ops\` does, by \`MERIDIAN_OPS_URL\` and
\`MERIDIAN_OPERATOR_TOKEN\`:

${describeSettings(scaleSettings)}

## The local world

\`npm start -- --help\` lists its options and the few variables it reads. It sets everything above for its
own processes, with secrets and certificates that it makes and keeps in \`.meridian/local\`.
`;
}

/** Whether the page in the repository is the one that the settings make. */
export function isCurrent(): boolean {
  return readFileSync(join(ROOT, TARGET), "utf8") === configurationPage();
}

/** Writes the page; answers where. */
export function writeConfigurationPage(): string {
  writeFileSync(join(ROOT, TARGET), configurationPage());
  return TARGET;
}
