/**
 * Changes of bodies since the previous release that its binaries can do without, and why: emptied when
 * `infra/upgrade/previous-release` moves on. Each is a line as `npm run upgrade-check` prints it.
 */
export interface KnownChange {
  readonly line: string;
  /** Such as: who writes this asks first whether the reader knows it. */
  readonly why: string;
}

export const KNOWN_CHANGES: readonly KnownChange[] = [];
