/** What is wrong with the database, and with those who wait for it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Load } from '../caller.ts';
import type { Fault } from '../fault.ts';
import { holdLock, holdLockOftenFor } from '../hold-lock.ts';
import type { System } from '../system.ts';

const saboteur = { service: 'saboteur' };
const pool = { ...saboteur, db_client_connection_pool_name: 'saboteur' };
const table = 'saboteur.thing';

/**
 * So many ask the database again and again, one statement a request. With a pause, or a moment without the lock would be
 * full of quick statements.
 */
const asking = ({ caller }: System, callers: number): Load =>
  caller.keep(
    async () => {
      await caller.post('/saboteur/things', { amount: 1 });
      await delay(150);
    },
    { perSecond: 50, callers },
  );

export const databaseFaults: readonly Fault[] = [
  {
    name: 'postgres-restarted',
    what: 'Postgres is stopped for some seconds and started again',
    needs: { externalPostgres: true },
    expects: [{ alert: 'DatabaseDown', labels: { service: 'core' } }],
    async inject({ postgres }) {
      await postgres?.end();
      return async () => postgres?.start();
    },
  },
  {
    name: 'database-grows',
    what: 'A table grows beyond what the database may take',
    // A small budget for a small machine, and none for what the drill is not about.
    needs: {
      environment: {
        RESOURCE_DATABASE_BYTES: '150000000',
        RESOURCE_COMPUTE_CORES: '0',
        RESOURCE_MEMORY_BYTES: '0',
        RESOURCE_STORAGE_BYTES: '0',
        DB_STATISTICS_INTERVAL_MS: '1000',
      },
    },
    expects: [{ alert: 'ResourceHigh', labels: { service: 'core', resource: 'database' } }],
    async inject({ withDatabase }) {
      await withDatabase((client) =>
        client.query(`create table public.ballast as
          select string_agg(md5(random()::text), '') as text from generate_series(1, 4500000) n group by n % 150000`),
      );
      return async () => void (await withDatabase((client) => client.query('drop table public.ballast')));
    },
  },
  {
    name: 'slow-queries',
    what: 'Statements of a plugin wait for a lock that comes again and again',
    expects: [{ alert: 'QueriesSlow', labels: { ...saboteur, plugin: 'saboteur' } }],
    consequences: [{ alert: 'ErrorBudgetPromptnessBurnsFast', because: 'who asks waits as long as the statement' }],
    async inject(system) {
      const release = await holdLockOftenFor(system, table, { heldMs: 1500, pauseMs: 20 });
      const load = asking(system, 3);
      return async () => {
        await release();
        await load.stop();
      };
    },
  },
  {
    name: 'slow-tail',
    what: 'A lock is held for a moment every few seconds: most statements of a plugin are quick',
    expects: [{ alert: 'QueriesTailSlow', labels: { ...saboteur, plugin: 'saboteur' } }],
    async inject(system) {
      const release = await holdLockOftenFor(system, table, { heldMs: 900, pauseMs: 3000 });
      const load = asking(system, 4);
      return async () => {
        await release();
        await load.stop();
      };
    },
  },
  {
    name: 'pool-saturated',
    what: 'As many statements as a plugin has connections wait for a lock, and nobody else',
    expects: [{ alert: 'PoolSaturated', labels: pool }],
    consequences: [{ alert: 'ErrorBudgetPromptnessBurnsFast', because: 'who asks waits as long as the statement' }],
    async inject(system) {
      const release = await holdLock(system, table);
      const load = asking(system, 4);
      return async () => {
        await release();
        await load.stop();
      };
    },
  },
  {
    name: 'pool-waiting',
    what: 'More ask than a plugin has connections, and each statement takes a while',
    expects: [{ alert: 'PoolWaiting', labels: pool }],
    consequences: [
      { alert: 'ErrorBudgetPromptnessBurnsFast', because: 'who asks waits as long as the statement' },
      { alert: 'PoolExhausted', because: 'all connections are in use between two releases of the lock' },
    ],
    async inject(system) {
      const release = await holdLockOftenFor(system, table, { heldMs: 500, pauseMs: 500 });
      const load = asking(system, 8);
      return async () => {
        await release();
        await load.stop();
      };
    },
  },
  {
    name: 'pool-exhausted',
    what: 'More ask than a plugin has connections, and none comes back',
    expects: [{ alert: 'PoolExhausted', labels: pool }],
    consequences: [
      { alert: 'ErrorBudgetPromptnessBurnsFast', because: 'who asks waits as long as the statement' },
      { alert: 'ErrorBudgetBurnsFast', because: 'who has waited as long as a call may is answered 5xx' },
      { alert: 'RequestsFailing', because: 'the same, when it lasts' },
    ],
    async inject(system) {
      const release = await holdLock(system, table);
      const load = asking(system, 12);
      return async () => {
        await release();
        await load.stop();
      };
    },
  },
];
