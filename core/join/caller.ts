/** Who waits for a seat, and whether anybody still does. */
import type { FastifyReply, FastifyRequest } from "fastify";

export interface Caller {
  /** For geo-IP. */
  readonly address: string;
  /** Aborts when the connection ends before the answer has left. */
  readonly gone: AbortSignal;
}

export function callerOf(request: FastifyRequest, reply: FastifyReply): Caller {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return { address: request.ip, gone: gone.signal };
}
