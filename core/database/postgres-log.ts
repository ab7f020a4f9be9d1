import { copyFileSync, existsSync, statSync, truncateSync } from 'node:fs';

const checkMs = 60_000;
const bytesMax = 8 * 1024 * 1024;

/**
 * Bounds a log file that Postgres appends to: the full file becomes `<file>.1` and begins anew. It is copied and cut,
 * not renamed, since Postgres keeps it open; and it is a file, not a pipe through the core, so that Postgres neither
 * waits for a busy core nor loses its log when the core dies.
 *
 * @returns stops it
 */
export function limitLogFile(file: string): () => void {
  const limit = (): void => {
    if (!existsSync(file) || statSync(file).size <= bytesMax) return;
    copyFileSync(file, `${file}.1`);
    truncateSync(file);
  };
  limit();
  const timer = setInterval(limit, checkMs).unref();
  return () => clearInterval(timer);
}
