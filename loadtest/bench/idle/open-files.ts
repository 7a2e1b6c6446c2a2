/** How many files, sockets among them, this process may have open. Node raises it as far as it may. */
export function openFilesMax(): number {
  const report = process.report.getReport() as unknown as Report;
  const soft = report.userLimits.open_files.soft;
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

interface Report {
  readonly userLimits: { readonly open_files: { readonly soft: string | number } };
}
