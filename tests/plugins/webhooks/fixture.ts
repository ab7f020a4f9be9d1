/** The plugin on a real database, with a receiver; time passes by moving what is written down. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { plugin } from '../../../plugins/webhooks/plugin.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { runPlugin, type Reply, type RunningPlugin } from '../support/plugin-context.ts';
import { answer, startReceiver, type Receiver } from './receiver.ts';

export const secretKey = Buffer.alloc(32, 9).toString('base64');

export interface MadeEndpoint {
  readonly endpointId: string;
  readonly secret: string;
  readonly etag: string;
}

export interface Bench {
  readonly data: PluginDatabase;
  readonly receiver: Receiver;
  readonly running: RunningPlugin;
  /** Sets the plugin up anew on an empty database. */
  start(env?: Readonly<Record<string, string>>): Promise<void>;
  /** Sets it up anew with what is there. */
  restart(env?: Readonly<Record<string, string>>): Promise<void>;
  /** As a partner, or as ops. */
  ask(route: string, request?: object, partnerId?: string): Promise<Reply>;
  askOps(route: string, request?: object): Promise<Reply>;
  /** The receiver knows its secret. */
  make(body?: object, partnerId?: string): Promise<MadeEndpoint>;
  tell(name: string, facts?: object, id?: string): Promise<void>;
  /** Lets so much time pass for what waits. */
  pass(seconds: number): Promise<void>;
  deliveries(query?: object): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

export const orderId = '01900000-0000-7000-8000-000000000001';

export async function createBench(): Promise<Bench> {
  const data = await createPluginDatabase('webhooks');
  const receiver = await startReceiver();
  let running: RunningPlugin | undefined;
  const current = (): RunningPlugin => running ?? assert.fail('start() was not called');
  const bench: Bench = {
    data,
    receiver,
    get running() {
      return current();
    },
    async start(env = {}) {
      await plugin.stop?.();
      await data.sql(
        'truncate webhook_attempts, webhook_deliveries, webhook_messages, webhook_secrets, webhook_endpoints, webhook_partners',
      );
      receiver.received.length = 0;
      receiver.forged.length = 0;
      receiver.secrets.clear();
      receiver.manner = answer(204);
      await bench.restart(env);
    },
    async restart(env = {}) {
      running = await runPlugin(plugin, data.db, {
        WEBHOOKS_SECRET_KEY: secretKey,
        WEBHOOKS_ALLOW_HTTP: '1',
        WEBHOOKS_POLL_MS: '50',
        ...env,
      });
    },
    ask: (route, request = {}, partnerId = 'p1') =>
      current().request(route, { principal: { role: 'partner', id: partnerId }, ...request }),
    askOps: (route, request = {}) => current().request(route, { principal: { role: 'ops', id: 'o1' }, ...request }),
    async make(body = {}, partnerId = 'p1') {
      const reply = await bench.ask('POST /webhooks/endpoints', { body: { url: receiver.url, ...body } }, partnerId);
      assert.equal(reply.status, 201, JSON.stringify(reply.body));
      const { endpointId, secret } = reply.body;
      receiver.secrets.add(String(secret));
      return { endpointId: String(endpointId), secret: String(secret), etag: reply.headers?.['etag'] ?? '' };
    },
    tell: (name, facts = {}, id = randomUUID()) => current().deliver(name, { orderId, partnerId: 'p1', ...facts }, id),
    async pass(seconds) {
      const interval = `interval '${seconds} seconds'`;
      await data.sql(`update webhook_deliveries set due_at = due_at - ${interval}, held_until = held_until - ${interval}, expires_at = expires_at - ${interval},
        leased_until = leased_until - ${interval}, created_at = created_at - ${interval}, finished_at = finished_at - ${interval}`);
      await data.sql(`update webhook_messages set created_at = created_at - ${interval}`);
      await data.sql(`update webhook_endpoints set paused_until = paused_until - ${interval},
        failing_since = failing_since - ${interval}, deleted_at = deleted_at - ${interval}`);
      await data.sql(`update webhook_secrets set expires_at = expires_at - ${interval}`);
    },
    async deliveries(query = {}) {
      const reply = await bench.askOps('GET /webhooks/deliveries', { query: { limit: 100, ...query } });
      return reply.body['deliveries'] as Record<string, unknown>[];
    },
    async stop() {
      await plugin.stop?.();
      await receiver.stop();
      await data.stop();
    },
  };
  return bench;
}
