import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AppError } from '#core/errors/app-error.ts';
import { catalogue } from '#core/telemetry/catalogue.ts';
import type { MetricDefinition } from '#core/telemetry/catalogue/definition.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';
import { withSpan } from '#core/telemetry/tracing.ts';
import { startTestTracing } from '../../support/test-tracing.ts';
import { createTestMetrics, definition, valueOf } from './metrics-fixture.ts';

const openMetrics = 'application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3';

describe('createMetrics()', () => {
  it('shows every known label set and every unlabelled counter at 0 from the start', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    assert.equal(await valueOf(metrics, 'returnit_log_messages_total{level="error"}'), 0);
    assert.equal(await valueOf(metrics, 'returnit_mqtt_reconnects_total'), 0);
    assert.equal(await valueOf(metrics, 'nodejs_gc_duration_seconds_count{kind="major"}'), 0);
  });

  it('says nothing for a gauge that nobody has set', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    assert.equal(await valueOf(metrics, 'returnit_mqtt_last_message_timestamp_seconds'), undefined);
    metrics.gauge('returnit_mqtt_last_message_timestamp_seconds').set({}, 0);
    assert.equal(await valueOf(metrics, 'returnit_mqtt_last_message_timestamp_seconds'), 0);
  });

  it('counts, sets, adds, removes and observes by label set', async () => {
    const metrics = createTestMetrics(10);
    metrics.counter('returnit_jobs_sent_total').inc({ plugin: 'orders' }, 2);
    metrics.counter('returnit_jobs_sent_total').inc({ plugin: 'orders' });
    metrics.gauge('returnit_seats').add({ plugin: 'a' }, 3);
    metrics.gauge('returnit_seats').add({ plugin: 'a' }, -1);
    metrics.gauge('returnit_seats').set({ plugin: 'b' }, 7);
    metrics.gauge('returnit_seats').remove({ plugin: 'b' });
    metrics.histogram('returnit_mqtt_batch_size').observe({ plugin: 'tracking' }, 10);
    metrics.histogram('returnit_mqtt_batch_size').observe({ plugin: 'tracking' }, 5000);
    assert.equal(await valueOf(metrics, 'returnit_jobs_sent_total{plugin="orders"}'), 3);
    assert.equal(await valueOf(metrics, 'returnit_seats{plugin="a"}'), 2);
    assert.equal(await valueOf(metrics, 'returnit_seats{plugin="b"}'), undefined);
    assert.equal(await valueOf(metrics, 'returnit_mqtt_batch_size_bucket{le="5",plugin="tracking"}'), 0);
    assert.equal(await valueOf(metrics, 'returnit_mqtt_batch_size_bucket{le="10",plugin="tracking"}'), 1);
    assert.equal(await valueOf(metrics, 'returnit_mqtt_batch_size_bucket{le="+Inf",plugin="tracking"}'), 2);
    assert.equal(await valueOf(metrics, 'returnit_mqtt_batch_size_sum{plugin="tracking"}'), 5010);
  });

  it('forgets counters and gauges that are removed, those without labels as well', async () => {
    const metrics = createTestMetrics(10);
    metrics.gauge('returnit_db_up').set({}, 1);
    metrics.gauge('returnit_db_up').remove({});
    assert.equal(await valueOf(metrics, 'returnit_db_up'), undefined);
    const ends = metrics.counter('returnit_ends_total');
    ends.inc({ reason: 'a' }, 2);
    ends.inc({ reason: 'b' }, 3);
    ends.remove({ reason: 'a' });
    assert.equal(await valueOf(metrics, 'returnit_ends_total{reason="a"}'), undefined);
    assert.equal(await valueOf(metrics, 'returnit_ends_total{reason="b"}'), 3);
  });

  it('keeps label sets apart whose values only look alike when joined', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    metrics.counter('returnit_jobs_total').inc({ plugin: 'a|b', queue: 'c' });
    metrics.counter('returnit_jobs_total').inc({ plugin: 'a', queue: 'b|c' });
    assert.equal(await valueOf(metrics, 'returnit_jobs_total{plugin="a|b",queue="c"}'), 1);
    assert.equal(await valueOf(metrics, 'returnit_jobs_total{plugin="a",queue="b|c"}'), 1);
  });

  it('raises a counter to an outside total and never lowers it', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    const cpu = metrics.counter('process_cpu_seconds_total');
    cpu.advanceTo({}, 5);
    cpu.advanceTo({}, 4);
    assert.equal(await valueOf(metrics, 'process_cpu_seconds_total'), 5);
  });

  it('refuses unknown names, wrong types, unknown labels and impossible values', () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    assert.throws(
      () => metrics.counter('returnit_nothing_total'),
      /Cannot use counter "returnit_nothing_total": it is not in the catalogue/,
    );
    assert.throws(
      () => metrics.gauge('returnit_jobs_total'),
      /Cannot use gauge "returnit_jobs_total": it is a counter/,
    );
    assert.throws(
      () => metrics.counter('returnit_jobs_total').inc({ tenant: 'x' }),
      /it has no label "tenant", only plugin, queue, outcome/,
    );
    assert.throws(() => metrics.counter('returnit_jobs_total').inc({}, -1), RangeError);
    assert.throws(() => metrics.gauge('returnit_db_up').set({}, Number.NaN), TypeError);
    assert.throws(() => metrics.histogram('returnit_mqtt_batch_size').observe({}, Infinity), TypeError);
  });
});

