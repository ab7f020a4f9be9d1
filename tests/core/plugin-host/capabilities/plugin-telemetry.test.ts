import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Call, Capability } from '#core/plugin-host/capability.ts';
import { createLogCapability } from '#core/plugin-host/capabilities/log.ts';
import { createMetricsCapability } from '#core/plugin-host/capabilities/metrics.ts';
import { createPermissionsCapability } from '#core/plugin-host/capabilities/permissions.ts';
import type { Manifest } from '#core/plugin-host/manifest/manifest.ts';
import { createPermissions } from '#core/plugin-host/permissions/permissions.ts';
import { createLogLevels } from '#core/telemetry/log-levels.ts';
import { createLogger } from '#core/telemetry/logger.ts';
import { createTestTelemetry } from '../test-telemetry.ts';

/** Calls a method as the plugin `orders` does, past invoke(). */
function call(capability: Capability, method: string, args: object): unknown {
  const target = capability.methods[method];
  assert.ok(target);
  return target.run(args as never, { instance: { plugin: { name: 'orders', version: '1.0.0' } } } as unknown as Call);
}

describe('log.write', () => {
  const config = { pluginLogLinesPerSecondMax: 3, pluginLogLineMaxBytes: 100 };
  const write = (capability: Capability, message: string, fields = {}): unknown =>
    call(capability, 'write', { level: 'info', message, fields });

  it('writes under the name of the plugin, which it cannot change', () => {
    const telemetry = createTestTelemetry();
    write(createLogCapability({ telemetry, config }), 'Parcel stored', {
      plugin: 'payments',
      level: 'fatal',
      parcels: 3,
    });
    const [line] = telemetry.lines;
    assert.deepEqual([line?.['plugin'], line?.level, line?.msg], ['orders', 'info', 'Parcel stored']);
    assert.deepEqual(line?.['fields'], { plugin: 'payments', level: 'fatal', parcels: 3 });
  });

  it('bounds message and fields', () => {
    const telemetry = createTestTelemetry();
    write(createLogCapability({ telemetry, config }), 'x'.repeat(1000), { text: 'y'.repeat(1000) });
    assert.equal(telemetry.lines[0]?.msg.length, 101);
    assert.equal(telemetry.lines[0]?.['fieldsDropped'], '1011 bytes, at most 100 are logged');
  });

  it('counts no line that the level of the plugin leaves out', () => {
    const lines: string[] = [];
    const levels = createLogLevels({ configured: 'info' });
    const logger = createLogger({ level: 'info', levels, destination: { write: (line) => void lines.push(line) } });
    const capability = createLogCapability({ telemetry: { ...createTestTelemetry(), logger }, config, now: () => 0 });
    const debug = (): unknown => call(capability, 'write', { level: 'debug', message: 'closer', fields: {} });
    for (let i = 0; i < 10; i += 1) debug();
    assert.deepEqual(lines, []);
    levels.replace([{ plugin: 'orders', level: 'debug' }]);
    debug();
    assert.equal(lines.length, 1);
  });

  it('drops and counts what is too much, and says so', async () => {
    const telemetry = createTestTelemetry();
    let time = 0;
    const capability = createLogCapability({ telemetry, config, now: () => time });
    for (let i = 0; i < 10; i += 1) write(capability, `line ${i}`);
    time = 1000;
    write(capability, 'later');
    assert.deepEqual(
      telemetry.lines.map(({ msg }) => msg),
      ['line 0', 'line 1', 'line 2', 'Log lines of the plugin were dropped: it wrote too many in a second', 'later'],
    );
    assert.match(
      (await telemetry.metrics.render()).body,
      /returnit_plugin_log_lines_dropped_total\{plugin="orders"\} 7\n/,
    );
  });
});

