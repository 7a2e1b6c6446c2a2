/** `GET /ops/audit` on the private port: rows of the audit log, with which whoever asks checks the chain. */
import type { HttpServer } from "../../shared/http-server.ts";
import { AuditAnswer, AuditQuery } from "../../shared/protocol/audit.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { Operators } from "./operators.ts";

const response = { 200: AuditAnswer, ...failures("unauthorized", "forbidden") };

export function addAuditRoutes(server: HttpServer, operators: Operators): void {
  server.get("/ops/audit", { schema: { querystring: AuditQuery, response } }, async (request) => {
    await operators.authorise(bearerOf(request.headers.authorization), "audit", "admin");
    return { rows: await operators.audit.page(request.query) };
  });
}
