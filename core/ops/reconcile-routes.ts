/** `/ops/reconcile` on the private port: a look at all money and items, now. */
import type { HttpServer } from "../../shared/http-server.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import { ReconcileStatus } from "../value/differences.ts";
import type { Reconciler } from "../value/reconciler.ts";
import type { Operators } from "./operators.ts";

export interface ReconcileRouteDeps {
  readonly operators: Operators;
  readonly reconciler: Reconciler;
}

const response = { 200: ReconcileStatus, ...failures("unauthorized", "forbidden") };

export function addReconcileRoutes(server: HttpServer, deps: ReconcileRouteDeps): void {
  const { operators, reconciler } = deps;
  server.post("/ops/reconcile", { schema: { response } }, async (request) => {
    const action = "reconcile";
    const token = bearerOf(request.headers.authorization);
    const operator = await operators.authorise(token, action, "operator");
    await operators.audit.note({ operator, action, subject: "all money and items" });
    const { runs } = reconciler.status;
    // It may take minutes: whoever asks looks at the status until there was a run more. It never rejects.
    void reconciler.run({ whole: true });
    return { ...reconciler.status, runs };
  });
  server.get("/ops/reconcile", { schema: { response } }, async (request) => {
    await operators.authorise(bearerOf(request.headers.authorization), "reconcile", "operator");
    return reconciler.status;
  });
}