describe('render()', () => {
  it('answers in the format that is preferred, in any order of scrapes', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    const first = await metrics.render();
    const open = await metrics.render(openMetrics);
    const again = await metrics.render('text/plain;q=0.9,application/openmetrics-text;q=0.1');
    assert.match(first.contentType, /^text\/plain/);
    assert.match(open.contentType, /^application\/openmetrics-text/);
    assert.match(open.body, /# EOF\n$/);
    assert.match(open.body, /^# TYPE returnit_mqtt_reconnects counter\nreturnit_mqtt_reconnects_total 0$/m);
    assert.equal(again.body, first.body);
    assert.match(again.body, /^# TYPE returnit_mqtt_reconnects_total counter\nreturnit_mqtt_reconnects_total 0$/m);
  });

  it('carries the trace id of the active span as exemplar, in OpenMetrics alone', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    const tracing = await startTestTracing();
    const traceId = await withSpan('request', {}, (span) => {
      metrics.histogram('http_server_request_duration_seconds').observe({ http_route: '/orders' }, 0.3);
      return span.spanContext().traceId;
    });
    metrics.histogram('http_server_request_duration_seconds').observe({ http_route: '/orders' }, 3);
    await tracing.stop();
    const { body } = await metrics.render(openMetrics);
    const exemplars = body.split('\n').filter((line) => line.includes(' # {'));
    assert.equal(exemplars.length, 1);
    assert.match(
      exemplars[0] ?? '',
      new RegExp(`_bucket\\{le="0\\.5",http_route="/orders"\\} 1 # \\{trace_id="${traceId}"\\} 0\\.3 \\d+`),
    );
    assert.doesNotMatch((await metrics.render()).body, / # \{/);
  });

  it('writes many label sets in turns of the event loop, each family whole and of one moment', async () => {
    const labelSets = 20_000;
    // What one owner has is an eighth of all.
    const metrics = createMetrics({ labelSetsMax: labelSets, seriesMax: 8 * 6 * labelSets });
    metrics.define(definition({ name: 'returnit_ride_seconds', type: 'histogram', buckets: [1, 10] }));
    const rides = metrics.histogram('returnit_ride_seconds');
    const observeAll = (): void => {
      for (let index = 0; index < labelSets; index += 1) rides.observe({ plugin: `p${index}` }, 5);
    };
    observeAll();
    let turns = 0;
    let isWritten = false;
    setImmediate(function others() {
      if (isWritten) return;
      turns += 1;
      observeAll();
      setImmediate(others);
    });
    const { body } = await metrics.render();
    isWritten = true;
    assert.ok(turns > 0, 'nothing else had a turn');
    const lines = body.split('\n').filter((line) => /^(# (HELP|TYPE) )?returnit_ride_seconds/.test(line));
    const [help, type, ...series] = lines;
    assert.match(help ?? '', /^# HELP returnit_ride_seconds /);
    assert.equal(type, '# TYPE returnit_ride_seconds histogram');
    const counts = new Set(series.filter((line) => !line.includes('_sum{')).map((line) => line.split(' ')[1]));
    assert.ok(counts.delete('0'), 'no bucket is below the value');
    assert.equal(counts.size, 1, `counts of several moments: ${[...counts].join(', ')}`);
    assert.equal(new Set(series.map((line) => line.split(' ')[0])).size, labelSets * 5);
    assert.equal(series.length, labelSets * 5);
  });

  it('runs collectors first, and goes on without one that fails or hangs', async () => {
    const errors: unknown[] = [];
    const metrics = createMetrics({
      labelSetsMax: 10,
      collectTimeoutMs: 20,
      onCollectError: (error) => errors.push(error),
    });
    const stop = metrics.onCollect(() => metrics.gauge('returnit_db_up').set({}, 1));
    metrics.onCollect(() => Promise.reject(new Error('no database')));
    metrics.onCollect(() => new Promise(() => undefined));
    assert.equal(await valueOf(metrics, 'returnit_db_up'), 1);
    assert.deepEqual(errors.map(String), [
      'Error: no database',
      'Error: Cannot collect metrics: a collector took over 20 ms',
    ]);
    assert.equal(await valueOf(metrics, 'returnit_metrics_collect_errors_total'), 4);
    stop();
  });
});

describe('define()', () => {
  it('adds a metric, and the same again after a restart changes nothing', async () => {
    const metrics = createMetrics({ labelSetsMax: 10 });
    metrics.define(definition());
    metrics.counter('returnit_tours_total').inc({ plugin: 'drivers' });
    metrics.define(definition());
    assert.equal(await valueOf(metrics, 'returnit_tours_total{plugin="drivers"}'), 1);
    assert.equal(metrics.definitions().length, catalogue.length + 1);
  });

  const refused: readonly (readonly [string, Partial<MetricDefinition>, RegExp])[] = [
    ['a foreign prefix', { name: 'tours_total' }, /a name is "returnit_" and/],
    ['a gauge named like a counter', { type: 'gauge' }, /ends in "_total"/],
    ['a counter that is not named so', { name: 'returnit_tours' }, /ends in "_total"/],
    ['a reserved suffix', { name: 'returnit_tours_count', type: 'gauge' }, /must not end in "_count"/],
    ['an empty help text', { help: ' ' }, /it needs a help text/],
    ['a reserved label', { labels: ['le'] }, /"le" cannot be a label/],
    ['a label twice', { labels: ['a', 'a'] }, /stands in it twice/],
    ['a histogram without buckets', { name: 'returnit_tour_seconds', type: 'histogram' }, /1 to 30 buckets: it has 0/],
    [
      'buckets that do not ascend',
      { name: 'returnit_tour_seconds', type: 'histogram', buckets: [1, 1] },
      /must be finite and ascend/,
    ],
    [
      'a clash with the core',
      { name: 'returnit_jobs_total' },
      /jobs already has "returnit_jobs_total" with another definition/,
    ],
    [
      'a clash in OpenMetrics alone',
      { name: 'returnit_live_connections_total' },
      /live already has "returnit_live_connections"/,
    ],
  ];
  for (const [what, changes, message] of refused) {
    it(`refuses ${what}`, () => {
      const metrics = createMetrics({ labelSetsMax: 10 });
      assert.throws(
        () => metrics.define(definition(changes)),
        (error) => error instanceof AppError && error.code === 'INVALID_MANIFEST' && message.test(error.message),
      );
    });
  }

  it('refuses more of one owner than it may have', () => {
    const metrics = createMetrics({ labelSetsMax: 10, definitionsPerOwnerMax: 1 });
    metrics.define(definition());
    assert.throws(() => metrics.define(definition({ name: 'returnit_stops_total' })), /drivers already has 1/);
  });
});
