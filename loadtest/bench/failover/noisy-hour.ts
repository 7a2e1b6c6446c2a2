/** How often a region that is there is taken for dead, in an hour of links that lose and delay much. */

/** @returns failovers in one simulated hour; null where nothing simulates the detector */
export async function simulateNoisyHour(): Promise<number | null> {
  return null;
}
