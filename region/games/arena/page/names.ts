/** A name for players who don't care for one. */

const FIRST = [
  "Swift",
  "Brave",
  "Calm",
  "Lucky",
  "Merry",
  "Quiet",
  "Sunny",
  "Wild",
  "Clever",
  "Bold",
];
const SECOND = [
  "Otter",
  "Crane",
  "Fox",
  "Panda",
  "Tiger",
  "Heron",
  "Hare",
  "Lynx",
  "Robin",
  "Carp",
];

/** @param random answers a number from 0 to 1 (exclusive) */
export function randomName(random: () => number): string {
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? "Player";
  return `${pick(FIRST)} ${pick(SECOND)}`;
}
