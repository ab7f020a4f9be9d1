import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { catalogue } from '#core/telemetry/catalogue.ts';
import { startDemo } from '#core/cli/demo/demo.ts';
import { orderReached } from '../support/journey.ts';
import { watchBySocket } from '../support/live-client.ts';
import { readSample, startPlatform, type TestPlatform } from '../support/platform.ts';
import { findProgram, skipWithout } from '../support/programs.ts';
import { projectDir } from '../support/project-copy.ts';

/** Series that one process may export. */
const seriesMax = 10_000;

/** What is promised all the same, and why it has no sample in this run. */
const silent: Readonly<Record<string, string>> = {
  http_client_request_duration_seconds: 'nothing of the demo calls another host',
};

/** Names that dashboards and alerts are built on, by what they tell of. */
const promised = {
  http: [
    'http_server_request_duration_seconds',
    'http_server_response_body_size_bytes',
    'http_server_active_requests',
    'http_client_request_duration_seconds',
  ],
  database: [
    'db_client_operation_duration_seconds',
    'db_client_connections',
    'db_client_connection_max',
    'db_client_connection_idle_min',
    'db_client_connection_pending_requests',
    'db_client_connection_timeouts_total',
    'db_client_connection_wait_time_seconds',
    'db_client_connection_use_time_seconds',
    'db_client_connection_create_time_seconds',
  ],
  jobs: [
    'returnit_job_queue_depth',
    'returnit_job_oldest_age_seconds',
    'returnit_job_duration_seconds',
    'returnit_job_wait_seconds',
    'returnit_jobs_total',
    'returnit_job_last_success_timestamp_seconds',
  ],
  mqtt: [
    'returnit_mqtt_messages_received_total',
    'returnit_mqtt_messages_rejected_total',
    'messaging_process_duration_seconds',
    'returnit_mqtt_ack_duration_seconds',
    'returnit_mqtt_batch_size',
    'returnit_mqtt_inflight_messages',
    'returnit_mqtt_inflight_messages_max',
    'returnit_mqtt_inflight_bytes',
    'returnit_mqtt_inflight_max_bytes',
    'returnit_mqtt_buffered_bytes',
    'returnit_mqtt_connected',
    'returnit_mqtt_last_message_timestamp_seconds',
    'returnit_mqtt_reconnects_total',
  ],
  live: ['returnit_live_connections', 'returnit_live_connections_max'],
  cache: [
    'returnit_cache_requests_total',
    'returnit_cache_evictions_total',
    'returnit_cache_entries',
    'returnit_cache_size_bytes',
    'returnit_cache_max_bytes',
  ],
  capabilities: ['returnit_plugin_capability_calls_total', 'returnit_plugin_capability_call_duration_seconds'],
  plugins: [
    'returnit_plugin_restarts_total',
    'returnit_plugin_eventloop_time_seconds_total',
    'returnit_plugin_heap_used_bytes',
    'returnit_plugin_heap_limit_bytes',
    'returnit_plugin_cpu_seconds_total',
    'returnit_plugin_state',
    'returnit_plugin_repeats_total',
  ],
  node: [
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'nodejs_heap_size_used_bytes',
    'nodejs_heap_size_total_bytes',
    'nodejs_heap_size_limit_bytes',
    'nodejs_heap_size_after_gc_bytes',
    'nodejs_gc_duration_seconds',
    'nodejs_eventloop_time_seconds_total',
  ],
  container: [
    'returnit_container_info',
    'returnit_container_cpu_usage_seconds_total',
    'returnit_container_cpu_throttled_seconds_total',
    'returnit_container_cpu_limit_cores',
    'returnit_container_memory_working_set_bytes',
    'returnit_container_memory_limit_bytes',
    'returnit_container_oom_kills_total',
  ],
  itself: [
    'returnit_log_messages_total',
    'returnit_build_info',
    'returnit_metrics_scrape_duration_seconds',
    'returnit_metric_labelsets_dropped_total',
  ],
} as const;

