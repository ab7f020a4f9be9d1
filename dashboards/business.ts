import type { DashboardDefinition } from './panel.ts';
import { nodes, quantile, rate, same } from './promql.ts';

const booked = `returnit_orders_booked_total{${nodes},outcome="accepted"}`;

/** Booked in each hour of a day that ended within 9 to 18 h of New York's standard time, which is 14 to 23 h UTC. */
const inBusinessHours = `sum_over_time((sum(increase(${booked}[1h])) and on () (hour() >= 15 and hour() <= 23))[1d:1h])`;

/** A day's bookings stand at its end: Saturday's at the begin of Sunday, which is day 0. */
const ofDays = (days: string): string => `avg_over_time((sum(increase(${booked}[1d])) and on () (${days}))[7d:1d])`;

/** Orders, money and drivers. */
export const business: DashboardDefinition = {
  uid: 'returnit-business',
  title: 'ReturnIt / Business',
  description: 'Whether orders come in, find a driver, are picked up and paid.',
  span: '6h',
  rows: [
    {
      title: 'Orders',
      panels: [
        {
          id: 1,
          title: 'Booked an hour',
          question: 'Do orders come in? None in business hours is an alert.',
          unit: 'short',
          queries: [{ expr: `sum(increase(${booked}[1h]))`, legend: 'orders' }],
          min: 0,
          alerts: ['OrdersStalled'],
        },
        {
          id: 2,
          title: 'Orders by state',
          question: 'Where do orders stand on their way? A state that only grows is where they are stuck.',
          unit: 'short',
          kind: 'stacked',
          queries: [{ expr: same('returnit_orders_open', 'status'), legend: '{{status}}' }],
        },
        {
          id: 3,
          title: 'Steps',
          question: 'How many orders make each step, and how many are refused one?',
          unit: 'ops',
          queries: [{ expr: rate('returnit_orders_steps_total', 'action, outcome'), legend: '{{action}} {{outcome}}' }],
          min: 0,
        },
        {
          id: 4,
          title: 'From booking to pickup',
          question: 'How long do customers wait for the pickup?',
          unit: 's',
          queries: [0.5, 0.95].map((of) => ({
            expr: quantile(of, 'returnit_orders_pickup_delay_seconds'),
            legend: `p${of * 100}`,
          })),
          min: 0,
        },
        {
          id: 5,
          title: 'Share of business hours',
          question:
            'What share of a day’s orders is booked from 9 to 18 h in New York (EST)? The guide counts on 70 %.',
          unit: 'percentunit',
          kind: 'number',
          queries: [{ expr: `(${inBusinessHours} or vector(0)) / sum(increase(${booked}[1d]))`, legend: 'share' }],
          width: 4,
        },
        {
          id: 6,
          title: 'Weekend, of a weekday',
          question: 'How much is booked on a day of the weekend, of what is on a weekday? The guide counts on 40 %.',
          unit: 'percentunit',
          kind: 'number',
          queries: [
            {
              expr: `${ofDays('day_of_week() <= 1')} / ${ofDays('day_of_week() >= 2')}`,
              legend: 'share',
            },
          ],
          width: 4,
        },
        {
          id: 7,
          title: 'Refused and repeated bookings',
          question: 'Why do bookings fail? Windows that are full are demand that we cannot serve.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (outcome) (rate(returnit_orders_booked_total{${nodes},outcome!="accepted"}[$__rate_interval]))`,
              legend: '{{outcome}}',
            },
            {
              expr: `sum(rate(returnit_orders_windows_full_total{${nodes}}[$__rate_interval]))`,
              legend: 'window full',
            },
          ],
          min: 0,
        },
      ],
    },
    {
      title: 'Drivers',
      panels: [
        {
          id: 8,
          title: 'Orders and their drivers',
          question: 'Does every order find a driver? Unavailable: nobody was found, and the customer was told.',
          unit: 'short',
          kind: 'stacked',
          queries: [{ expr: same('returnit_dispatch_orders', 'state'), legend: '{{state}}' }],
          alerts: ['OrdersWithoutDriver'],
        },
        {
          id: 9,
          title: 'Until a driver has it',
          question: 'How long does an order wait for its driver?',
          unit: 's',
          queries: [0.5, 0.95].map((of) => ({
            expr: quantile(of, 'returnit_assign_seconds'),
            legend: `p${of * 100}`,
          })),
          min: 0,
        },
        {
          id: 10,
          title: 'Offers by what became of them',
          question: 'Do drivers take what they are offered?',
          unit: 'ops',
          queries: [{ expr: rate('returnit_offers_total', 'outcome'), legend: '{{outcome}}' }],
          min: 0,
        },
        {
          id: 11,
          title: 'Silent drivers',
          question: 'Whose parcels are with somebody we do not hear from?',
          unit: 'short',
          queries: [
            { expr: same('returnit_tracking_silent_drivers', 'presence'), legend: '{{presence}} and carrying' },
            {
              expr: `sum by (found) (increase(returnit_silent_drivers_total{${nodes}}[15m]))`,
              legend: '{{found}} in 15 min',
            },
          ],
          min: 0,
          alerts: ['SilentDriverHasParcels'],
        },
      ],
    },
    {
      title: 'Money and messages',
      panels: [
        {
          id: 12,
          title: 'Payments',
          question: 'How do operations with the provider end?',
          unit: 'ops',
          queries: [
            { expr: rate('returnit_payments_total', 'operation, outcome'), legend: '{{operation}} {{outcome}}' },
          ],
          min: 0,
        },
        {
          id: 13,
          title: 'Does the money agree?',
          question: 'Differences from the provider, and what the ledger is away from zero. Anything but 0 is a fault.',
          unit: 'short',
          queries: [
            { expr: same('returnit_payments_unreconciled'), legend: 'unreconciled' },
            { expr: `max(abs(returnit_payments_ledger_imbalance_minor{${nodes}}))`, legend: 'ledger, in cents' },
          ],
          min: 0,
          alerts: ['PaymentsUnreconciled', 'LedgerImbalance'],
        },
        {
          id: 14,
          title: 'Messages to people',
          question: 'Do customers hear from us, by channel?',
          unit: 'ops',
          queries: [
            { expr: rate('returnit_notifications_total', 'channel, outcome'), legend: '{{channel}} {{outcome}}' },
          ],
          min: 0,
        },
        {
          id: 15,
          title: "Partners' webhooks",
          question: 'Do deliveries reach partners, and how many wait?',
          unit: 'short',
          queries: [
            { expr: same('returnit_webhooks_backlog', 'state'), legend: 'waiting, {{state}}' },
            {
              expr: `sum by (outcome) (increase(returnit_webhooks_deliveries_total{${nodes}}[5m]))`,
              legend: '{{outcome}} in 5 min',
            },
          ],
          min: 0,
        },
      ],
    },
  ],
};
