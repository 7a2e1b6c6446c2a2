/** `npm run ops -- COMMAND`: what operators do, over the core's private port. */
import { sleep, systemClock } from "../../shared/clock.ts";
import { Done } from "../../shared/protocol/link.ts";
import { OperatorRole, OperatorTokenAnswer, StatusAnswer } from "../../shared/protocol/ops.ts";
import { readOpsAccess } from "./access.ts";
import { showAudit } from "./cli-audit.ts";
import { setCapacity, showCapacity } from "./cli-capacity.ts";
import { callOps, type OpsCall } from "./cli-client.ts";
import { terminalAsk } from "./cli-confirm.ts";
import {
  evacuate,
  failback,
  failover,
  orderEvacuation,
  ROOMS_PER_S,
  showEvacuations,
  showPlayers,
  showRegions,
  showRooms,
} from "./cli-failover.ts";
import { messageOf, type Options, readArgs, UsageError } from "./cli-options.ts";
import { banPlayer, deletePlayer, showPlayer, unbanPlayer } from "./cli-players.ts";
import {
  cancelOpening,
  classPlayer,
  listOpenings,
  scheduleOpening,
  showQueue,
  verifyOpening,
} from "./cli-queue.ts";
import { reconcile } from "./cli-reconcile.ts";
import { listRefused, resolveRefused } from "./cli-refused.ts";
import { fenceRegion, unfenceRegion } from "./cli-regions.ts";
import { showScaling } from "./cli-scaling.ts";
import { statusText, tokensText, usageOf, wantedText } from "./cli-text.ts";
import { OperatorTokens, RotateAnswer, WantedAnswer } from "./schemas.ts";

const WATCH_PERIOD_MS = 1_000;
const CLEAR_SCREEN = "\u001b[2J\u001b[H";

const ONE_WORD = new Set(["status", "scale", "queue", "reconcile", "audit", "regions", "rooms"]);
const ORDERS = ["pause", "resume", "stop"] as const;

