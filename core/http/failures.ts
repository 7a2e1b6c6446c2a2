/** The failures that a route answers with, for its schema and so for the OpenAPI page. */
import type { z } from "zod";
import { describeKind, ErrorBody, type ErrorKind } from "../../shared/errors.ts";

/** Any route can be called wrongly, meet a database that is away, or meet a mistake of ours. */
const ALWAYS: readonly ErrorKind[] = [
  "bad_request",
  "payload_too_large",
  "request_timeout",
  "unavailable",
  "timeout",
  "internal",
];

/** Response schemas by HTTP status, to be spread into a route's `response`. */
export function failures(...kinds: readonly ErrorKind[]): Record<number, z.ZodType> {
  const byStatus = new Map<number, ErrorKind[]>();
  for (const kind of new Set([...kinds, ...ALWAYS])) {
    const { status } = describeKind(kind);
    byStatus.set(status, [...(byStatus.get(status) ?? []), kind]);
  }
  const entries = [...byStatus].map(([status, group]) => {
    const lines = group.map((kind) => `\`${kind}\`: ${describeKind(kind).message}`);
    return [status, ErrorBody.describe(lines.join(" · "))];
  });
  return Object.fromEntries(entries);
}
