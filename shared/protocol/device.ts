import { printableText } from "./text.ts";

/** Any stable text that tells this device from the player's others. */
export const Device = printableText(64).default("unknown");
