/** `npm run route -- --ip ADDRESS`: where a player would be sent, and why, over the core's private port. */
import { parseArgs } from "node:util";
import { ExplainedRoute } from "../../shared/protocol/route.ts";
import { readOpsAccess } from "./access.ts";
import { callOps } from "./cli-client.ts";
import { RouteOpsQuery } from "./route-query.ts";
import { chosenText, explainedText, placeText, ROUTE_USAGE } from "./route-text.ts";

/** The command line has a wrong form; shown with a hint at `--help`. */
class UsageError extends Error {}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const hint = error instanceof UsageError ? " (npm run route -- --help)" : "";
  process.stderr.write(`route: ${messageOf(error)}${hint}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

async function main(args: string[]): Promise<void> {
  const { help, json, explain, ip, ...wish } = readArgs(args);
  if (help) {
    say(ROUTE_USAGE.trimEnd());
    return;
  }
  if (ip === undefined) throw new UsageError("give the player's address: --ip 203.0.113.9");
  const path = `/ops/route?${queryOf({ ip, ...wish })}`;
  const answer = await callOps(readOpsAccess(process.env), { path, answer: ExplainedRoute });
  if (json) say(JSON.stringify(answer, undefined, 2));
  else {
    say(placeText(ip, answer));
    if (explain) say(`\n${explainedText(answer)}`);
    else if (answer.regionId !== null) say(chosenText(answer));
  }
  if (answer.regionId === null) throw new Error(`no region: ${answer.reason}`);
}

function readArgs(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        help: { type: "boolean", short: "h", default: false },
        json: { type: "boolean", default: false },
        explain: { type: "boolean", default: false },
        ip: { type: "string" },
        game: { type: "string" },
        region: { type: "string" },
        "round-trips": { type: "string" },
      },
    });
    const { "round-trips": roundTrips, ...others } = values;
    return { ...others, roundTrips };
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

/** Looked over here as well, so that a slip of the hand gets its line without a core. */
function queryOf(wish: Record<string, string | undefined>): URLSearchParams {
  const given = Object.entries(wish).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  const parsed = RouteOpsQuery.safeParse(Object.fromEntries(given));
  if (parsed.success) return new URLSearchParams(given);
  throw new UsageError(parsed.error.issues.map(({ message }) => message).join("; "));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
