/** What operators send and get besides the status (`shared/protocol/ops.ts`). */
import { z } from "zod";
import { Epoch } from "../../shared/epoch.ts";
import { NodeId, RegionId } from "../../shared/ids.ts";
import { DrainRequest } from "../../shared/protocol/link.ts";
import { OperatorRole } from "../../shared/protocol/ops.ts";

/** `POST /ops/regions/:regionId/wanted`. */
export const WantedRequest = DrainRequest.extend({
  /** Only says what would be done. */
  dryRun: z.boolean().default(false),
});

/** `POST /ops/regions/:regionId/wanted` answers with what each live node said. */
export const WantedAnswer = z.object({
  regionId: RegionId,
  dryRun: z.boolean(),
  /** `draining` too when the topology drains the region, whatever was asked for. */
  wanted: z.enum(["active", "draining"]),
  nodes: z.array(
    z.object({
      nodeId: NodeId,
      /** Nodes that could not be told learn it with their next heartbeat. */
      told: z.boolean(),
    }),
  ),
});
export type WantedAnswer = z.infer<typeof WantedAnswer>;

/** `POST /ops/regions/:regionId/fence`. */
export const FenceAnswer = z.object({
  regionId: RegionId,
  /** The life in which the region's nodes may take rooms again, once it is unfenced. */
  regionEpoch: Epoch,
  /** False when the region was fenced already. */
  changed: z.boolean(),
  /** How many rooms were ended. */
  rooms: z.number(),
  nodes: z.array(
    z.object({
      nodeId: NodeId,
      /** Nodes that could not be told learn it with their next heartbeat. */
      told: z.boolean(),
    }),
  ),
});
export type FenceAnswer = z.infer<typeof FenceAnswer>;

/** `DELETE /ops/regions/:regionId/fence`. */
export const UnfenceAnswer = z.object({
  regionId: RegionId,
  regionEpoch: Epoch,
  wanted: z.enum(["active", "draining", "fenced"]),
});

/** `GET /ops/tokens`. */
export const OperatorTokens = z.object({
  tokens: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      role: OperatorRole,
      createdAt: z.string(),
      revokedAt: z.string().nullable(),
    }),
  ),
});
export type OperatorTokens = z.infer<typeof OperatorTokens>;

/** `POST /ops/keys/rotate`. */
export const RotateAnswer = z.object({ kid: z.string() });
