import type { Plugin } from '#plugin-api';

const Fill = {
  type: 'object',
  properties: { labelSets: { type: 'integer', minimum: 1 } },
  required: ['labelSets'],
  additionalProperties: false,
} as const;
const counters = ['picked_up', 'dropped_off', 'returned', 'weighed', 'refused', 'scanned'];
const gauges = ['waiting', 'on_the_way', 'in_store', 'at_depot'];
const carriers = 5;

export const plugin: Plugin = {
  setup(ctx) {
    ctx.http.post(
      '/series',
      { summary: 'Records in so many label sets of each metric', roles: ['ops'], body: Fill, response: { 200: {} } },
      ({ body }) => {
        for (let index = 0; index < body.labelSets; index += 1) {
          const labels = { zone: `zone-${Math.floor(index / carriers)}`, carrier: `carrier-${index % carriers}` };
          for (const name of counters) ctx.metrics.increment(`returnit_series_${name}_total`, labels, index);
          for (const name of gauges) ctx.metrics.set(`returnit_series_${name}_parcels`, index / 7, labels);
          ctx.metrics.observe('returnit_series_handling_seconds', index / 3, labels);
        }
        return { status: 200, body: {} };
      },
    );
  },
};
