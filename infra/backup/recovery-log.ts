/** Why a server that was to recover ended, in one line, from its log. Pure. */
import { type Target, targetText, type Way } from "./target.ts";

const LINES_MAX = 3;

export function endedEarly(
  log: string,
  { target, way }: { readonly target: Target; readonly way: Way },
): string {
  const lacks = way.missing === undefined ? "" : `; the archive lacks ${way.missing}`;
  if (/recovery ended before configured recovery target was reached/.test(log)) {
    const last = /last completed transaction was at log time (.+)/.exec(log)?.[1];
    const end =
      last === undefined ? "no transaction after the backup" : `the last transaction at ${last}`;
    return (
      `the archive ends before ${targetText(target)}, with ${end}${lacks}: ` +
      "--latest restores all that it has"
    );
  }
  if (/recovery stop point is before consistent recovery point/.test(log)) {
    return `${targetText(target)} is before the end of the backup ${way.backup.name}`;
  }
  const telling = log.split("\n").filter((line) => /FATAL|PANIC|archive-wal:/.test(line));
  const words = telling.slice(-LINES_MAX).join("; ") || log.trim().split("\n").at(-1);
  return `the restored server did not recover: ${words || "it logged nothing"}${lacks}`;
}
