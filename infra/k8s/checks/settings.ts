/**
 * Whether the processes would start: each container of ours is given to the parser that the process itself has, with
 * its environment as the cluster would make it and files as its volumes would bring them. And what settings say of
 * ports and deadlines is held against the pod.
 */
import { accessSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { IContainer } from "kubernetes-models/v1/Container";
import type { IServiceSpec } from "kubernetes-models/v1/ServiceSpec";
import { coreSettings } from "../../../core/config.ts";
import { loadTopology } from "../../../core/regions/topology.ts";
import { scaleSettings } from "../../../core/scaling/agent/config.ts";
import { regionSettings } from "../../../region/config.ts";
import { as, readConfig, type Setting, type Settings } from "../../../shared/config.ts";
import { contentOf, environmentOf, servicesIn } from "./environment.ts";
import { containersOf, type Manifest, type Pods, podsOf } from "./manifest.ts";
import { hasPort, type Secrets } from "./references.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
/** Beside `DRAIN_DEADLINE_MS` (docs/runbooks/region-drain.md). */
const REGION_STOP_MS = 15_000;
/** core/main.ts */
const CORE_STOP_MS = 4_500;
const HOST_PORT = /^(?:https?:\/\/)?([a-z0-9.-]+\.svc\.cluster\.local):(\d+)/;

const { DATABASE_OWNER_URL, LOG_LEVEL } = coreSettings;
/** What operators' commands read (core/ops/access.ts). */
const ops = {
  MERIDIAN_OPS_URL: text(),
  MERIDIAN_OPERATOR_TOKEN: { ...text(), secret: true },
} satisfies Settings;

interface Program {
  readonly settings: Settings;
  /** Settings that must be ports of the pod. */
  readonly ports: readonly string[];
  stopMs?(config: Readonly<Record<string, unknown>>): number;
}

const PROGRAMS: Readonly<Record<string, Program>> = {
  "core/main.ts": {
    settings: coreSettings,
    ports: ["CORE_PORT", "CORE_LINK_PORT", "CORE_PRIVATE_PORT"],
    stopMs: () => CORE_STOP_MS,
  },
  "core/db/main.ts": { settings: { DATABASE_OWNER_URL, LOG_LEVEL }, ports: [] },
  "region/main.ts": {
    settings: regionSettings,
    ports: ["REGION_PORT", "REGION_LINK_PORT", "REGION_PRIVATE_PORT"],
    stopMs: ({ DRAIN_DEADLINE_MS }) => Number(DRAIN_DEADLINE_MS) + REGION_STOP_MS,
  },
  "core/scaling/agent/main.ts": {
    settings: { ...scaleSettings, ...ops },
    ports: ["SCALE_PRIVATE_PORT"],
  },
  "infra/haproxy/main.ts": { settings: ops, ports: [] },
};

/** What is in a Secret does not matter, but for its form. */
const SECRETS: Readonly<Record<string, string>> = {
  DATABASE_URL: "postgresql://core:secret@db.example.com:5432/meridian",
  DATABASE_OWNER_URL: "postgresql://owner:secret@db.example.com:5432/meridian",
  ADMISSION_REDIS_URL: "redis://core:secret@core-redis:6379",
  REDIS_URL: "redis://region:secret@region-redis:6379",
  MASTER_KEY: Buffer.alloc(32, 7).toString("base64"),
};
const ANY_SECRET = "a secret of an example, and long enough";

export interface SettingsContext {
  readonly manifests: readonly Manifest[];
  /** Of all overlays: what one names may be in another one's namespace. */
  readonly elsewhere: readonly Manifest[];
  readonly secrets: Secrets;
}

/** One line for each thing that would keep a process from its work. */
export function settingsProblems(context: SettingsContext): readonly string[] {
  return podsOf(context.manifests).flatMap((pods) =>
    containersOf(pods)
      .filter(({ image = "" }) => image.includes("/meridian:"))
      .flatMap((container) =>
        containerProblems(container, pods, context).map(
          (problem) => `${pods.of}: ${container.name}: ${problem}`,
        ),
      ),
  );
}

function containerProblems(container: IContainer, pods: Pods, context: SettingsContext): string[] {
  const words = [...(container.command ?? []), ...(container.args ?? [])].join(" ");
  const script = /\bnode (\S+\.ts)/.exec(words)?.[1] ?? "";
  const program = PROGRAMS[script];
  if (!program || !exists(script)) return [`"${words}" starts no process of ours`];
  const { values, named, problems } = environmentOf(container, pods, context.manifests);
  const folder = mkdtempSync(join(tmpdir(), "meridian-k8s-"));
  try {
    const files = new Files(folder, container, pods, context);
    const env = files.replaceIn(values);
    return [
      ...problems,
      ...unknownNames(program.settings, values, named),
      ...[...values].flatMap(([name, value]) => addressProblems(name, value, context.elsewhere)),
      ...files.problems,
      ...configProblems(program, env, pods),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function unknownNames(
  settings: Settings,
  values: ReadonlyMap<string, string>,
  named: ReadonlySet<string>,
): string[] {
  const isKnown = (name: string) =>
    name in settings ||
    named.has(name) ||
    (name.endsWith("_FILE") && settings[name.slice(0, -"_FILE".length)]?.secret === true);
  const unknown = [...values.keys()].filter((name) => !isKnown(name));
  // In the environment everybody sees them who may look at a pod.
  const open = [...values.keys()].filter((name) => settings[name]?.secret === true);
  return [
    ...unknown.map((name) => `there is no setting ${name} (docs/configuration.md)`),
    ...open.map((name) => `${name} is a secret: give it as ${name}_FILE`),
  ];
}

/** Names of Services have to be names of Services, and their ports theirs. */
function addressProblems(name: string, value: string, manifests: readonly Manifest[]): string[] {
  const [, host = "", port] = HOST_PORT.exec(value) ?? [];
  if (host === "") return [];
  const service = servicesIn(manifests).get(host);
  if (!service) return [`${name}: there is no Service ${host}`];
  const { ports = [] } = service.spec as IServiceSpec;
  return ports.some((one) => one.port === Number(port))
    ? []
    : [`${name}: the Service ${host} has no port ${port}`];
}

function configProblems(program: Program, env: Record<string, string>, pods: Pods): string[] {
  try {
    const config: Record<string, unknown> = readConfig(program.settings, env);
    if (typeof config.TOPOLOGY_FILE === "string") loadTopology(config.TOPOLOGY_FILE);
    const closed = program.ports.filter((name) => !hasPort(pods, Number(config[name])));
    const graceMs = (pods.spec.terminationGracePeriodSeconds ?? 0) * 1_000;
    const stopMs = program.stopMs?.(config) ?? 0;
    return [
      ...closed.map((name) => `${name} is ${config[name]}, which is no port of the pod`),
      ...(graceMs > stopMs
        ? []
        : [`it may take ${stopMs} ms to stop, and is killed after ${graceMs}`]),
    ];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** Files of a container, laid where this process can read them. */
class Files {
  readonly problems: string[] = [];
  readonly #folder: string;
  readonly #contentOf: (path: string) => ReturnType<typeof contentOf>;

  constructor(folder: string, container: IContainer, pods: Pods, context: SettingsContext) {
    const { manifests, secrets } = context;
    this.#folder = folder;
    this.#contentOf = (path) => contentOf(path, container, pods, manifests, secrets);
  }

  replaceIn(values: ReadonlyMap<string, string>): Record<string, string> {
    const replaced = [...values].map(([name, value]) => [name, this.#replaced(name, value)]);
    return Object.fromEntries(replaced);
  }

  #replaced(name: string, value: string): string {
    if (!name.endsWith("_FILE") || value === "") return value;
    const content = this.#contentOf(value);
    if (!content) {
      this.problems.push(`${name} is ${value}, which no volume brings`);
      return "";
    }
    const path = join(this.#folder, name);
    const secret = SECRETS[name.slice(0, -"_FILE".length)] ?? ANY_SECRET;
    writeFileSync(path, content.type === "secret" ? `${secret}\n` : content.text);
    return path;
  }
}

function exists(script: string): boolean {
  try {
    accessSync(join(ROOT, script));
    return true;
  } catch {
    return false;
  }
}

function text(): Setting<string> {
  return { schema: as.text, description: "" };
}
