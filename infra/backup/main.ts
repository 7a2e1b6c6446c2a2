/** `npm run backup -- …` */
import { systemClock } from "../../shared/clock.ts";
import { runBackup, USAGE, UsageError } from "./command.ts";
import { runCommand } from "./run-command.ts";

await runCommand(USAGE, UsageError, (signal, say) =>
  runBackup(process.argv.slice(2), { env: process.env, clock: systemClock, say, signal }),
);
