/**
 * Loaded into the process of each test file: ends one that goes on after its last test, for instance because a failed
 * test left a server behind. The time-outs of node:test concern tests, neither hooks nor what runs when all is over.
 */
import { isMainThread } from 'node:worker_threads';

const deadlineMs = Number(process.env['RETURNIT_TEST_FILE_DEADLINE_MS'] ?? 600_000);

if (isMainThread) {
  setTimeout(() => {
    const held = process.getActiveResourcesInfo().join(', ');
    process.stderr.write(`The test file did not end within ${deadlineMs} ms; it is held by ${held}\n`);
    process.exit(1);
  }, deadlineMs).unref();
}
