import { thresholds as t } from '#core/config/thresholds.ts';
import type { Alert, AlertCases } from './alert.ts';

/** Of a gauge that is to be above 0 for 5 minutes. */
const lasting = (series: string): Pick<AlertCases, 'boundary' | 'resolves'> => ({
  boundary: { samples: { [series]: '0 1x4 0x10' }, at: '5m' },
  resolves: { samples: { [series]: '2x8 0x8' }, firesAt: '8m', at: '10m' },
});

const booked = (growth: string) => ({
  'returnit_orders_booked_total{job="returnit",instance="a",plugin="orders",outcome="accepted"}': growth,
});

/** What customers wait for, and money. */
export const business: readonly Alert[] = [
  {
    name: 'OrdersWithoutDriver',
    // Every node says the same.
    expr: 'max without (instance) (returnit_dispatch_orders{state="unavailable"}) > 0',
    for: '5m',
    severity: 'warning',
    type: 'symptom',
    plugin: 'drivers',
    summary: 'Orders wait and no driver can be found for them',
    description: '{{ $value }} orders have been waiting for a driver for 5 minutes, and nobody is there to be asked.',
    cases: {
      fires: {
        samples: {
          'returnit_dispatch_orders{plugin="drivers",state="unavailable",instance="a"}': '0 3x10',
          'returnit_dispatch_orders{plugin="drivers",state="unavailable",instance="b"}': '0 3x10',
        },
        at: '7m',
        alerts: [
          {
            labels: { plugin: 'drivers', state: 'unavailable' },
            description: '3 orders have been waiting for a driver for 5 minutes, and nobody is there to be asked.',
          },
        ],
      },
      quiet: {
        samples: {
          'returnit_dispatch_orders{plugin="drivers",state="unavailable",instance="a"}': '0x10',
          'returnit_dispatch_orders{plugin="drivers",state="waiting",instance="a"}': '40x10',
        },
        at: '10m',
      },
      ...lasting('returnit_dispatch_orders{plugin="drivers",state="unavailable",instance="a"}'),
    },
  },
  {
    name: 'SilentDriverHasParcels',
    expr: 'sum without (instance) (increase(returnit_silent_drivers_total{found="carrying"}[15m])) > 0',
    for: '0m',
    severity: 'warning',
    type: 'symptom',
    plugin: 'drivers',
    summary: 'A driver who has parcels cannot be reached',
    description:
      'In the last 15 minutes {{ $value | humanize }} orders were found whose parcels are with a driver who is not heard of.',
    cases: {
      fires: {
        samples: { 'returnit_silent_drivers_total{plugin="drivers",found="carrying",instance="a"}': '0x5 1x20' },
        at: '10m',
        alerts: [
          {
            labels: { plugin: 'drivers', found: 'carrying' },
            description:
              'In the last 15 minutes 1 orders were found whose parcels are with a driver who is not heard of.',
          },
        ],
      },
      quiet: {
        samples: {
          'returnit_silent_drivers_total{plugin="drivers",found="carrying",instance="a"}': '7x30',
          'returnit_silent_drivers_total{plugin="drivers",found="assigned",instance="a"}': '0+1x30',
        },
        at: '20m',
      },
      // A restarted process counts from 0.
      boundary: {
        samples: { 'returnit_silent_drivers_total{plugin="drivers",found="carrying",instance="a"}': '0x30' },
        at: '20m',
      },
      resolves: {
        samples: { 'returnit_silent_drivers_total{plugin="drivers",found="carrying",instance="a"}': '0x5 1x40' },
        firesAt: '10m',
        at: '25m',
      },
    },
  },
  {
    name: 'PaymentsUnreconciled',
    expr: 'max without (instance) (returnit_payments_unreconciled) > 0',
    for: '5m',
    severity: 'warning',
    type: 'symptom',
    plugin: 'payments',
    summary: 'The provider and we do not agree about payments',
    description: '{{ $value }} differences between what the payment provider says and what stands here are open.',
    cases: {
      fires: {
        samples: { 'returnit_payments_unreconciled{plugin="payments",instance="a"}': '0 2x10' },
        at: '7m',
        alerts: [
          {
            labels: { plugin: 'payments' },
            description: '2 differences between what the payment provider says and what stands here are open.',
          },
        ],
      },
      quiet: { samples: { 'returnit_payments_unreconciled{plugin="payments",instance="a"}': '0x10' }, at: '10m' },
      ...lasting('returnit_payments_unreconciled{plugin="payments",instance="a"}'),
    },
  },
  {
    name: 'LedgerImbalance',
    expr: 'max without (instance) (abs(returnit_payments_ledger_imbalance_minor)) > 0',
    for: '1m',
    severity: 'critical',
    type: 'symptom',
    plugin: 'payments',
    summary: 'The ledger does not sum to zero',
    description: 'Transactions of the ledger are away from zero by {{ $value }} in the smallest unit of the currency.',
    cases: {
      fires: {
        samples: { 'returnit_payments_ledger_imbalance_minor{plugin="payments",instance="a"}': '0 -590x10' },
        at: '3m',
        alerts: [
          {
            labels: { plugin: 'payments' },
            description: 'Transactions of the ledger are away from zero by 590 in the smallest unit of the currency.',
          },
        ],
      },
      quiet: {
        samples: { 'returnit_payments_ledger_imbalance_minor{plugin="payments",instance="a"}': '0x10' },
        at: '10m',
      },
      boundary: {
        samples: { 'returnit_payments_ledger_imbalance_minor{plugin="payments",instance="a"}': '0 1 0x10' },
        at: '2m',
      },
      resolves: {
        samples: { 'returnit_payments_ledger_imbalance_minor{plugin="payments",instance="a"}': '1x4 0x8' },
        firesAt: '3m',
        at: '6m',
      },
    },
  },
  {
    name: 'OrdersStalled',
    // 9:00 to 18:00; what is looked at begins after nine, too.
    expr: `sum by (job) (increase(returnit_orders_booked_total{outcome="accepted"}[${t.ordersSilence.value}s])) == 0
and on () (newyork:clock:hours >= ${9 + t.ordersSilence.value / 3600} and newyork:clock:hours < 18)
and on () (newyork:clock:weekday > 0 and newyork:clock:weekday < 6)`,
    for: '5m',
    severity: 'critical',
    type: 'symptom',
    plugin: 'orders',
    summary: 'Nobody books in business hours',
    description: '{{ $value }} orders were booked in the last half hour.',
    cases: {
      // Time begins on a Thursday at midnight, which is seven in the evening in New York.
      fires: {
        samples: booked('0+2x780 1560x200'),
        at: '15h',
        alerts: [{ labels: { job: 'returnit' }, description: '0 orders were booked in the last half hour.' }],
      },
      // At the same time on Saturday.
      quiet: { samples: booked('0+2x2600 5200x1400'), at: '63h' },
      // The day is over, though nobody has booked for ten hours.
      boundary: { samples: booked('0+2x780 1560x1000'), at: '23h1m' },
      resolves: { samples: booked('0+2x780 1560x160 1562+2x200'), firesAt: '15h', at: '16h30m' },
    },
  },
];
