/** `npm run docs`: writes the generated documents; with `--check` only tells whether they are stale. */
import { isCurrent, writeConfigurationPage } from "./configuration.ts";

const [option, ...more] = process.argv.slice(2);
if (option === undefined) {
  console.log(`wrote ${writeConfigurationPage()}`);
} else if (option !== "--check" || more.length > 0) {
  console.error("Usage: npm run docs [-- --check]");
  process.exitCode = 2;
} else if (!isCurrent()) {
  console.error('✗ docs/configuration.md is stale: run "npm run docs"');
  process.exitCode = 1;
}
