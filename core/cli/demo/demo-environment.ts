import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const keyBytes = 32;

/**
 * Variables that plugins need and that whoever tries the demo has not set. The key that seals partners' secrets is made at
 * the first demo, beside the key that signs tokens, and stays: what was sealed by it opens at the next demo.
 */
export async function loadDemoEnvironment(dataDir: string): Promise<Readonly<Record<string, string>>> {
  const folder = join(dataDir, 'keys');
  const file = join(folder, 'demo-webhooks-key');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // `wx`: the first demo writes it, every later one reads it.
  await writeFile(file, `${randomBytes(keyBytes).toString('base64')}\n`, { flag: 'wx', mode: 0o600 }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    },
  );
  return { WEBHOOKS_SECRET_KEY: (await readFile(file, 'utf8')).trim() };
}
