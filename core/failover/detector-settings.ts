/** What operators set of the detector; the lease and the grace are part of the protocol, as nodes count on them. */
import { z } from "zod";
import { as, type Setting, type Values } from "../../shared/config.ts";
import { GRACE_MS } from "../../shared/protocol/link.ts";
import { DETECTOR_DEFAULTS, type DetectorThresholds } from "./detector-step.ts";

const ms = z.coerce.number().int().positive();
const { lookAfterMs, lookEveryMs, askEveryMs, freshMs, calmMs, witnessesMax } = DETECTOR_DEFAULTS;

export const detectorSettings = {
  DETECTOR_LOOK_AFTER_MS: {
    schema: ms.min(600).max(GRACE_MS),
    description:
      "A node that was not heard for so long, ms, is suspect: the core looks at it and asks other regions. " +
      "Below 600 a node that beats every 500 ms would often be.",
    default: String(lookAfterMs),
  },
  DETECTOR_LOOK_EVERY_MS: {
    schema: ms.min(100),
    description: "From one look at a suspect node to the next, ms.",
    default: String(lookEveryMs),
  },
  DETECTOR_ASK_EVERY_MS: {
    schema: ms.min(100),
    description: "From one question about a suspect node to other regions to the next, ms.",
    default: String(askEveryMs),
  },
  DETECTOR_FRESH_MS: {
    schema: ms.min(1_000),
    description: "How long it counts, ms, what was seen of a suspect node.",
    default: String(freshMs),
  },
  DETECTOR_WITNESSES_MAX: {
    schema: z.coerce.number().int().min(1).max(64),
    description: "How many regions are asked about a suspect node at once.",
    default: String(witnessesMax),
  },
  DETECTOR_CALM_MS: {
    schema: as.wholeNumber,
    description:
      "How long a node that was suspect is heard without a break before it is healthy again, ms; " +
      "doubled with each lapse within a minute, up to 16 times.",
    default: String(calmMs),
  },
} satisfies Record<string, Setting<unknown>>;

export function thresholdsOf(settings: Values<typeof detectorSettings>): DetectorThresholds {
  const calmMs = settings.DETECTOR_CALM_MS;
  return {
    ...DETECTOR_DEFAULTS,
    lookAfterMs: settings.DETECTOR_LOOK_AFTER_MS,
    lookEveryMs: settings.DETECTOR_LOOK_EVERY_MS,
    askEveryMs: settings.DETECTOR_ASK_EVERY_MS,
    freshMs: settings.DETECTOR_FRESH_MS,
    witnessesMax: settings.DETECTOR_WITNESSES_MAX,
    calmMs,
    calmMsMax: 16 * calmMs,
  };
}
