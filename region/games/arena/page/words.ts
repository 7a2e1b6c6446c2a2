/** What the player is told about their connection, in words. */
import type { Connection, LeaveReason } from "../../../../shared/client/connection.ts";

/** How the line is coloured: all well, under way, or wrong. */
export type Mood = "good" | "busy" | "bad";

export interface Words {
  readonly text: string;
  readonly mood: Mood;
}

/**
 * @param city names a region
 * @param sinceMs how long the connection has been as it is
 */
export function describeConnection(
  connection: Connection,
  city: (regionId: string) => string,
  sinceMs: number,
): Words {
  switch (connection.phase) {
    case "idle":
      return { text: "Not connected", mood: "busy" };
    case "joining":
      return { text: joining(connection.attempt, connection.nextInMs - sinceMs), mood: "busy" };
    case "queued":
    case "offered":
      return { text: `In line for ${city(connection.place.regionId)}`, mood: "busy" };
    case "admitted":
      return { text: `Your turn: taking a seat in ${city(connection.regionId)}…`, mood: "busy" };
    case "connecting":
      return { text: `Connecting to ${city(connection.regionId)}…`, mood: "busy" };
    case "playing":
      return { text: `Connected to ${city(connection.regionId)}`, mood: "good" };
    case "suspect":
      return { text: `${city(connection.regionId)} does not answer…`, mood: "bad" };
    case "reconnecting": {
      const { attempt, regionId } = connection;
      const wait = waitInWords(connection.nextInMs - sinceMs);
      const then = wait ? `asking again ${wait}` : "asking where to go on";
      return {
        text: `${city(regionId)} does not answer: ${then} (attempt ${attempt})…`,
        mood: "bad",
      };
    }
    case "moving":
      return {
        text: `${city(connection.from)} does not answer: your room goes on in ${city(connection.to)}…`,
        mood: "busy",
      };
    case "lost":
      return { text: lost(connection.error.kind, city(connection.regionId)), mood: "bad" };
    case "left":
      return { text: left(connection.reason), mood: "bad" };
    case "failed":
      return { text: `No place to play: ${connection.error.message}`, mood: "bad" };
  }
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function joining(attempt: number, nextInMs: number): string {
  if (attempt === 1) return "Looking for a region near you…";
  const wait = waitInWords(nextInMs);
  return `No place yet: ${wait ? `trying again ${wait}` : "asking"} (attempt ${attempt})…`;
}

function waitInWords(ms: number): string {
  return ms > 300 ? `in ${Math.ceil(ms / 1000)} s` : "";
}

function lost(kind: string, city: string): string {
  if (kind === "room_not_found") return `${city} is gone, and its arena with it.`;
  if (kind === "reconnect_expired") return `Your place in ${city} was not kept that long.`;
  return `${city} can't be reached any more.`;
}

function left(reason: LeaveReason): string {
  switch (reason) {
    case "asked":
      return "You left the arena.";
    case "session_taken_over":
      return "You play on elsewhere: another tab or device took over.";
    case "update_required":
      return "This page is too old: reload it.";
    case "too_many_messages":
      return "You were sent away: too many messages.";
    case "forbidden":
      return "You were sent away.";
    default:
      return "The arena has closed.";
  }
}
