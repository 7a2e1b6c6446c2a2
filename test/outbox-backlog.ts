/** What waits in the outboxes of a world's regions. */
import type { LocalWorld } from "../infra/local/world.ts";

export interface Backlog {
  readonly items: number;
  /** Of the oldest. */
  readonly ageMs: number;
}

/** Of each region's first node, as its metrics say it. */
export async function backlogsOf({ regions }: LocalWorld): Promise<Backlog[]> {
  return await Promise.all(
    [...regions.values()].map(async ({ privateUrl }) => {
      const answer = await fetch(`${privateUrl}/metrics`, { signal: AbortSignal.timeout(5_000) });
      const text = await answer.text();
      const gauge = (of: string) =>
        Number(
          new RegExp(`^meridian_region_outbox_backlog_${of}(?:{.*})? (\\S+)$`, "m").exec(text)?.[1],
        );
      return { items: gauge("items"), ageMs: gauge("age_ms") };
    }),
  );
}
