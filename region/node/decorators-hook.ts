/**
 * Lets game code use Colyseus' decorators (`@type("number") x = 0`). Node strips types but does not
 * know decorators, so TypeScript files that use them go through esbuild, with the two options that
 * Colyseus asks for. Everything else, and everything in node_modules, is left to Node.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

/** A decorator at the start of a line, or after the keyword or brace that may come before one. */
const DECORATOR = /(?:^|[;{}]|\bexport|\bdefault)[ \t]*@[A-Za-z_$][\w$.]*/m;

const COMPILER_OPTIONS = {
  experimentalDecorators: true,
  useDefineForClassFields: false,
  verbatimModuleSyntax: true,
};

/** From now on; the answer undoes it. */
export function registerDecoratorsHook(): () => void {
  const hooks = registerHooks({
    load(url, context, nextLoad) {
      const source = decoratedSource(url);
      if (source === undefined) return nextLoad(url, context);
      const { code } = transformSync(source, {
        loader: "ts",
        format: "esm",
        target: "node22",
        sourcefile: fileURLToPath(url),
        sourcemap: "inline",
        tsconfigRaw: { compilerOptions: COMPILER_OPTIONS },
      });
      return { format: "module", source: code, shortCircuit: true };
    },
  });
  return () => hooks.deregister();
}

function decoratedSource(url: string): string | undefined {
  if (!url.startsWith("file:") || !url.endsWith(".ts") || url.includes("/node_modules/")) {
    return undefined;
  }
  const source = readFileSync(fileURLToPath(url), "utf8");
  return DECORATOR.test(withoutComments(source)) ? source : undefined;
}

/** Documentation comments are full of `@param`. */
function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
}
