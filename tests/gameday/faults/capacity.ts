/** As much as the platform is laid out for, nearly, and more than that. */
import { watchBySocket, type LiveClient } from '../../support/live-client.ts';
import type { Fault } from '../fault.ts';
import { assignOne, orderPlugins } from '../orders.ts';
import type { SystemNeeds } from '../system.ts';

const core = { service: 'core' };

type Inject = Fault['inject'];

const requests =
  (perSecond: number): Inject =>
  async ({ caller }) => {
    const load = caller.keep(() => caller.get('/plugins'), { perSecond, callers: 16 });
    return () => load.stop();
  };

/** What is five minutes elsewhere. */
const usersNeed: SystemNeeds = { environment: { HTTP_ACTIVE_USER_MS: '20000' } };

const users =
  (count: number): Inject =>
  async ({ core: { as }, caller }) => {
    const all = await Promise.all(Array.from({ length: count }, (_, n) => as('customer', `customer-${n}`)));
    // Refused or not: they are there.
    const ask = (number: number): Promise<unknown> | undefined => all[number % count]?.request('GET', '/plugins');
    // Each of them every 14 seconds.
    const load = caller.keep(async (number) => ask(number), { perSecond: count / 14, callers: 8 });
    return () => load.stop();
  };

const statements =
  (perSecond: number): Inject =>
  async ({ caller }) => {
    const load = caller.keep(() => caller.post('/saboteur/things', { amount: 100 }), {
      perSecond: perSecond / 100,
      callers: 6,
    });
    return () => load.stop();
  };

const watchersNeed: SystemNeeds = {
  plugins: orderPlugins,
  environment: { LIVE_CONNECTIONS_PER_PRINCIPAL_MAX: '1000', HTTP_READS_PER_MINUTE: '1000000' },
};

const watchers =
  (count: number): Inject =>
  async (system) => {
    const { orderId, device } = await assignOne(system);
    const watch = (): Promise<LiveClient> =>
      watchBySocket({
        url: system.core.addresses.api,
        token: system.ops.token ?? '',
        channel: `orders/${orderId}/position`,
      });
    const clients: LiveClient[] = [];
    while (clients.length < count) clients.push(...(await Promise.all(Array.from({ length: 20 }, watch))));
    return async () => {
      for (const client of clients) client.close();
      await device.close();
    };
  };

export const capacityFaults: readonly Fault[] = [
  {
    name: 'many-requests',
    what: 'More than 8,000 requests a minute',
    expects: [{ alert: 'CapacityRequests', labels: core }],
    inject: requests(150),
  },
  {
    name: 'too-many-requests',
    what: 'More than 10,000 requests a minute',
    expects: [{ alert: 'CapacityRequestsExceeded', labels: core }],
    inject: requests(200),
  },
  {
    name: 'many-users',
    what: 'More than 800 people ask for something now and then',
    needs: usersNeed,
    expects: [{ alert: 'CapacityUsers', labels: core }],
    inject: users(850),
  },
  {
    name: 'too-many-users',
    what: 'More than 1,000 people do',
    needs: usersNeed,
    expects: [{ alert: 'CapacityUsersExceeded', labels: core }],
    inject: users(1100),
  },
  {
    name: 'many-statements',
    what: 'More than 800 statements a second',
    expects: [{ alert: 'CapacityQueries', labels: core }],
    inject: statements(900),
  },
  {
    name: 'too-many-statements',
    what: 'More than 1,000 statements a second',
    expects: [{ alert: 'CapacityQueriesExceeded', labels: core }],
    inject: statements(1300),
  },
  {
    name: 'many-watchers',
    what: 'More than 400 live connections',
    needs: watchersNeed,
    expects: [{ alert: 'CapacityLive', labels: core }],
    inject: watchers(420),
  },
  {
    name: 'too-many-watchers',
    what: 'More than 500 live connections',
    needs: watchersNeed,
    expects: [{ alert: 'CapacityLiveExceeded', labels: core }],
    inject: watchers(520),
  },
];
