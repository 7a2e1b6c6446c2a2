/** What waits to be sent to players, over all of their connections. */
export interface Backlog {
  readonly connections: number;
  readonly bytes: number;
  /** Players to whom more than a fraction of what may wait does. */
  readonly slowReaders: number;
}

/** Of `BACKPRESSURE_BYTES_MAX`: who has so much waiting reads slower than the room writes. */
const SLOW_SHARE = 1 / 8;

/**
 * @param waitingBytes of each connection
 * @param waitingBytesMax past which one is closed for a resync
 */
export function backlogOf(waitingBytes: Iterable<number>, waitingBytesMax: number): Backlog {
  const backlog = { connections: 0, bytes: 0, slowReaders: 0 };
  for (const bytes of waitingBytes) {
    backlog.connections += 1;
    backlog.bytes += bytes;
    if (bytes > waitingBytesMax * SLOW_SHARE) backlog.slowReaders += 1;
  }
  return backlog;
}