describe('metrics.record', () => {
  const plugins: readonly Pick<Manifest, 'name' | 'metrics'>[] = [
    {
      name: 'orders',
      metrics: {
        returnit_orders_placed_total: { type: 'counter', help: 'Orders placed', labels: ['outcome'] },
        returnit_orders_open: { type: 'gauge', help: 'Open orders', labels: [] },
        returnit_orders_wait_seconds: { type: 'histogram', help: 'Wait for a driver', labels: [] },
      },
    },
  ];
  const record = (capability: Capability, args: object): unknown =>
    call(capability, 'record', { value: 1, labels: {}, ...args });

  it('shows every set of the declared values at 0 before the first event', async () => {
    const values = { channel: ['email', 'sms'], outcome: ['sent', 'failed'] };
    const told: Manifest['metrics'][string] = { type: 'counter', help: 'Messages', labels: ['outcome', 'channel'] };
    const telemetry = createTestTelemetry();
    const metrics = { returnit_told_total: { ...told, values }, returnit_untold_total: told };
    createMetricsCapability({ telemetry, plugins: [{ name: 'orders', metrics }] });
    const { body } = await telemetry.metrics.render();
    const shown = body.split('\n').filter((line) => /^returnit_(un)?told_total/.test(line));
    assert.deepEqual(
      shown.toSorted(),
      values.outcome
        .flatMap((outcome) =>
          values.channel.map(
            (channel) => `returnit_told_total{outcome="${outcome}",channel="${channel}",plugin="orders"} 0`,
          ),
        )
        .toSorted(),
    );
  });

  it('records what is declared, with the plugin as a label', async () => {
    const telemetry = createTestTelemetry();
    const capability = createMetricsCapability({ telemetry, plugins });
    record(capability, {
      kind: 'increment',
      name: 'returnit_orders_placed_total',
      labels: { outcome: 'accepted' },
      value: 2,
    });
    record(capability, { kind: 'set', name: 'returnit_orders_open', value: 7 });
    record(capability, { kind: 'observe', name: 'returnit_orders_wait_seconds', value: 0.3 });
    const { body } = await telemetry.metrics.render();
    assert.match(body, /returnit_orders_placed_total\{outcome="accepted",plugin="orders"\} 2\n/);
    assert.match(body, /returnit_orders_open\{plugin="orders"\} 7\n/);
    assert.match(body, /returnit_orders_wait_seconds_count\{plugin="orders"\} 1\n/);
    assert.deepEqual(telemetry.lines, []);
  });

  it('drops and counts the rest, and warns once', async () => {
    const telemetry = createTestTelemetry();
    const capability = createMetricsCapability({ telemetry, plugins });
    for (let i = 0; i < 2; i += 1) {
      record(capability, { kind: 'increment', name: 'returnit_ghost_total' });
      record(capability, { kind: 'set', name: 'returnit_orders_placed_total', labels: { outcome: 'x' } });
      record(capability, { kind: 'increment', name: 'returnit_orders_placed_total', labels: { plugin: 'payments' } });
      record(capability, {
        kind: 'increment',
        name: 'returnit_orders_placed_total',
        labels: { outcome: 'x' },
        value: -1,
      });
      record(capability, { kind: 'increment', name: 'nodejs_eventloop_time_seconds_total' });
    }
    assert.deepEqual(
      telemetry.lines.map(({ msg }) => msg),
      [
        'Cannot record the metric "returnit_ghost_total": plugin.json does not declare it',
        'Cannot record the metric "returnit_orders_placed_total": it is a counter, which takes increment(), not set()',
        'Cannot record the metric "returnit_orders_placed_total": its labels must be (outcome): they are (plugin)',
        'Cannot record the metric "returnit_orders_placed_total": a counter cannot go down',
        'Cannot record the metric "nodejs_eventloop_time_seconds_total": plugin.json does not declare it',
      ],
    );
    assert.match(
      (await telemetry.metrics.render()).body,
      /returnit_plugin_metric_records_refused_total\{plugin="orders"\} 10\n/,
    );
  });

  it("refuses a declaration of the core's metric", () => {
    const telemetry = createTestTelemetry();
    const metrics = { returnit_audit_records_total: { type: 'counter' as const, help: 'Mine', labels: [] } };
    assert.throws(() => createMetricsCapability({ telemetry, plugins: [{ name: 'orders', metrics }] }), {
      code: 'INVALID_MANIFEST',
    });
  });
});

describe('permissions.query', () => {
  it('tells granted, denied and prompt', () => {
    const orders = { name: 'orders', permissions: { env: { names: ['A', 'B'], why: 'keys' } } };
    const permissions = createPermissions({ plugins: [orders], grants: { grants: { orders: { env: ['A'] } } } });
    const capability = createPermissionsCapability({ permissions });
    const query = (resource: string): unknown => call(capability, 'query', { name: 'env', resource });
    assert.deepEqual(
      [query('A'), query('B'), query('C')],
      [{ state: 'granted' }, { state: 'prompt' }, { state: 'denied' }],
    );
  });
});
