import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { createLogger as createRealLogger } from '#core/telemetry/logger.ts';
import { createMetrics as createRealMetrics } from '#core/telemetry/metrics.ts';
import { killCores, startCore } from '../../support/core-process.ts';
import { book, placeOf } from '../../support/journey.ts';
import { createLogger } from './no-ops/telemetry/logger.ts';
import { createMetrics } from './no-ops/telemetry/metrics.ts';
import { readTelemetry } from './read-telemetry.ts';
import { replacements } from './replacements.ts';
import { withoutTelemetry } from './sides.ts';

type Module = Readonly<Record<string, unknown>>;

describe('no-ops in place of telemetry', () => {
  it('stand in for metrics, tracing, logs and the telemetry of requests', () => {
    const replaced = replacements.map(({ real }) => real.slice(real.indexOf('/core/') + 1)).toSorted();
    assert.deepEqual(replaced, [
      'core/http/request-telemetry.ts',
      'core/telemetry/handler-trace.ts',
      'core/telemetry/logger.ts',
      'core/telemetry/metrics.ts',
      'core/telemetry/runtime-collector.ts',
      'core/telemetry/tracing.ts',
    ]);
  });

  for (const { real, noOp } of replacements) {
    it(`have all that ${path.basename(real)} exports, and nothing else`, async () => {
      const [expected, actual] = (await Promise.all([import(real), import(noOp)])) as [Module, Module];
      assert.deepEqual(Object.keys(actual).toSorted(), Object.keys(expected).toSorted());
      for (const [name, value] of Object.entries(expected)) assert.equal(typeof actual[name], typeof value, name);
    });
  }

  it('make what has the methods of the real ones', () => {
    const options = { labelSetsMax: 10, level: 'info' } as const;
    const methodsOf = (object: object): string[] => {
      const names: string[] = [];
      for (const name in object) if (typeof (object as Module)[name] === 'function') names.push(name);
      return names.toSorted();
    };
    assert.deepEqual(methodsOf(createMetrics()), methodsOf(createRealMetrics(options)));
    const logger = createRealLogger(options);
    assert.deepEqual(methodsOf(createLogger()), methodsOf(logger));
    assert.deepEqual(methodsOf(createLogger().child({})), methodsOf(logger.child({})));
  });

  it('let a core work that knows nothing of what it did', async () => {
    const dataDir = await mkdtemp(path.join(tmpdir(), 'returnit-no-telemetry-'));
    try {
      const core = await startCore({ dataDir, args: ['--plugins', 'orders'], nodeFlags: withoutTelemetry });
      const customer = await core.as('customer', 'c1');
      const { orderId } = await book(customer, placeOf(1));
      const order = await customer.ok<{ orderId: string }>('GET', `/orders/${orderId}`);
      assert.equal(order.orderId, orderId);
      assert.deepEqual(await readTelemetry(core.addresses.ops, '/orders/{orderId}'), {
        counted: 0,
        metrics: 0,
        traces: 0,
      });
      assert.equal(await core.end('SIGTERM'), 0);
    } finally {
      await killCores();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