try {
  await main(process.argv.slice(2));
} catch (error) {
  const message = messageOf(error);
  const hint = error instanceof UsageError ? " (npm run ops -- --help)" : "";
  process.stderr.write(`ops: ${message}${hint}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

async function main(args: string[]): Promise<void> {
  const { words, options, help } = readArgs(args);
  if (help || words.length === 0) {
    say(usageOf(words[0]));
    return;
  }
  const [command, second, third, fourth] = words;
  const resolves = command === "refused" && second !== "list";
  const cancels = command === "opening" && second === "cancel";
  const three =
    (command === "token" && second === "revoke") ||
    command === "capacity" ||
    command === "player" ||
    resolves ||
    cancels;
  const one = ONE_WORD.has(command ?? "");
  const four = (command === "player" && second === "class") || second === "verify";
  const expected = one ? 1 : four ? 4 : three ? 3 : 2;
  if (words.length > expected) throw new UsageError(`too many words: ${words.join(" ")}`);
  if (command === "status") await shown(options, () => status(options));
  else if (command === "queue") await shown(options, () => showQueue(call, options));
  else if (command === "scale") await shown(options, () => showScaling(call, options));
  else if (command === "capacity" && second === "set")
    say(await setCapacity(call, namedRegion(third), options));
  else if (command === "capacity" && second === undefined) say(await showCapacity(call, options));
  else if (command === "drain") await want(second, "draining", options);
  else if (command === "undrain") await want(second, "active", options);
  else if (command === "regions") say(await showRegions(call, options));
  else if (command === "rooms") say(await showRooms(call, options, options));
  else if (command === "players") say(await players(second, options));
  else if (command === "evacuate") await evacuation(second, options);
  else if (command === "failover") say(await failOver(second, options));
  else if (command === "failback")
    say(await failback(call, { ...switches(options), regionId: namedRegion(second) }));
  else if (command === "fence") say(await fence(second, options));
  else if (command === "unfence") say(await unfenceRegion(call, namedRegion(second), options));
  else if (command === "token" && second === "create") await createToken(options);
  else if (command === "token" && second === "list") await listTokens();
  else if (command === "token" && second === "revoke") await revokeToken(third);
  else if (command === "ban") say(await ban(named(second), options));
  else if (command === "unban") say(await unbanPlayer(call, named(second)));
  else if (command === "player" && second === "show") say(await showPlayer(call, named(third)));
  else if (command === "player" && second === "delete") say(await deletePlayer(call, named(third)));
  else if (command === "player" && second === "class")
    say(await classPlayer(call, named(third), namedClass(fourth)));
  else if (command === "opening" && second === "list") say(await listOpenings(call, options));
  else if (command === "opening" && second === "cancel")
    say(await cancelOpening(call, namedRegion(third)));
  else if (command === "opening" && second === "verify")
    say(await verifyOpening(call, namedRegion(third), named(fourth)));
  else if (command === "opening") say(await open(second, options));
  else if (command === "refused" && second === "list") say(await listRefused(call, options));
  else if (command === "refused" && (second === "apply" || second === "drop"))
    say(await resolve(second, third));
  else if (command === "keys" && second === "rotate") await rotateKeys();
  else if (command === "reconcile") await showDifferences();
  else if (command === "audit") await audit(options);
  else throw new UsageError(`there is no command "${words.join(" ")}"`);
}

async function audit({ verify, expect, json }: Options): Promise<void> {
  const { text, sound } = await showAudit(call, { verify, expect, json });
  say(text);
  if (!sound) process.exitCode = 1;
}

async function status({ json, watch }: Options): Promise<string> {
  const answer = await call({ path: "/ops/status", answer: StatusAnswer });
  return json ? JSON.stringify(answer, undefined, watch ? 0 : 2) : statusText(answer);
}

/** Once, or again and again. */
async function shown({ json, watch }: Options, show: () => Promise<string>): Promise<void> {
  if (!watch) {
    say(await show());
    return;
  }
  // Ctrl-C ends it.
  for (;;) {
    const text = await show().catch(messageOf);
    say(json ? text : `${CLEAR_SCREEN}${text}`);
    await sleep(systemClock, WATCH_PERIOD_MS);
  }
}

async function want(
  region: string | undefined,
  state: "active" | "draining",
  { json, "dry-run": dryRun }: Options,
): Promise<void> {
  const path = `/ops/regions/${encodeURIComponent(namedRegion(region))}/wanted`;
  const answer = await call({
    method: "POST",
    path,
    body: { state, dryRun },
    answer: WantedAnswer,
  });
  say(json ? JSON.stringify(answer, undefined, 2) : wantedText(answer, state));
}

function switches({ json, yes, "dry-run": dryRun }: Options) {
  return { json, yes, dryRun, ask: terminalAsk() };
}

async function evacuation(region: string | undefined, options: Options): Promise<void> {
  const { json, status, node } = options;
  if (status) {
    await shown(options, () => showEvacuations(call, { regionId: region, json }));
    return;
  }
  const regionId = namedRegion(region);
  const order = ORDERS.find((one) => options[one]);
  if (order) {
    say(await orderEvacuation(call, order, { regionId, json }));
    return;
  }
  const roomsPerS = Number(options.pace ?? ROOMS_PER_S);
  if (!(roomsPerS > 0)) throw new UsageError("--pace is a number of rooms a second, above 0");
  say(await evacuate(call, { ...switches(options), regionId, nodeId: node, roomsPerS }));
}

function failOver(region: string | undefined, options: Options): Promise<string> {
  const regionId = namedRegion(region);
  return failover(call, { ...switches(options), regionId, nodeId: options.node });
}

function players(player: string | undefined, options: Options): Promise<string> {
  const { region, node, room } = options;
  const where = { player: player ?? options.player, region, node, room };
  if (Object.values(where).filter((one) => one !== undefined).length !== 1) {
    throw new UsageError("players needs a player's id, or one of --room, --node, --region");
  }
  return showPlayers(call, where, options);
}

function fence(region: string | undefined, { yes, json }: Options): Promise<string> {
  return fenceRegion(call, namedRegion(region), { yes, json, ask: terminalAsk() });
}

function namedRegion(region: string | undefined): string {
  if (region === undefined) throw new UsageError("name a region");
  return region;
}

function ban(playerId: string, { reason, until }: Options): Promise<string> {
  if (reason === undefined) throw new UsageError("ban needs --reason: the player is shown it");
  return banPlayer(call, playerId, { reason, until });
}

function named(playerId: string | undefined): string {
  if (playerId === undefined) throw new UsageError("give the player's id");
  return playerId;
}

function namedClass(name: string | undefined): string {
  if (name === undefined) throw new UsageError("name a class of ADMISSION_CLASSES, or none");
  return name;
}

function open(region: string | undefined, { at }: Options): Promise<string> {
  if (at === undefined) throw new UsageError("opening needs --at: when, in ISO 8601");
  return scheduleOpening(call, namedRegion(region), at);
}

function resolve(verb: "apply" | "drop", id: string | undefined): Promise<string> {
  if (id === undefined) throw new UsageError("give the change's id; `refused list` shows them");
  return resolveRefused(call, verb, id);
}

async function createToken({ name, role }: Options): Promise<void> {
  const known = OperatorRole.safeParse(role);
  if (name === undefined || !known.success) {
    throw new UsageError(`token create needs --name N --role ${OperatorRole.options.join("|")}`);
  }
  const body = { name, role: known.data };
  const answer = OperatorTokenAnswer;
  const created = await call({ method: "POST", path: "/ops/tokens", body, answer });
  process.stderr.write(`${created.name} is ${created.role}, id ${created.id}; shown only once:\n`);
  say(created.token);
}

async function listTokens(): Promise<void> {
  say(tokensText(await call({ path: "/ops/tokens", answer: OperatorTokens })));
}

async function revokeToken(id: string | undefined): Promise<void> {
  if (id === undefined) throw new UsageError("give the token's id; `token list` shows them");
  const path = `/ops/tokens/${encodeURIComponent(id)}`;
  await call({ method: "DELETE", path, answer: Done });
  say(`token ${id} is revoked.`);
}

async function rotateKeys(): Promise<void> {
  const { kid } = await call({ method: "POST", path: "/ops/keys/rotate", answer: RotateAnswer });
  say(`the new signing key is ${kid}; it signs in a few seconds, when every region knows it.`);
}

async function showDifferences(): Promise<void> {
  const { text, agrees } = await reconcile(call);
  say(text);
  if (!agrees) process.exitCode = 1;
}

function call<T>(request: OpsCall<T>): Promise<T> {
  return callOps(readOpsAccess(process.env), request);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
