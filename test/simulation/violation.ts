/** What must always hold does not. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, story: string) {
    super(`${invariant}: ${story}`);
    this.invariant = invariant;
  }
}
