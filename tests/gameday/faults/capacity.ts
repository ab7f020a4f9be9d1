/** More than the platform is laid out for, nearly. */
import { watchBySocket, type LiveClient } from '../../support/live-client.ts';
import { book, orderReached } from '../../support/journey.ts';
import { drivingPlace } from '../devices.ts';
import type { Fault } from '../fault.ts';

const core = { service: 'core' };

export const capacityFaults: readonly Fault[] = [
  {
    name: 'many-requests',
    what: 'More than 8,000 requests a minute',
    expects: [{ alert: 'CapacityRequests', labels: core }],
    async inject({ caller }) {
      const load = caller.keep(() => caller.get('/plugins'), { perSecond: 175, callers: 16 });
      return () => load.stop();
    },
  },
  {
    name: 'many-users',
    what: 'More than 800 people ask for something now and then',
    // What is five minutes elsewhere.
    needs: { environment: { HTTP_ACTIVE_USER_MS: '20000' } },
    expects: [{ alert: 'CapacityUsers', labels: core }],
    async inject({ core: { as }, caller }) {
      const users = await Promise.all(Array.from({ length: 850 }, (_, n) => as('customer', `customer-${n}`)));
      // Each of them every 14 seconds. Refused or not: they are there.
      const ask = (count: number): Promise<unknown> | undefined =>
        users[count % users.length]?.request('GET', '/plugins');
      const load = caller.keep(async (count) => ask(count), { perSecond: 60, callers: 8 });
      return () => load.stop();
    },
  },
  {
    name: 'many-statements',
    what: 'More than 800 statements a second',
    expects: [{ alert: 'CapacityQueries', labels: core }],
    async inject({ caller }) {
      const load = caller.keep(() => caller.post('/saboteur/things', { amount: 100 }), { perSecond: 12, callers: 4 });
      return () => load.stop();
    },
  },
  {
    name: 'many-watchers',
    what: 'More than 400 live connections',
    needs: {
      plugins: ['orders', 'payments', 'drivers', 'tracking'],
      environment: { LIVE_CONNECTIONS_PER_PRINCIPAL_MAX: '1000', HTTP_READS_PER_MINUTE: '1000000' },
    },
    expects: [{ alert: 'CapacityLive', labels: core }],
    async inject({ core: { as, addresses }, ops }) {
      const customer = await as('customer', 'customer-1');
      const { orderId } = await book(customer, drivingPlace);
      await orderReached(customer, orderId, 'scheduled');
      const watch = (): Promise<LiveClient> =>
        watchBySocket({ url: addresses.api, token: ops.token ?? '', channel: `orders/${orderId}/position` });
      const clients: LiveClient[] = [];
      while (clients.length < 420) clients.push(...(await Promise.all(Array.from({ length: 20 }, watch))));
      return async () => {
        for (const client of clients) client.close();
      };
    },
  },
];
