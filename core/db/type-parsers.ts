/** How columns become values: counters are `bigint` in the tables and safe integers here. */
import pg from "pg";

const INT8_OID = 20;

export const typeParserOf: typeof pg.types.getTypeParser = (oid: number, format?: unknown) =>
  oid === INT8_OID ? Number : pg.types.getTypeParser(oid, format === "binary" ? "binary" : "text");
