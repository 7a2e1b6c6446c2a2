/** `GET /v1/openings`: when regions open, and the proof of how the order was drawn. */
import type { HttpServer } from "../../shared/http-server.ts";
import { OpeningsAnswer } from "../../shared/protocol/openings.ts";
import { failures } from "../http/failures.ts";
import type { Admission } from "./admission.ts";
import { OPENING_RULE, type Openings } from "./openings.ts";

export interface OpeningRouteDeps {
  readonly admission: Pick<Admission, "nowMs">;
  readonly openings: Pick<Openings, "list">;
}

export function addOpeningRoutes(
  server: HttpServer,
  { admission, openings }: OpeningRouteDeps,
): void {
  server.get(
    "/v1/openings",
    {
      schema: {
        tags: ["joining"],
        summary: "When regions open, and once they are open how the order was drawn",
        response: { 200: OpeningsAnswer, ...failures() },
      },
    },
    async () => ({ rule: OPENING_RULE, openings: openings.list(admission.nowMs) }),
  );
}
