/**
 * Keeps a room's failure inside the room. Left alone, Colyseus lets several of them end the process
 * with everybody's rooms:
 *
 * - a throwing handler, unless the class has `onUncaughtException`: it gets one that reports;
 * - a throwing `onLeave` after a drop, whose promise nobody holds: it is made to report instead;
 * - `allowReconnection` refusing (the player dropped before the join was acknowledged, or the room is
 *   ending): the usual `onDrop` ignores its promise, so the refusal is marked as handled;
 * - a throwing `onBeforePatch` or encoder, which run in a bare interval, or an `onBeforePatch` that
 *   rejects, whose promise nobody holds: each is made to report;
 * - a schema of `onMessage` whose check throws: zod then answers with a promise, which Colyseus refuses
 *   and lets go of.
 *
 * What game code starts and lets go of by itself (a bare `setTimeout`, a promise of its own) can't be
 * told apart from our own mistakes, and ends the process like those.
 */
import type { Client, Room } from "@colyseus/core";
import { RoomClient } from "../transport/room-client.ts";

export type RoomClass = new (...args: never[]) => Room;
export type ReportFailure = (room: Room, error: unknown, method: string) => void;

const guarded = new WeakSet<object>();

/** Guards all rooms of a class that are made from now on. Does it once, however often called. */
export function guardRoomClass(roomClass: RoomClass, report: ReportFailure): void {
  const prototype: Room = roomClass.prototype;
  if (guarded.has(prototype)) return;
  guarded.add(prototype);

  prototype.onUncaughtException ??= function (this: Room, error, method) {
    report(this, error, method);
  };
  guardReconnection(prototype);
  guardPatch(prototype, report);
  guardSchemas(prototype, report);
}

/** Guards one room that was just made, whether its handlers are methods, fields or a plugin's. */
export function guardRoom(room: Room, report: ReportFailure): void {
  const { onLeave, onBeforePatch } = room;
  if (onLeave) {
    room.onLeave = async (client, code) => {
      try {
        await onLeave.call(room, client, code);
      } catch (error) {
        report(room, error, "onLeave");
      }
    };
  }
  if (onBeforePatch) {
    room.onBeforePatch = (state) => {
      const done: unknown = onBeforePatch.call(room, state);
      Promise.resolve(done).catch((error: unknown) => report(room, error, "onBeforePatch"));
    };
  }
}

function guardReconnection(prototype: Room): void {
  const { allowReconnection } = prototype;
  prototype.allowReconnection = function (this: Room, client: Client, seconds) {
    if (client instanceof RoomClient && client.resumed) {
      // Colyseus keeps no seat for a client that never acknowledged its join. One that came back and
      // dropped again before that had joined long ago: what waits to be sent to it is of no use.
      client.forgetWaiting();
    }
    const kept = allowReconnection.call(this, client, seconds);
    kept.catch(() => {
      // Whoever awaits the promise gets the refusal still.
    });
    return kept;
  };
}

function guardPatch(prototype: Room, report: ReportFailure): void {
  const { broadcastPatch } = prototype;
  prototype.broadcastPatch = function (this: Room) {
    try {
      return broadcastPatch.call(this);
    } catch (error) {
      report(this, error, "broadcastPatch");
      return false;
    }
  };
}

/** What `onMessage(type, schema, callback)` takes, as the Standard Schema has it. */
interface MessageSchema {
  readonly "~standard": { validate(value: unknown): unknown };
}

function guardSchemas(prototype: Room, report: ReportFailure): void {
  for (const method of ["onMessage", "onMessageBytes"] as const) {
    const register = prototype[method] as (...args: unknown[]) => unknown;
    const guardedRegister = function (this: Room, type: unknown, ...rest: unknown[]) {
      const [schema, callback] = rest;
      if (typeof callback !== "function") return register.call(this, type, ...rest);
      const failed = (error: unknown) => report(this, error, method);
      return register.call(this, type, guardSchema(schema as MessageSchema, failed), callback);
    };
    Object.assign(prototype, { [method]: guardedRegister });
  }
}

function guardSchema(schema: MessageSchema, failed: (error: unknown) => void): MessageSchema {
  const standard = schema["~standard"];
  const validate = (value: unknown) => {
    const result = standard.validate(value);
    if (result instanceof Promise) result.catch(failed);
    return result;
  };
  return { "~standard": { ...standard, validate } };
}
