/** The process of the core that is measured: a whole one, with its defaults, on a database that is given. */
import { startTestCore } from "../../../core/test-core.ts";
import { RegionId } from "../../../shared/ids.ts";
import type { LinkCredentials } from "../../../shared/link/credentials.ts";

/** The first thing that is said to the benchmark. */
export interface CoreReady {
  /** `host:port`. */
  readonly link: string;
  /** As which the benchmark's nodes call. */
  readonly region: LinkCredentials;
}

const { DATABASE_URL = "" } = process.env;
const core = await startTestCore({ DATABASE_URL, LOG_LEVEL: "error" });
const regionId = RegionId.parse("beijing");
const issued = await core.authority.issue({ role: "region", regionId });
const ready: CoreReady = {
  link: core.linkAddress,
  region: { ca: core.authority.caPem, ...issued },
};
process.send?.(ready);
