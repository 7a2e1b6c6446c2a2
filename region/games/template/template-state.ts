/** What every player sees. Nothing of the game is kept anywhere else. */
import { type SchemaType, schema, t } from "@colyseus/schema";

export const TemplatePlayer = schema(
  {
    name: t.string(),
    score: t.uint16().default(0),
  },
  "TemplatePlayer",
);
export type TemplatePlayer = SchemaType<typeof TemplatePlayer>;

export const TemplateState = schema(
  {
    /** By session. */
    players: t.map(TemplatePlayer),
    starX: t.uint16().default(0),
    starY: t.uint16().default(0),
  },
  "TemplateState",
);
export type TemplateState = SchemaType<typeof TemplateState>;