describe('/metrics of a platform with demo drivers', () => {
  let platform: TestPlatform;
  let stopDemo: () => Promise<void>;
  let page: string;

  before(async () => {
    platform = await startPlatform();
    const { addresses, authenticator, telemetry } = platform.app;
    const controller = new AbortController();
    const demo = await startDemo({
      apiUrl: addresses.api,
      mqttUrl: addresses.mqtt,
      issueToken: (token) => authenticator.issueToken(token),
      logger: telemetry.logger,
      signal: controller.signal,
      // The route of some minutes in some seconds.
      speed: 30,
    });
    stopDemo = async () => {
      controller.abort();
      await demo.done;
    };
    const { orderId, token } = await demo.firstOrder;
    const live = await watchBySocket({ url: addresses.api, token, channel: `orders/${orderId}/position` });
    await live.next('closed');
    live.close();
    await orderReached(platform.anonymous(token), orderId, 'completed');
    page = (await platform.ops('/metrics')).text;
  });
  after(async () => {
    await stopDemo?.();
    await platform?.stop();
  });

  it('has a sample of everything that is promised', () => {
    // What nobody has recorded has a name here, and no more.
    const names = new Set(page.matchAll(/^([a-z_]+?)(?:_(?:bucket|sum|count))?[{ ]/gm).map(([, name]) => name));
    const missing = Object.values(promised)
      .flat()
      .filter((name) => !names.has(name) && !(name in silent));
    assert.deepEqual(missing, []);
  });

  it('stays below the series that a process may have', () => {
    const series = page.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    assert.ok(series > 500 && series < seriesMax, `${series} series`);
    assert.equal(readSample(page, 'returnit_metric_labelsets_dropped_total', {}), 0);
  });

  it('leads from each latency to a trace', async () => {
    const { ops } = platform.app.addresses;
    const answer = await fetch(`${ops}/metrics`, { headers: { accept: 'application/openmetrics-text' } });
    const lines = (await answer.text()).split('\n');
    for (const { name } of catalogue.filter(({ exemplars }) => exemplars === true)) {
      const buckets = lines.filter((line) => line.startsWith(`${name}_bucket{`));
      // Nothing of the demo calls another host.
      if (name === 'http_client_request_duration_seconds' && buckets.length === 0) continue;
      assert.ok(buckets.length > 0, `${name} has been observed`);
      assert.ok(
        buckets.some((line) => / # \{trace_id="[0-9a-f]{32}"\} /.test(line)),
        `${name} has no exemplar`,
      );
    }
  });

  it("leads from each of the plugins' latencies that the demo has to a trace", async () => {
    const { ops } = platform.app.addresses;
    const answer = await fetch(`${ops}/metrics`, { headers: { accept: 'application/openmetrics-text' } });
    const lines = (await answer.text()).split('\n');
    for (const name of [
      'returnit_assign_seconds',
      'returnit_orders_pickup_delay_seconds',
      'returnit_tracking_commit_lag_seconds',
    ])
      assert.ok(
        lines.some((line) => line.startsWith(`${name}_bucket{`) && line.includes(' # {trace_id="')),
        name,
      );
  });

  it('has what Postgres says of itself', () => {
    const postgres = [
      ['connections', { state: 'idle' }],
      ['connections_max', {}],
      ['database_size_bytes', {}],
      ['schema_size_bytes', { schema: 'orders' }],
      ['table_size_bytes', { schema: 'tracking' }],
      ['index_size_bytes', { schema: 'tracking' }],
      ['reads_total', { reading: 'statements', outcome: 'ok' }],
    ] as const;
    const absent = postgres.filter(([name, labels]) => !(readSample(page, `returnit_postgres_${name}`, labels) > 0));
    assert.deepEqual(absent, []);
    assert.equal(readSample(page, 'returnit_postgres_reads_total', { outcome: 'error' }), 0);
  });

  it('has no id of anything in a label', () => {
    assert.doesNotMatch(page, /"[^"]*[0-9a-f]{8}-[0-9a-f]{4}-7[^"]*"|demo-driver-1/);
  });

  it('counts what the demo did', () => {
    const atLeastOne = [
      [
        'http_server_request_duration_seconds_count',
        { http_route: '/orders', http_response_status_code: '201', plugin: 'orders' },
      ],
      ['db_client_operation_duration_seconds_count', { plugin: 'tracking', db_system_name: 'postgresql' }],
      ['db_client_operation_duration_seconds_count', { db_query_summary: 'insert_order' }],
      ['returnit_jobs_total', { queue: 'payments.authorise', outcome: 'completed' }],
      ['returnit_mqtt_messages_received_total', { messaging_destination_template: 'drivers/+/location' }],
      ['returnit_mqtt_ack_duration_seconds_count', {}],
      ['returnit_live_messages_sent_total', { transport: 'ws' }],
      ['returnit_plugin_capability_calls_total', { plugin: 'orders', capability: 'db.query', outcome: 'ok' }],
      ['returnit_plugin_state', { plugin: 'orders', state: 'ready' }],
      ['returnit_plugin_repeats_total', { plugin: 'tracking', name: 'presence', outcome: 'ok' }],
      ['returnit_plugin_cpu_seconds_total', { plugin: 'tracking' }],
      ['returnit_tracking_fixes_total', { plugin: 'tracking', outcome: 'stored' }],
      ['returnit_orders_steps_total', { plugin: 'orders', action: 'complete', outcome: 'moved' }],
      ['process_cpu_seconds_total', {}],
      ['returnit_container_memory_working_set_bytes', {}],
    ] as const;
    const absent = atLeastOne.filter(([name, labels]) => !(readSample(page, name, labels) > 0));
    assert.deepEqual(absent, []);
    assert.equal(readSample(page, 'returnit_plugin_capability_calls_total', { outcome: 'denied' }), 0);
  });

  it('has of each plugin the label values that its plugin.json names, and no others', () => {
    for (const name of readdirSync(join(projectDir, 'plugins')).filter((entry) => !entry.includes('.'))) {
      const manifest = JSON.parse(readFileSync(join(projectDir, 'plugins', name, 'plugin.json'), 'utf8')) as {
        readonly metrics: Readonly<Record<string, { readonly values?: Readonly<Record<string, readonly string[]>> }>>;
      };
      for (const [metric, { values }] of Object.entries(manifest.metrics)) {
        if (values === undefined) continue;
        for (const [label, allowed] of Object.entries(values)) {
          const seen = page.split('\n').filter((line) => line.startsWith(`${metric}{`));
          const found = new Set(seen.map((line) => new RegExp(`[{,]${label}="([^"]*)"`).exec(line)?.[1]));
          assert.deepEqual(found, new Set(allowed), `${metric} ${label}`);
        }
      }
    }
  });

  it('shows the reasons of deaths at 0 before the first death', () => {
    assert.match(page, /^returnit_plugin_restarts_total\{plugin="orders",reason="crash"\} 0$/m);
  });

  it('passes promtool check metrics', { skip: skipWithout(['promtool'], 'prometheus') }, async () => {
    const promtool = spawn(findProgram('promtool'), ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
    promtool.stdin.end(page);
    const [output, errors, [code]] = await Promise.all([
      text(promtool.stdout),
      text(promtool.stderr),
      once(promtool, 'exit') as Promise<[number]>,
    ]);
    assert.equal(code, 0, output + errors);
  });
});
