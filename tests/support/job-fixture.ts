import { fileURLToPath } from 'node:url';
import { createInvalidations } from '#core/cache/invalidation.ts';
import type { Config } from '#core/config/settings.ts';
import type { Database } from '#core/database/database.ts';
import { preparePlugins } from '#core/database/plugin-roles.ts';
import { createTransactions, type Transactions } from '#core/database/transactions.ts';
import { startJobSystem, type JobSystem } from '#core/jobs/job-system.ts';
import type { OutboxRow } from '#core/jobs/relay-batch.ts';
import { createEventsCapability, type EventsCapabilityOptions } from '#core/plugin-host/capabilities/events.ts';
import { createJobsCapability } from '#core/plugin-host/capabilities/jobs.ts';
import { createDatabaseFixture } from './postgres.ts';
import { type TestTelemetry } from './record-telemetry.ts';

/** Short polls and retries, so that a test waits for what happens and not for the clock. */
export const quickConfig = {
  outboxPollMs: 200,
  jobPollMs: 500,
  jobRetryDelayMs: 1000,
  jobTimeoutMs: 10_000,
  shutdownTimeoutMs: 5000,
} as const satisfies Partial<Config>;

export interface Node {
  readonly jobs: JobSystem;
  readonly forged: OutboxRow[];
  readonly events: ReturnType<typeof createEventsCapability>;
  readonly work: ReturnType<typeof createJobsCapability>;
}

export interface JobFixture {
  readonly database: Database;
  readonly config: Config;
  readonly telemetry: TestTelemetry;
  readonly transactions: Transactions;
  /** One more core on the same database. */
  startNode(options?: Pick<EventsCapabilityOptions, 'requestsWaiting'>): Promise<Node>;
  stop(): Promise<void>;
}

/** A migrated database with the login roles of these plugins, and as many cores on it as the test starts. */
export async function createJobFixture(plugins: readonly string[], config: Partial<Config> = {}): Promise<JobFixture> {
  const fixture = await createDatabaseFixture({
    plugins: plugins.map((name) => ({ name })),
    config: { ...quickConfig, ...config },
  });
  const { database, telemetry } = fixture;
  const migrationsDir = fileURLToPath(new URL('no-migrations', import.meta.url));
  const preparations = plugins.map((name) => ({ name, migrationsDir, publishes: [], reads: [] }));
  await preparePlugins(database, preparations, { config: fixture.config });
  const transactions = createTransactions({ database, config: fixture.config, telemetry });
  const nodes: Node[] = [];
  return {
    database,
    config: fixture.config,
    telemetry,
    transactions,
    async startNode(options = {}) {
      const forged: OutboxRow[] = [];
      const jobs = await startJobSystem({
        database,
        config: fixture.config,
        telemetry,
        onForged: (row) => forged.push(row),
      });
      const invalidations = createInvalidations({ caches: [], telemetry });
      const deps = { jobs, transactions, invalidations, config: fixture.config, telemetry, ...options };
      const node = { jobs, forged, events: createEventsCapability(deps), work: createJobsCapability(deps) };
      nodes.push(node);
      return node;
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.jobs.stop()));
      await transactions.stop();
      await fixture.stop();
    },
  };
}
