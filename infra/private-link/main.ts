/** `npm run authority -- …` */
import { runAuthority, USAGE, UsageError } from "./command.ts";

try {
  console.log(await runAuthority(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (error instanceof UsageError) console.error(`\n${USAGE}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
