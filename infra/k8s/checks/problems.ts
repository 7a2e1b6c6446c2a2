/** All that the checks find in one overlay. */
import { hardeningProblems } from "./hardening.ts";
import { type Manifest, podsOf } from "./manifest.ts";
import { networkProblems } from "./network.ts";
import { referenceProblems } from "./references.ts";
import { schemaProblems } from "./schema.ts";
import { type SettingsContext, settingsProblems } from "./settings.ts";

/** One line each; the schema's alone where there are any, because the others read objects as it says they are. */
export async function problemsOf(context: SettingsContext): Promise<readonly string[]> {
  const { manifests, elsewhere, secrets } = context;
  const wrong = await Promise.all(manifests.map((manifest: Manifest) => schemaProblems(manifest)));
  const invalid = wrong.flat();
  if (invalid.length > 0) return invalid;
  return [
    ...referenceProblems(manifests, secrets),
    ...networkProblems(manifests, podsOf(elsewhere)),
    ...hardeningProblems(manifests),
    ...settingsProblems(context),
  ];
}
