/**
 * `messages = { move: handler(schema, (player, payload) => …) }`: the payload is parsed before game
 * code sees it. A wrong one is counted, answered with a typed error, and goes no further.
 */
import type { Client, MessageContext } from "@colyseus/core";
import type { z } from "zod";
import type { Player } from "./player.ts";

/** A room, to its message handlers. */
export interface MessageReceiver {
  /** By type, as the game wrote them. */
  readonly messages?: Readonly<Record<string, unknown>>;
  playerOf(client: Client): Player | undefined;
  /** @param request set when the sender waits for an answer */
  refuse(client: Client, reason: string, request: MessageContext | undefined): unknown;
}

/** What Colyseus calls, with the room as `this`. */
export type BoundMessageHandler = (
  this: MessageReceiver,
  client: Client,
  message: unknown,
  context: MessageContext,
) => unknown;

/**
 * @param payload a zod schema; its output is what `handle` gets
 * @param handle what it returns, or resolves to, answers a `room.request()`
 */
export function handler<Payload extends z.ZodType>(
  payload: Payload,
  handle: (player: Player, payload: z.output<Payload>) => unknown,
): BoundMessageHandler {
  return function receive(client, message, context) {
    const player = this.playerOf(client);
    if (!player) return undefined;
    const request = context.id === undefined ? undefined : context;
    const parsed = payload.safeParse(message);
    if (!parsed.success) {
      return this.refuse(client, `${typeOf(this, receive)}: ${firstIssue(parsed.error)}`, request);
    }
    return handle(player, parsed.data);
  };
}

/** The name under which the game has the handler. */
function typeOf({ messages = {} }: MessageReceiver, own: BoundMessageHandler): string {
  return Object.keys(messages).find((type) => messages[type] === own) ?? "message";
}

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  return issue ? `${issue.path.join(".") || "payload"}: ${issue.message}` : "wrong form";
}
