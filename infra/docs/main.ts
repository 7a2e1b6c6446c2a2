/** `npm run docs`: writes the generated documents; with `--check` only tells whether they are stale. */
import { benchmarks } from "../../loadtest/bench/benchmarks.ts";
import { isPageCurrent, rewritePage } from "../../loadtest/bench/report/report.ts";
import { isCurrent, writeConfigurationPage } from "./configuration.ts";

const [option, ...more] = process.argv.slice(2);
if (option === undefined) {
  console.log(`wrote ${writeConfigurationPage()}`);
  console.log(`wrote ${rewritePage(benchmarks)}`);
} else if (option !== "--check" || more.length > 0) {
  console.error("Usage: npm run docs [-- --check]");
  process.exitCode = 2;
} else {
  const stale = [
    ...(isCurrent() ? [] : ["docs/configuration.md"]),
    ...(isPageCurrent(benchmarks) ? [] : ["docs/benchmarks.md"]),
  ];
  for (const page of stale) console.error(`✗ ${page} is stale: run "npm run docs"`);
  if (stale.length > 0) process.exitCode = 1;
}
