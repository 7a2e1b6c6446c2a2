/** The operators' commands about players: bans, a player's data, deletion. */
import { AccountData } from "../../shared/protocol/account-data.ts";
import { Done } from "../../shared/protocol/link.ts";
import { BanAnswer } from "../../shared/protocol/ops.ts";
import type { OpsCall } from "./cli-client.ts";

type Calling = <T>(request: OpsCall<T>) => Promise<T>;

const SESSION = {
  none: "was in no room",
  ended: "is out of the room",
  pending: "is still in a room whose node does not answer: it is told as soon as it does",
};

/** @returns what to print */
export async function banPlayer(
  call: Calling,
  playerId: string,
  ban: { readonly reason: string; readonly until: string | undefined },
): Promise<string> {
  const body = { reason: ban.reason, endsAt: ban.until ?? null };
  const path = `${pathOf(playerId)}/ban`;
  const { session } = await call({ method: "POST", path, body, answer: BanAnswer });
  return `${playerId} is banned ${ban.until ? `until ${ban.until}` : "for good"} and ${SESSION[session]}.`;
}

export async function unbanPlayer(call: Calling, playerId: string): Promise<string> {
  await call({ method: "DELETE", path: `${pathOf(playerId)}/ban`, answer: Done });
  return `${playerId} may play again.`;
}

export async function showPlayer(call: Calling, playerId: string): Promise<string> {
  const data = await call({ path: pathOf(playerId), answer: AccountData });
  return JSON.stringify(data, undefined, 2);
}

export async function deletePlayer(call: Calling, playerId: string): Promise<string> {
  await call({ method: "DELETE", path: pathOf(playerId), answer: Done });
  return `${playerId} is deleted.`;
}

function pathOf(playerId: string): string {
  return `/ops/players/${encodeURIComponent(playerId)}`;
}
