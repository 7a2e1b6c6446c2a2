/** `npm run restore -- …` */
import { systemClock } from "../../shared/clock.ts";
import { UsageError } from "./command.ts";
import { runRestore, USAGE } from "./restore-command.ts";
import { runCommand } from "./run-command.ts";

await runCommand(USAGE, UsageError, (signal, say) =>
  runRestore(process.argv.slice(2), { clock: systemClock, say, signal }),
);
