/**
 * How long a message takes between two places.
 *
 * Light in glass covers about 200 km a millisecond. Cables do not follow great circles: measured round
 * trips between large Chinese cities are about 1.6 times that; the rest is the last mile and queues.
 */
export interface Place {
  readonly latitude: number;
  readonly longitude: number;
}

const EARTH_RADIUS_KM = 6_371;
const GLASS_KM_PER_MS = 200;
const ROUTE_FACTOR = 1.6;
const LAST_MILE_MS = 1.5;

/** Great-circle distance by the haversine formula, km. */
export function distanceKm(from: Place, to: Place): number {
  const [lat1, lat2] = [radians(from.latitude), radians(to.latitude)];
  const halfLat = Math.sin((lat2 - lat1) / 2);
  const halfLong = Math.sin(radians(to.longitude - from.longitude) / 2);
  const chord = halfLat ** 2 + Math.cos(lat1) * Math.cos(lat2) * halfLong ** 2;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.sqrt(chord));
}

/** One way between two places, ms. */
export function oneWayMs(from: Place, to: Place): number {
  return (distanceKm(from, to) / GLASS_KM_PER_MS) * ROUTE_FACTOR + LAST_MILE_MS;
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
