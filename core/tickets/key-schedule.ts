/**
 * Which signing key does what at a given time, from when each was made. Pure.
 *
 * A new key is published first and signs only `PUBLISH_MS` later, when every region has fetched it with
 * a heartbeat. Its predecessor is still accepted until what it signed has expired.
 */

/** Twenty heartbeats. */
export const PUBLISH_MS = 10_000;
/** Access tokens and tickets live no longer than this; the configuration sees to it. */
export const ACCEPT_MS = 3_600_000;

interface Made {
  readonly createdMs: number;
}

/** Of `keys`, newest first, the one that signs: the newest that every region must know by now. */
export function signingKey<Key extends Made>(keys: readonly Key[], nowMs: number): Key | undefined {
  return keys.find((key) => nowMs - key.createdMs >= PUBLISH_MS) ?? keys.at(-1);
}

/** Of `keys`, newest first, those that are published and accepted. */
export function acceptedKeys<Key extends Made>(keys: readonly Key[], nowMs: number): Key[] {
  return keys.filter((_key, index) => {
    const successor = keys[index - 1];
    return successor === undefined || nowMs - successor.createdMs < PUBLISH_MS + ACCEPT_MS;
  });
}
