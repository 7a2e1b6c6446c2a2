/** Names of games, as folders, files and classes have them. */

const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
export const NAME_LENGTH_MAX = 24;

/** @throws one line that says what a name looks like */
export function checkGameName(name: string): void {
  if (NAME.test(name) && name.length <= NAME_LENGTH_MAX) return;
  throw new Error(
    `"${name}" can't be a game's name: use a-z, 0-9 and single "-", first a letter, ` +
      `${NAME_LENGTH_MAX} at most, such as star-catch`,
  );
}

/** `star-catch` is `StarCatch` in code. */
export function pascalCase(name: string): string {
  return name
    .split("-")
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");
}
