/** The previous release for tests, or why they can't have it. */
import { previousRelease, whyNoTree } from "../../infra/upgrade/release-tree.ts";

/** A build server must have it: its clone is to reach back to the previous release. */
export function skipWithoutRelease(): string | false {
  const problem = whyNoTree(previousRelease());
  if (problem === undefined) return false;
  if (process.env.CI) throw new Error(problem);
  return problem;
}
