/** For tests: a database that counts the statements it is given, by the table or function they read. */
import type { Database } from "../db/database.ts";

export class CountedStatements {
  readonly texts: string[] = [];
  /** When set, statements wait for it before they are sent. */
  held: Promise<void> | undefined;
  /** When set, statements fail with it. */
  failure: Error | undefined;

  on(database: Database): Database {
    return new Proxy(database, {
      get: (target, key) => {
        const value = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        if (key !== "rows" && key !== "run") return value.bind(target);
        return async (text: string, values?: readonly unknown[]) => {
          this.texts.push(text);
          await this.held;
          if (this.failure) throw this.failure;
          return value.call(target, text, values);
        };
      },
    });
  }

  /** Statements that look players up: all but those that fill the filter or read changes. */
  get lookUps(): number {
    return this.texts.filter((text) => /= any\(|unnest/.test(text)).length;
  }
}
