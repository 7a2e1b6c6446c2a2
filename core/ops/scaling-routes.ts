/** `/ops/scaling` on the private port: how many nodes each region should run, and why. */
import type { HttpServer } from "../../shared/http-server.ts";
import { ScalingAnswer } from "../../shared/protocol/ops-scaling.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { Scaling } from "../scaling/scaling.ts";
import type { Operators } from "./operators.ts";

export interface ScalingRouteDeps {
  readonly operators: Operators;
  readonly scaling: Pick<Scaling, "answer">;
}

const refusals = failures("unauthorized", "forbidden");

export function addScalingRoutes(server: HttpServer, deps: ScalingRouteDeps): void {
  const { operators, scaling } = deps;
  server.get(
    "/ops/scaling",
    { schema: { response: { 200: ScalingAnswer, ...refusals } } },
    async (request) => {
      await operators.authorise(bearerOf(request.headers.authorization), "scaling", "viewer");
      return scaling.answer;
    },
  );
}
