/** Keys and limits of the API: what they keep lies in the database, whichever node is asked. */
import type { Database } from '#core/database/database.ts';
import { toDatabaseError } from '#core/database/database-error.ts';
import type { AccessDatabase } from '#core/http/access-database.ts';
import { createApiKeyStore } from '#core/http/api-keys/api-key-store.ts';
import { addApiKeyRoutes } from '#core/http/api-keys/api-key-routes.ts';
import { apiKeyChannel, createApiKeys, type ApiKeys } from '#core/http/api-keys/api-keys.ts';
import { createIdempotency, type Idempotency } from '#core/http/idempotency/idempotency.ts';
import { createIdempotencyStore } from '#core/http/idempotency/idempotency-store.ts';
import { createBudgetStore, type BudgetStore } from '#core/http/limits/budget-store.ts';
import { addBudgetRoutes } from '#core/http/limits/budget-routes.ts';
import { createBudgets, type Budgets } from '#core/http/limits/budgets.ts';
import type { RouteTable } from '#core/http/route-table.ts';
import { createSlots } from '#core/jobs/slots.ts';
import type { Backends } from './backends.ts';
import type { Foundation } from './foundation.ts';
import { platformVersion } from './platform-version.ts';

export interface Access {
  readonly apiKeys: ApiKeys;
  readonly budgets: Budgets;
  readonly idempotency: Idempotency;
  /** Management of keys and budgets; they take their paths before any plugin can. */
  addRoutes(routes: RouteTable): void;
}

const sweepQueue = 'core.access-sweep';
/** Every ten minutes, and not when the hour's other sweeps are. */
const sweepCron = '7-57/10 * * * *';
const batchMax = 1000;
const budgetDaysKept = 35;
const dayMs = 86_400_000;

export async function createAccess(
  foundation: Foundation,
  { database, jobs }: Pick<Backends, 'database' | 'jobs'>,
  cleanup: AsyncDisposableStack,
): Promise<Access> {
  const { config, telemetry } = foundation;
  const { metrics } = telemetry;
  const logger = telemetry.logger.child({ component: 'access' });
  const access = toAccessDatabase(database);
  const keyStore = createApiKeyStore(access);
  const budgetStore = createBudgetStore(access);
  const apiKeys = createApiKeys({ store: keyStore, config, metrics, logger });
  const budgets = createBudgets({ store: budgetStore, config, metrics, logger });
  cleanup.defer(() => budgets.stop());
  const idempotency = createIdempotency({ store: createIdempotencyStore(access), config, metrics, logger });
  await jobs.listener.listen(apiKeyChannel, {
    onNotification: (keyId) => apiKeys.changed(keyId),
    onReconnect: () => apiKeys.changed(null),
  });
  await startSweep(jobs, { idempotency, budgetStore }, cleanup);
  return {
    apiKeys,
    budgets,
    idempotency,
    addRoutes(routes) {
      addApiKeyRoutes({ routes, store: keyStore, apiKeys, config, audit: createKeyAudit(foundation) });
      addBudgetRoutes(routes, budgets);
    },
  };
}

function createKeyAudit({ audit }: Foundation): Parameters<typeof addApiKeyRoutes>[0]['audit'] {
  const plugin = { name: 'core', version: platformVersion };
  return (change) => audit.accessChanged({ plugin, method: 'api-keys', ...change });
}

/** Forgets what is out of date, on one of the nodes, some rows at a time. */
async function startSweep(
  jobs: Backends['jobs'],
  stores: { readonly idempotency: Idempotency; readonly budgetStore: BudgetStore },
  cleanup: AsyncDisposableStack,
): Promise<void> {
  const stopping = new AbortController();
  cleanup.defer(() => stopping.abort());
  await jobs.schedules.set({ plugin: 'core', queue: sweepQueue, cron: sweepCron, timeZone: 'UTC', data: {} });
  await jobs.work({
    queue: sweepQueue,
    plugin: 'core',
    slots: createSlots(1),
    gone: stopping.signal,
    async handle() {
      await stores.idempotency.sweep(stopping.signal);
      const before = new Date(Date.now() - budgetDaysKept * dayMs).toISOString().slice(0, 10);
      while (!stopping.signal.aborted && (await stores.budgetStore.forget(before, batchMax)) === batchMax);
    },
  });
}

/** A database that is away is told as such. */
export function toAccessDatabase({ admin }: Database): AccessDatabase {
  return {
    async query(query) {
      try {
        return await admin.query(query);
      } catch (error) {
        throw toDatabaseError(error, query.name);
      }
    },
  };
}
