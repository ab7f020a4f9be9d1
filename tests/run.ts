/** Runs the tests with one Postgres for all files: `npm test`, or `npm test -- tests/core/jobs` for a part. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { endStartedAtExit } from './support/end-started.ts';
import { startTestServer } from './support/test-server.ts';

const root = path.resolve(import.meta.dirname, '..');
const testTimeoutMs = 180_000;
/** Files at once: each starts processes of its own. */
const concurrency = 2;

async function findTests(place: string): Promise<readonly string[]> {
  if ((await stat(place)).isFile()) return [place];
  const names = await readdir(place, { recursive: true });
  return names
    .filter((name) => name.endsWith('.test.ts') && !name.includes(`fixtures${path.sep}`))
    .map((name) => path.join(place, name))
    .sort();
}

const places = process.argv.slice(2);
const files = (await Promise.all((places.length > 0 ? places : [path.join(root, 'tests')]).map(findTests))).flat();
if (files.length === 0) throw new Error(`No test file in ${places.join(', ')}`);
endStartedAtExit();
const server = await startTestServer();
let status = 1;
try {
  const args = [
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${testTimeoutMs}`,
    '--test-reporter=spec',
    `--import=${new URL('support/file-deadline.ts', import.meta.url).href}`,
    ...files,
  ];
  const env = { ...process.env, RETURNIT_TEST_DATABASE_URL: server.url };
  const runner = spawn(process.execPath, args, { cwd: root, stdio: 'inherit', env });
  const [code] = (await once(runner, 'exit')) as [number | null];
  status = code ?? 1;
} finally {
  await server.stop();
}
process.exitCode = status;
