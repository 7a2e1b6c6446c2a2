/**
 * A folder of backups:
 *
 *     wal/                  the archive of the write-ahead log; the server's user writes it
 *     wal/archive-wal.sh    what does so
 *     base/NAME/            base backups: manifest.json and data/
 *     lock                  names the process that works on base/
 */
import { join } from "node:path";

export function backupFolder(dir: string) {
  const base = join(dir, "base");
  return {
    wal: join(dir, "wal"),
    base,
    lock: join(dir, "lock"),
    backup: (name: string) => join(base, name),
  };
}

/** Of a backup's folder. */
export function backupFiles(folder: string) {
  return { manifest: join(folder, "manifest.json"), data: join(folder, "data") };
}
