/**
 * Which collections of players' documents a game has, and in which form. A game names them at its room
 * class:
 *
 *     static override collections = {
 *       stats: { format: 2, initial: { kills: 0 }, migrate: (old) => ({ kills: old.frags ?? 0 }) },
 *     };
 */
import { MeridianError } from "../../shared/errors.ts";
import {
  COLLECTIONS_MAX,
  Collection,
  type Document,
  FORMAT_MAX,
} from "../../shared/protocol/player-state.ts";
import { copied } from "./document.ts";

export interface CollectionSpec {
  /** Of the documents' form, from 1; one more whenever the game reads or writes them differently. */
  readonly format: number;
  /** What a player who has none yet begins with. */
  readonly initial?: Document;
  /** Makes a document of an older format one of this. Without it every older one is taken as it is. */
  readonly migrate?: (fields: Document, format: number) => Document;
}

export type Collections = Readonly<Record<string, CollectionSpec>>;

/** What a game's collections lack, one line each. */
export function collectionProblems(roomClass: string, collections: Collections): string[] {
  const names = Object.keys(collections);
  const problems = names.flatMap((name) => {
    const { format, initial } = collections[name] as CollectionSpec;
    const found: string[] = [];
    if (!Collection.safeParse(name).success) {
      found.push(`${roomClass}.collections: "${name}" is no name; use a-z, 0-9, _ and -`);
    }
    if (!Number.isSafeInteger(format) || format < 1 || format > FORMAT_MAX) {
      found.push(
        `${roomClass}.collections.${name}: has no \`format\` from 1 to ${FORMAT_MAX}; give it 1`,
      );
    }
    const wrong = initial && problemOf(initial);
    if (wrong) found.push(`${roomClass}.collections.${name}.initial: ${wrong}`);
    return found;
  });
  if (names.length > COLLECTIONS_MAX) {
    problems.push(`${roomClass}.collections: has ${names.length}; ${COLLECTIONS_MAX} at most`);
  }
  return problems;
}

function problemOf(document: Document): string | undefined {
  try {
    copied(document);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * The document in this game's format.
 * @throws {MeridianError} `unavailable` for one that newer code has written
 */
export function inFormat(
  name: string,
  { format, migrate }: CollectionSpec,
  stored: { readonly format: number; readonly fields: Document },
): Document {
  if (stored.format === format) return stored.fields;
  if (stored.format > format) {
    throw new MeridianError("unavailable", {
      message: `The player's "${name}" has format ${stored.format}; this game knows ${format}.`,
    });
  }
  return migrate ? migrate(stored.fields, stored.format) : stored.fields;
}
