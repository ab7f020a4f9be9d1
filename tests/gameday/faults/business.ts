/** What customers wait for, and money. */
import { book, type Device } from '../../support/journey.ts';
import { drivingPlace } from '../devices.ts';
import type { Fault } from '../fault.ts';
import { assignOne, bookOne, orderPlugins as plugins } from '../orders.ts';
import type { System } from '../system.ts';

const drivers = { service: 'drivers' };
const payments = { service: 'payments' };

/** The order is with a driver who has picked it up; its phone is still connected. */
async function pickUp(system: System): Promise<Device> {
  const { orderId, driver, device } = await assignOne(system);
  for (const step of ['start', 'arrive', 'pickup']) await driver.ok('POST', `/orders/${orderId}/${step}`);
  return device;
}

export const businessFaults: readonly Fault[] = [
  {
    name: 'nobody-books',
    what: 'On a Tuesday afternoon an order is booked, and then none for half an hour',
    needs: { plugins, clock: { hour: 15, weekday: 2 } },
    expects: [{ alert: 'OrdersStalled', labels: { service: 'orders' } }],
    async inject(system) {
      await bookOne(system);
      return async () => void (await bookOne(system));
    },
  },
  {
    name: 'nobody-on-shift',
    what: 'An order is booked, and nobody is there to drive',
    needs: { plugins },
    expects: [{ alert: 'OrdersWithoutDriver', labels: drivers }],
    // As old as the figures may be.
    leadSeconds: 40,
    recoverySeconds: 60,
    async inject(system) {
      const orderId = await bookOne(system);
      return () => system.ops.ok<void>('POST', `/orders/${orderId}/cancel`, { reason: 'drill' });
    },
  },
  {
    name: 'driver-lost',
    what: 'A driver who has parcels sends nothing more',
    needs: { plugins, environment: { DRIVERS_SILENT_SECONDS: '30' } },
    expects: [{ alert: 'SilentDriverHasParcels', labels: { ...drivers, found: 'carrying' } }],
    // Half a minute of silence, and it is looked each minute.
    leadSeconds: 130,
    async inject(system) {
      const device = await pickUp(system);
      await device.close();
      return () => Promise.resolve();
    },
  },
  {
    name: 'provider-failing',
    what: 'The payment provider cannot be reached',
    needs: { plugins },
    expects: [{ alert: 'JobsFailing', labels: { ...payments, plugin: 'payments', queue: 'payments.authorise' } }],
    recoverySeconds: 60,
    async inject(system) {
      const customer = await system.core.as('customer', 'customer-1');
      const load = system.caller.keep(() => book(customer, drivingPlace, { paymentMethod: 'tok_unavailable' }), {
        perSecond: 3,
        callers: 12,
      });
      return async () => {
        await load.stop();
        // It can be reached again: all that is asked of it succeeds.
        await system.withDatabase((client) => client.query(`update payments.payments set method = 'tok_visa'`));
      };
    },
  },
  {
    name: 'payment-differs',
    what: 'The provider has a payment that is not known here',
    needs: {
      plugins,
      environment: { PAYMENTS_RECONCILE_CRON: '* * * * *', PAYMENTS_RECONCILE_SETTLE_MINUTES: '0' },
    },
    expects: [{ alert: 'PaymentsUnreconciled', labels: payments }],
    // It is compared each minute, and the figures are as old at most.
    leadSeconds: 150,
    recoverySeconds: 150,
    async inject(system) {
      await system.withDatabase((client) =>
        client.query(
          `insert into payments.sandbox_payments (reference, operation_id, order_id, method, state, amount_minor, currency)
            values ('drill', 'drill', 'drill', 'tok_visa', 'authorised', 590, 'USD')`,
        ),
      );
      return async () => {
        await system.withDatabase((client) =>
          client.query(`delete from payments.sandbox_payments where reference = 'drill'`),
        );
        const { differences } = await system.ops.ok<{ differences: { differenceId: string }[] }>(
          'GET',
          '/payments/differences',
        );
        for (const { differenceId } of differences) {
          await system.ops.ok('POST', `/payments/differences/${differenceId}/resolve`);
        }
      };
    },
  },
  {
    name: 'ledger-unbalanced',
    what: 'An entry is written to the ledger past the check that the sum is zero',
    needs: { plugins: ['orders', 'payments'] },
    expects: [{ alert: 'LedgerImbalance', labels: payments }],
    // As old as the figures may be.
    leadSeconds: 80,
    recoverySeconds: 90,
    async inject(system) {
      const addEntry = (amountMinor: number) =>
        system.withDatabase(async (client) => {
          await client.query('begin');
          await client.query('alter table payments.ledger_entries disable trigger ledger_entries_balance');
          await client.query(
            `insert into payments.ledger_transactions (transaction_id, reference, kind)
              values ('00000000-0000-4000-8000-000000000001', 'drill', 'drill') on conflict do nothing`,
          );
          await client.query(
            `insert into payments.ledger_entries (transaction_id, account, amount_minor, currency)
              values ('00000000-0000-4000-8000-000000000001', 'revenue', $1, 'USD')`,
            [amountMinor],
          );
          await client.query('alter table payments.ledger_entries enable trigger ledger_entries_balance');
          await client.query('commit');
        });
      await addEntry(-590);
      return () => addEntry(590);
    },
  },
];
