import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDataFolder } from '#core/database/data-folder.ts';
import { startEmbeddedPostgres } from '#core/database/embedded-postgres.ts';
import { recordTelemetry } from './record-telemetry.ts';

export interface TestServer {
  /** Of its superuser. */
  readonly url: string;
  /** Of its postmaster. */
  readonly pid: number;
  stop(): Promise<void>;
}

export interface TestServerOptions {
  /** @default 200 */
  readonly connectionsMax?: number;
  /** Flushes what was committed, as the embedded Postgres of the platform does. @default false */
  readonly isDurable?: boolean;
}

/**
 * A real Postgres in a temporary folder, for a runner that shares it among all test files. The caller stops it. Nothing
 * here loads node:test: a process that does ends with a summary of its own tests, even when there are none.
 */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const dataDir = mkdtempSync(join(tmpdir(), 'returnit-test-'));
  const folder = lockDataFolder(dataDir);
  const postgres = await startEmbeddedPostgres({
    dataDir,
    connectionsMax: options.connectionsMax ?? 200,
    telemetry: recordTelemetry(),
    // What the tests wrote is thrown away: nothing is worth a flush.
    settings: options.isDurable === true ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
  });
  return {
    url: postgres.url,
    pid: postgres.pid,
    async stop() {
      await postgres.stop();
      folder.release();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
