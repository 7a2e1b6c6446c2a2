/** Adds a game's two lines to the text of `region/games/games.ts`, in the order of names. */
import { pascalCase } from "./game-name.ts";

const IMPORT = /^import \{ \w+ \} from "\.\/[\w-]+\/[\w-]+\.ts";$/;
const ENTRY = /^ {2}"?[\w-]+"?: \w+,$/;

/** @throws one line that says what to write by hand, when the table is not as expected */
export function addToTable(table: string, name: string): string {
  const room = `${pascalCase(name)}Room`;
  const imported = `import { ${room} } from "./${name}/${name}-room.ts";`;
  const entry = `  ${name.includes("-") ? `"${name}"` : name}: ${room},`;
  const lines = table.split("\n");
  if (!lines.some((line) => IMPORT.test(line)) || !lines.some((line) => ENTRY.test(line))) {
    throw new Error(
      `region/games/games.ts has lost its form: add \`${imported}\` and, to its table, ` +
        `\`${entry.trim()}\``,
    );
  }
  return withLine(withLine(lines, IMPORT, imported), ENTRY, entry).join("\n");
}

/** Puts a line among those that look like it. */
function withLine(lines: readonly string[], kind: RegExp, line: string): string[] {
  const later = lines.findIndex((other) => kind.test(other) && pathOf(other) > pathOf(line));
  const at = later >= 0 ? later : lines.findLastIndex((other) => kind.test(other)) + 1;
  return [...lines.slice(0, at), line, ...lines.slice(at)];
}

/** What lines are ordered by: the path of an import, the name of an entry. */
function pathOf(line: string): string {
  return line.split(" from ")[1] ?? line.replaceAll('"', "").trim();
}
