/** The scaling's settings, from those of the core. */
import { ConfigError } from "../../shared/config.ts";
import type { CoreConfig } from "../config.ts";
import type { ScalingDeps } from "./scaling.ts";

/** @throws {ConfigError} when the settings contradict each other */
export function scalingSettingsOf(
  config: CoreConfig,
): Pick<ScalingDeps, "bounds" | "settings" | "periodMs"> {
  const { SCALING_NODES_MIN: min, SCALING_NODES_MAX: max } = config;
  if (min > max) throw new ConfigError(["SCALING_NODES_MIN is above SCALING_NODES_MAX"]);
  const { SCALING_FILL: fill, SCALING_CALM_FILL: calmFill } = config;
  if (calmFill > fill) throw new ConfigError(["SCALING_CALM_FILL is above SCALING_FILL"]);
  return {
    bounds: { min, max },
    settings: {
      fill,
      calmFill,
      coolDownMs: config.SCALING_COOL_DOWN_MS,
      leadMs: config.SCALING_LEAD_MS,
      // With a share that is fixed the operator has said how much is kept free.
      nPlusOne: config.ADMISSION_HEADROOM === "n+1",
    },
    periodMs: config.SCALING_PERIOD_MS,
  };
}
