/** A core that does nothing but relay, in a process of its own, so that a test can kill it. Usage: relay-child.ts URL */
import { Pool } from 'pg';
import { pino } from 'pino';
import { loadConfig } from '#core/config/config.ts';
import { createBoss } from '#core/jobs/boss.ts';
import { createQueues } from '#core/jobs/queues.ts';
import { createRelay } from '#core/jobs/relay.ts';
import { loadSeal } from '#core/jobs/seal.ts';
import { Workers } from '#core/jobs/workers.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';

const url = process.argv[2] ?? '';
const logger = pino({ level: 'error' });
const telemetry = { metrics: createMetrics({ labelSetsMax: 100 }), logger };
// Small batches: more transactions, more moments to be killed in.
const config = loadConfig({}, { outboxBatchMax: 3, outboxPollMs: 20 });
const pool = new Pool({ connectionString: url, max: 3 });
const boss = createBoss({ pool, config, telemetry });
await boss.start();
const queues = createQueues({ boss: boss.queues, config });
const seal = await loadSeal(pool);
const relay = createRelay({
  boss: boss.queues,
  queues,
  seal,
  nodeId: 'relay',
  pool,
  workers: new Workers(),
  config,
  telemetry,
  onForged: () => undefined,
});
relay.start();
process.send?.('ready');
