/** The operators' commands that move rooms and players: evacuate, failover, failback; and what is where. */
import { StatusAnswer } from "../../shared/protocol/ops.ts";
import {
  EvacuationAnswer,
  type EvacuationOrder,
  EvacuationStatus,
  EvacuationsAnswer,
  FailbackAnswer,
  FailoverPlan,
  PlayersAnswer,
  RoomsAnswer,
} from "../../shared/protocol/ops-failover.ts";
import type { OpsCall } from "./cli-client.ts";
import { type Confirmation, requireConfirmed } from "./cli-confirm.ts";
import {
  evacuationsText,
  evacuationText,
  failbackText,
  failoverText,
  planText,
  playersText,
  regionsText,
  roomsText,
} from "./failover-text.ts";

export const ROOMS_PER_S = 20;
/** A failover waits for its rooms to go on. */
const FAILOVER_DEADLINE_MS = 60_000;

type Calling = <T>(request: OpsCall<T>) => Promise<T>;

interface Shown {
  readonly json: boolean;
}

export interface EvacuateOptions extends Shown, Confirmation {
  readonly regionId: string;
  readonly nodeId: string | undefined;
  readonly roomsPerS: number;
  readonly dryRun: boolean;
}

export async function showRegions(call: Calling, { json }: Shown): Promise<string> {
  const answer = await call({ path: "/ops/status", answer: StatusAnswer });
  return shown(answer.regions, json, () => regionsText(answer));
}

/** @throws when it is not confirmed */
export async function evacuate(call: Calling, options: EvacuateOptions): Promise<string> {
  const { regionId, nodeId, roomsPerS, dryRun, json } = options;
  const ask = async (body: { dryRun: boolean }) => {
    const request = { regionId, ...(nodeId !== undefined && { nodeId }), roomsPerS, ...body };
    const path = "/ops/evacuations";
    return await call({ method: "POST", path, body: request, answer: EvacuationAnswer });
  };
  const planned = async () => {
    const { plan } = await ask({ dryRun: true });
    if (!plan) throw new Error("the core did not say what it would do");
    return plan;
  };
  if (dryRun) {
    const plan = await planned();
    return shown(plan, json, () => `dry run: ${planText(plan, roomsPerS)}`);
  }
  await requireConfirmed(options, {
    command: "evacuate",
    name: nodeId ?? regionId,
    what: async () => planText(await planned(), roomsPerS),
  });
  const { evacuation } = await ask({ dryRun: false });
  if (!evacuation) throw new Error("the core did not begin an evacuation");
  const follow = `follow it: npm run ops -- evacuate ${regionId} --status --watch`;
  return shown(evacuation, json, () => `${evacuationText(evacuation)}\n${follow}`);
}

/** @param regionId of one alone */
export async function showEvacuations(
  call: Calling,
  { regionId, json }: Shown & { readonly regionId: string | undefined },
): Promise<string> {
  const { evacuations } = await call({ path: "/ops/evacuations", answer: EvacuationsAnswer });
  const wanted = evacuations.filter((one) => regionId === undefined || one.regionId === regionId);
  return shown(wanted, json, () => evacuationsText(wanted));
}

export async function orderEvacuation(
  call: Calling,
  order: EvacuationOrder,
  { regionId, json }: Shown & { readonly regionId: string },
): Promise<string> {
  const path = `/ops/evacuations/${encodeURIComponent(regionId)}/${order}`;
  const status = await call({ method: "POST", path, answer: EvacuationStatus });
  return shown(status, json, () => evacuationText(status));
}

/** @throws when it is not confirmed */
export async function failover(
  call: Calling,
  options: Shown &
    Confirmation & {
      readonly regionId: string;
      readonly nodeId: string | undefined;
      readonly dryRun: boolean;
    },
): Promise<string> {
  const { regionId, nodeId, dryRun, json } = options;
  const name = nodeId ?? regionId;
  const ask = (body: { dryRun: boolean }) =>
    call({
      method: "POST",
      path: "/ops/failover",
      body: { ...(nodeId === undefined ? { regionId } : { nodeId }), ...body },
      answer: FailoverPlan,
      deadlineMs: FAILOVER_DEADLINE_MS,
    });
  const planned = () => ask({ dryRun: true });
  if (dryRun) {
    const plan = await planned();
    return shown(plan, json, () => `dry run: ${failoverText(name, plan)}`);
  }
  const what = async () => failoverText(name, await planned());
  await requireConfirmed(options, { command: "failover", name, what });
  const done = await ask({ dryRun: false });
  return shown(done, json, () => failoverText(name, done));
}

export async function failback(
  call: Calling,
  { regionId, dryRun, json }: Shown & { readonly regionId: string; readonly dryRun: boolean },
): Promise<string> {
  const path = `/ops/regions/${encodeURIComponent(regionId)}/failback`;
  const answer = await call({ method: "POST", path, body: { dryRun }, answer: FailbackAnswer });
  return shown(answer, json, () => `${dryRun ? "dry run: " : ""}${failbackText(answer)}`);
}

export interface Place {
  readonly region?: string | undefined;
  readonly node?: string | undefined;
  readonly room?: string | undefined;
  readonly player?: string | undefined;
  /** A room: those after it. */
  readonly after?: string | undefined;
}

export async function showRooms(call: Calling, where: Place, { json }: Shown): Promise<string> {
  const { region, node, after } = where;
  const path = `/ops/rooms${queryOf({ region, node, after })}`;
  const answer = await call({ path, answer: RoomsAnswer });
  return shown(answer, json, () => roomsText(answer));
}

export async function showPlayers(call: Calling, where: Place, { json }: Shown): Promise<string> {
  const { region, node, room, player } = where;
  const path = `/ops/players${queryOf({ region, node, room, player })}`;
  const answer = await call({ path, answer: PlayersAnswer });
  return shown(answer, json, () => playersText(answer));
}

function queryOf(query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}

function shown(value: unknown, json: boolean, text: () => string): string {
  return json ? JSON.stringify(value, undefined, 2) : text();
}
