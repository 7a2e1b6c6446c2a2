/** `/ops/refused*` on the private port: changes of players' state that were refused. All audited. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { HttpServer } from "../../shared/http-server.ts";
import { PlayerId } from "../../shared/ids.ts";
import { Done } from "../../shared/protocol/link.ts";
import { RefusedAnswer } from "../../shared/protocol/ops.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { RefusedChanges } from "../sync/refused-changes.ts";
import type { Operators } from "./operators.ts";

export interface RefusedRouteDeps {
  readonly operators: Operators;
  readonly refused: RefusedChanges;
}

const LISTED_MAX = 200;
const Params = z.object({ id: z.coerce.number().int().positive() });
const Query = z.object({ player: PlayerId.optional() });
const refusals = failures("unauthorized", "forbidden", "not_found");

export function addRefusedRoutes(server: HttpServer, deps: RefusedRouteDeps): void {
  const { operators, refused } = deps;
  const authorise = (request: FastifyRequest, action: string, subject?: string) =>
    operators.authorise(bearerOf(request.headers.authorization), action, "operator", subject);

  server.get(
    "/ops/refused",
    { schema: { querystring: Query, response: { 200: RefusedAnswer, ...refusals } } },
    async (request) => {
      await authorise(request, "list refused changes");
      const rows = await refused.list(request.query.player, LISTED_MAX);
      const changes = rows.map(({ id, producer_id, reason, item, refused_at }) => ({
        id,
        producerId: producer_id,
        reason,
        change: item,
        refusedAt: refused_at.toISOString(),
      }));
      return { changes };
    },
  );
  for (const verb of ["apply", "drop"] as const) {
    server.post(
      `/ops/refused/:id/${verb}`,
      {
        schema: { params: Params, response: { 200: Done, ...refusals, ...failures("conflict") } },
      },
      async (request) => {
        const action = `${verb} refused change`;
        const { id } = request.params;
        const operator = await authorise(request, action, `refused change ${id}`);
        // The player's own data names what was done with it.
        const subject = await refused.playerOf(id);
        await operators.audit.once({ operator, action, subject, details: { id } }, (record) =>
          refused[verb](id, operator.name, record),
        );
        return { ok: true as const };
      },
    );
  }
}
