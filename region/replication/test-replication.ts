/** The sending half of a node of a test, which keeps no copies of others. */
import { systemClock } from "../../shared/clock.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { TEST_REGION } from "../link/test-core.ts";
import { CopyStore } from "./copy-store.ts";
import { Replication } from "./replication.ts";
import { STREAM_PROTOCOL } from "./wire.ts";

export interface TestReplicationOptions {
  readonly nodeId: () => NodeId;
  readonly identity: LinkIdentity;
  readonly backlogBytesMax?: number;
}

/** Not started yet. */
export function testReplication(options: TestReplicationOptions): Replication {
  const { nodeId, identity, backlogBytesMax = 8_388_608 } = options;
  return new Replication({
    enabled: true,
    hello: () => ({
      protocol: STREAM_PROTOCOL,
      regionId: TEST_REGION,
      nodeId: nodeId(),
      linkAddress: "127.0.0.1:9",
    }),
    identity,
    store: new CopyStore({ roomsMax: 1, bytesMax: 1 }),
    backlogBytesMax,
    clock: systemClock,
    log: createLog("region", "silent"),
    metrics: createMetrics({}),
  });
}
