import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { catalogue } from '#core/telemetry/catalogue.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';
import { familyName } from '#core/telemetry/metric-name.ts';
import { collectContainer } from '#core/telemetry/container-collector.ts';
import { startRuntimeCollector } from '#core/telemetry/runtime-collector.ts';
import { withSpan } from '#core/telemetry/tracing.ts';
import { projectDir } from '../../support/project-copy.ts';
import { startTestTracing } from '../../support/test-tracing.ts';

/** Semantic conventions without our prefix, and the names that every Prometheus dashboard knows. */
const prefixes = /^(returnit|http_server|http_client|db_client|messaging|nodejs|process)_/;

/** Their values are known when there is a plugin, a pool or another metric: who has one begins at 0 with it. */
const later = new Set(['plugin', 'queue', 'http_route', 'metric', 'db_client_connection_pool_name']);

/** Of the process, in nobody's trace. */
const untraced = new Set([
  'nodejs_eventloop_delay_seconds',
  'nodejs_gc_duration_seconds',
  'returnit_metrics_scrape_duration_seconds',
]);

describe('catalogue', () => {
  it('names each metric once, also as OpenMetrics groups them', () => {
    const names = catalogue.map(familyName);
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    );
  });

  for (const definition of catalogue) {
    it(`describes ${definition.name} by the rules`, () => {
      const { name, type, help, unit, labels, buckets, initial, owner, partition, exemplars } = definition;
      assert.match(name, prefixes);
      assert.equal(name.endsWith('_total'), type === 'counter');
      assert.match(help, /^\S.*[^.\s]$/);
      assert.ok(unit !== '' && owner !== '');
      if (['seconds', 'bytes', 'cores'].includes(unit))
        assert.ok(familyName(definition).endsWith(`_${unit}`), `ends in its unit, ${unit}`);
      assert.equal(type === 'histogram', buckets !== undefined);
      assert.deepEqual(
        buckets?.toSorted((a, b) => a - b),
        buckets?.slice(),
      );
      assert.ok(exemplars !== true || type === 'histogram');
      assert.ok(partition === undefined || labels.includes(partition));
      for (const labelSet of initial ?? []) assert.deepEqual(Object.keys(labelSet).toSorted(), labels.toSorted());
    });
  }

  it('has every counter at 0 whose label values are known, as `increase()` does not see what a series begins with', () => {
    const late = catalogue
      .filter(({ type, labels, initial }) => type === 'counter' && labels.length > 0 && initial === undefined)
      // Of what Postgres counts the first reading is 0.
      .filter(
        ({ name, labels }) => !name.startsWith('returnit_postgres_') && !labels.some((label) => later.has(label)),
      );
    assert.deepEqual(
      late.map(({ name }) => name),
      [],
    );
  });

  it('has no metric that nothing records', () => {
    const core = join(projectDir, 'core');
    const sources = readdirSync(core, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.startsWith(join('telemetry', 'catalogue')))
      .map((file) => readFileSync(join(core, file), 'utf8'));
    // Of what Postgres says of itself the names are put together; its own test has all of them.
    const silent = catalogue
      .filter(({ name }) => !name.startsWith('returnit_postgres_'))
      .filter(({ name }) => !sources.some((source) => source.includes(`'${name}'`)));
    assert.deepEqual(
      silent.map(({ name }) => name),
      [],
    );
  });

  it('holds the thresholds of the requirements as bucket bounds', () => {
    const bucketsOf = (name: string): readonly number[] =>
      catalogue.find((definition) => definition.name === name)?.buckets ?? [];
    assert.ok(bucketsOf('http_server_request_duration_seconds').includes(1));
    assert.ok(bucketsOf('db_client_operation_duration_seconds').includes(0.5));
  });

  it('keeps the trace of the newest observation of every latency', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    const tracing = await startTestTracing();
    const latencies = catalogue.filter(
      ({ type, unit, name }) => type === 'histogram' && unit === 'seconds' && !untraced.has(name),
    );
    assert.ok(latencies.length > 10);
    const traceId = await withSpan('work', {}, (span) => {
      for (const { name } of latencies) metrics.histogram(name).observe({}, 0.01);
      return span.spanContext().traceId;
    });
    await tracing.stop();
    const { body } = await metrics.render('application/openmetrics-text');
    for (const { name } of latencies) {
      const lines = body.split('\n').filter((line) => line.startsWith(`${name}_bucket{`));
      assert.ok(
        lines.some((line) => line.includes(` # {trace_id="${traceId}"} 0.01 `)),
        name,
      );
    }
  });

  it('passes promtool check metrics with every metric in use', async (t) => {
    const promtool = spawnSync('promtool', ['--version']);
    if (promtool.error !== undefined && process.env['CI'] !== 'true') {
      t.skip('promtool is not installed (Debian package prometheus)');
      return;
    }
    const metrics = createMetrics({ labelSetsMax: 10 });
    const stops = [startRuntimeCollector(metrics), collectContainer(metrics)];
    for (const { name, type, labels } of catalogue) {
      const values = Object.fromEntries(labels.map((label) => [label, 'x "quoted"\n\\']));
      if (type === 'counter') metrics.counter(name).inc(values);
      else if (type === 'gauge') metrics.gauge(name).set(values, 1);
      else metrics.histogram(name).observe(values, 1);
    }
    const { body } = await metrics.render();
    for (const stop of stops) stop();
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
    assert.equal(status, 0, `${stdout}${stderr}`);
  });
});
