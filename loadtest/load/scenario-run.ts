/** A scenario from the command line: its target is started, loaded, and stopped, whatever comes of it. */
import { join } from "node:path";
import { PRIVATE_HOST as NAME_SERVER_HOST } from "../../infra/local/addresses.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Output } from "../bots/terminal.ts";
import { replaceNodes, strike, strikeFor } from "./acts.ts";
import { startDnsGateway } from "./dns-gateway.ts";
import { findK6 } from "./k6-binary.ts";
import { bundleScript } from "./k6-bundle.ts";
import { parametersOf, type RunOptions } from "./options.ts";
import { makeOutDir, writeSummary } from "./output.ts";
import { type Act, runScenario } from "./run.ts";
import type { LoadSummary } from "./summary.ts";
import { givenTarget, startLocalTarget, type Target } from "./target.ts";
import { UsageError } from "./usage-error.ts";

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  readonly output: Output;
  /** The first Ctrl-C. */
  readonly signal: AbortSignal;
  /** The second. */
  readonly killSignal: AbortSignal;
}

export interface Ran {
  readonly summary: LoadSummary;
  readonly dir: string;
}

/** @throws one clear line when it can't be run at all; nothing is left running then */
export async function runByOptions(run: RunOptions, around: Surroundings): Promise<Ran> {
  const { scenario } = run;
  const k6Binary = await k6For(around);
  const dir = makeOutDir(run.out, scenario.name, around.clock.nowMs());
  const script = await bundleScript(scenario.name, dir);
  return withTarget(run, around, join(dir, "logs"), async (target) => {
    const act = actOf(run, target);
    const gateway = await gatewayTo(target);
    try {
      const summary = await runScenario({
        ...around,
        scenario,
        parameters: { ...parametersOf(run), ...gateway?.parameters },
        target,
        k6Binary,
        script,
        outDir: dir,
        ...(act && { act }),
      });
      writeSummary(dir, summary);
      return { summary, dir };
    } finally {
      await gateway?.stop();
    }
  });
}

export function k6For({ env, say, signal }: Surroundings): Promise<string> {
  return findK6({ env, say, signal });
}

/** Starts the target, or takes the given one, and stops it at the end. */
export async function withTarget<T>(
  run: RunOptions,
  around: Surroundings,
  logsTo: string,
  use: (target: Target) => Promise<T>,
  env: Readonly<Record<string, string>> = {},
): Promise<T> {
  const { coreUrl, opsUrl, regions, wan, scenario } = run;
  const target =
    coreUrl === undefined
      ? await startLocalTarget({
          ...around,
          regions,
          wan,
          dns: scenario.needs.includes("name-server"),
          env: { ...seatsEnv(run), ...env },
        })
      : await givenTarget(coreUrl, opsUrl, around.env);
  try {
    return await use(target);
  } finally {
    await target.stop(logsTo);
  }
}

function actOf(run: RunOptions, target: Target): Act | undefined {
  const { scenario, upgradeCommand } = run;
  if (scenario.needs.includes("kill")) {
    const how = strikeFor(target, run.strike);
    const wanted = parametersOf(run).REGION ?? "";
    return (context) => strike(context, { how, wanted });
  }
  if (!scenario.needs.includes("replace")) return undefined;
  if (!target.world && upgradeCommand === undefined) {
    throw new UsageError(
      "upgrade of a given core needs --upgrade-command: what replaces its nodes",
    );
  }
  return async (context) => {
    await replaceNodes(context, upgradeCommand);
    return undefined;
  };
}

/** As many seats for everyone as the scenario counts on, and none kept free beside them. */
function seatsEnv(run: RunOptions): Record<string, string> {
  if (!run.scenario.needs.includes("small-capacity")) return {};
  const seats = Number(parametersOf(run).SEATS);
  if (!(seats >= run.regions) || seats % run.regions !== 0) {
    throw new UsageError(`SEATS ${seats} can't be shared by ${run.regions} regions`);
  }
  return { REGION_CAPACITY: String(seats / run.regions), ADMISSION_HEADROOM: "0" };
}

/** k6 speaks no DNS: something beside the local world's name server has to hand on what it asks over HTTP. */
async function gatewayTo({ world }: Target) {
  const { nameServer } = world ?? {};
  if (!nameServer) return undefined;
  const gateway = await startDnsGateway({ host: NAME_SERVER_HOST, port: nameServer.port });
  return {
    parameters: { DNS_URL: gateway.url, DNS_NAME: nameServer.play },
    stop: () => gateway.stop(),
  };
}
