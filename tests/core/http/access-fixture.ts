import { toDatabaseError } from '#core/database/database-error.ts';
import type { AccessDatabase } from '#core/http/access-database.ts';
import { addApiKeyRoutes, type ApiKeyRoutesOptions } from '#core/http/api-keys/api-key-routes.ts';
import { createApiKeyStore, type ApiKeyStore } from '#core/http/api-keys/api-key-store.ts';
import { createApiKeys, type ApiKeys } from '#core/http/api-keys/api-keys.ts';
import { createIdempotency, type Idempotency } from '#core/http/idempotency/idempotency.ts';
import { createIdempotencyStore } from '#core/http/idempotency/idempotency-store.ts';
import { createBudgetStore } from '#core/http/limits/budget-store.ts';
import { addBudgetRoutes } from '#core/http/limits/budget-routes.ts';
import { createBudgets, type Budgets } from '#core/http/limits/budgets.ts';
import type { Config } from '#core/config/settings.ts';
import { createDatabaseFixture } from '../../support/postgres.ts';
import { startHttpFixture, type HttpFixture } from './http-fixture.ts';

/** A node of several on one database: its server, and what it keeps there. */
export interface AccessNode extends HttpFixture {
  readonly apiKeys: ApiKeys;
  readonly budgets: Budgets;
  readonly idempotency: Idempotency;
}

type Audited = Parameters<ApiKeyRoutesOptions['audit']>[0];

export interface AccessFixture {
  readonly database: AccessDatabase;
  readonly keyStore: ApiKeyStore;
  /** Of all nodes. */
  readonly audited: readonly Audited[];
  node(config?: Partial<Config>, now?: () => number): Promise<AccessNode>;
  /** Statements fail from now on as those of a server that is away, or work again. */
  setAway(isAway: boolean): void;
  stop(): Promise<void>;
}

/** Nodes with keys and limits on one real database; a node is stopped with the fixture. */
export async function startAccessFixture(): Promise<AccessFixture> {
  const { database, stop } = await createDatabaseFixture();
  const nodes: AccessNode[] = [];
  const audited: Audited[] = [];
  let away = false;
  const access: AccessDatabase = {
    async query(query) {
      try {
        if (away) throw Object.assign(new Error('connect ECONNREFUSED'), { syscall: 'connect' });
        return await database.admin.query(query);
      } catch (error) {
        throw toDatabaseError(error, query.name);
      }
    },
  };
  const keyStore = createApiKeyStore(access);
  return {
    database: access,
    keyStore,
    audited,
    setAway: (isAway) => (away = isAway),
    async node(overrides = {}, now = Date.now) {
      let doors: Pick<AccessNode, 'apiKeys' | 'budgets' | 'idempotency'> | undefined;
      const fixture = await startHttpFixture(overrides, undefined, (parts) => {
        doors = {
          apiKeys: createApiKeys({ ...parts, store: keyStore, now }),
          budgets: createBudgets({ ...parts, store: createBudgetStore(access), now }),
          idempotency: createIdempotency({ ...parts, store: createIdempotencyStore(access) }),
        };
        return doors;
      });
      if (doors === undefined) throw new TypeError('The server was created without its doors');
      const node = { ...fixture, ...doors };
      const { apiKeys } = doors;
      addApiKeyRoutes({
        routes: fixture.table,
        store: keyStore,
        apiKeys,
        config: fixture.config,
        audit: (change) => void audited.push(change),
        now,
      });
      addBudgetRoutes(fixture.table, doors.budgets);
      nodes.push(node);
      return node;
    },
    async stop() {
      for (const node of nodes) {
        await node.stop();
        await node.budgets.stop();
      }
      await stop();
    },
  };
}
