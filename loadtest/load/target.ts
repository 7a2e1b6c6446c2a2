/** What is loaded: a local world of the run's own, or a core that runs already. */
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OPS_URL_DEFAULT, readOpsAccess } from "../../core/ops/access.ts";
import { callOps, type OpsClientOptions } from "../../core/ops/cli-client.ts";
import { type LocalWorld, startLocalWorld } from "../../infra/local/world.ts";
import { StatusAnswer } from "../../shared/protocol/ops.ts";
import { UsageError } from "./usage-error.ts";

export interface Target {
  readonly kind: "local world" | "given core";
  readonly coreUrl: string;
  /** Undefined where nobody said how operators reach it. */
  readonly ops: OpsClientOptions | undefined;
  /** Of a local world. */
  readonly world: LocalWorld | undefined;
  readonly wan: boolean;
  /** Of all servers; undefined where they run on other machines. */
  serverPids(): readonly number[] | undefined;
  /** Ends what was started. @param logsTo where logs are to be kept */
  stop(logsTo?: string): Promise<void>;
}

export interface LocalTargetOptions {
  readonly regions: number;
  readonly wan: boolean;
  readonly dns: boolean;
  /** Settings for the core and every region. */
  readonly env: Readonly<Record<string, string>>;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  readonly killSignal: AbortSignal;
}

/** All players come from one address here, and may; whoever strikes a part decides when it comes back. */
const RESTART_DELAY_MS = 3_600_000;
const LOCAL_ENV = {
  LOG_LEVEL: "warn",
  GUESTS_PER_PREFIX_PER_SECOND: "1000",
  GUESTS_PER_PREFIX_BURST: "10000",
  GUESTS_PER_SECOND: "1000",
  GUESTS_BURST: "10000",
  REGION_CAPACITY: "2000",
};
const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

export async function startLocalTarget(options: LocalTargetOptions): Promise<Target> {
  const { regions, wan, dns, say, signal, killSignal } = options;
  const dir = mkdtempSync(join(tmpdir(), "meridian-load-"));
  const cleared = () => rmSync(dir, { recursive: true, force: true });
  try {
    const world = await startLocalWorld({
      dir,
      regions,
      wan,
      dns,
      pages: false,
      restartDelayMs: RESTART_DELAY_MS,
      env: { ...LOCAL_ENV, ...options.env },
      report: say,
      signal,
      killSignal,
    });
    return {
      kind: "local world",
      coreUrl: world.core.url,
      ops: { url: world.core.opsUrl, token: world.operatorToken },
      world,
      wan,
      serverPids: () => pidsOf(world),
      async stop(logsTo) {
        await world.stop();
        const logs = join(dir, "logs");
        if (logsTo !== undefined && existsSync(logs)) cpSync(logs, logsTo, { recursive: true });
        cleared();
      },
    };
  } catch (error) {
    cleared();
    throw error;
  }
}

/**
 * @param opsUrl the operators' port; without it what `MERIDIAN_OPS_URL` names, or that of this machine's own world, if
 *   it answers: a core elsewhere must not be taken for the one here
 * @throws UsageError when the token for a port that was named is missing
 */
export async function givenTarget(
  coreUrl: string,
  opsUrl: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Target> {
  const named = opsUrl ?? (env.MERIDIAN_OPS_URL || undefined);
  return {
    kind: "given core",
    coreUrl,
    ops: named === undefined ? await ownWorldAt(coreUrl, env) : accessTo(named, env),
    world: undefined,
    wan: false,
    serverPids: () => undefined,
    async stop() {},
  };
}

async function ownWorldAt(
  coreUrl: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<OpsClientOptions | undefined> {
  if (!LOOPBACK.has(new URL(coreUrl).hostname)) return undefined;
  try {
    const access = accessTo(OPS_URL_DEFAULT, env);
    await callOps(access, { path: "/ops/status", answer: StatusAnswer });
    return access;
  } catch {
    // Nobody named it: the run goes without.
    return undefined;
  }
}

function accessTo(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
): OpsClientOptions {
  try {
    return readOpsAccess({ ...env, MERIDIAN_OPS_URL: url });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function pidsOf(world: LocalWorld): number[] {
  const { core, regions, postgres, redis, coreRedis, nameServer } = world;
  const parts = [
    core,
    ...regions.values(),
    postgres,
    ...redis.values(),
    coreRedis,
    nameServer?.responder,
    nameServer?.powerDns,
  ];
  return parts.flatMap((part) => (part?.pid === undefined ? [] : [part.pid]));
}
