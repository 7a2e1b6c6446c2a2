/** The process of the core that is asked for routes: a whole one, with the regions of a topology that is given. */
import { startTestCore } from "../../../core/test-core.ts";
import type { RegionId } from "../../../shared/ids.ts";
import type { LinkCredentials } from "../../../shared/link/credentials.ts";
import { RegionsAnswer } from "../../../shared/protocol/join.ts";

/** The first thing that is said to the benchmark. */
export interface RouteCoreReady {
  readonly url: string;
  /** `host:port`. */
  readonly link: string;
  readonly regions: readonly { readonly id: RegionId; readonly credentials: LinkCredentials }[];
}

const { DATABASE_URL = "", TOPOLOGY_FILE = "" } = process.env;
const core = await startTestCore({ DATABASE_URL, TOPOLOGY_FILE, LOG_LEVEL: "error" });
const answer = await fetch(`${core.url}/v1/regions`);
const ids = RegionsAnswer.parse(await answer.json()).regions.map(({ regionId }) => regionId);
const ready: RouteCoreReady = {
  url: core.url,
  link: core.linkAddress,
  regions: await Promise.all(
    ids.map(async (id) => {
      const issued = await core.authority.issue({ role: "region", regionId: id });
      return { id, credentials: { ca: core.authority.caPem, ...issued } };
    }),
  ),
};
process.send?.(ready);
