/**
 * The files that containers get. Those of Prometheus, Alertmanager and Mosquitto are given to their own programs, here and
 * in tests/integration/stack.test.ts. Grafana, Tempo, Loki and the collector are in neither Debian nor npm: of theirs the
 * keys are compared with what their documentation has, and every address, path and uid with what it must meet.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { createLogger } from '#core/telemetry/logger.ts';
import { thresholds } from '#core/config/thresholds.ts';
import { casesOf } from '../../alerts/alert.ts';
import { meta } from '../../alerts/meta.ts';
import { projectDir as root } from '../support/project-copy.ts';
import { findProgram, skipWithout } from '../support/programs.ts';
import { assertKeys, assertOnVolume, assertReachable, listens, mountOf, read, services } from './deployed.ts';

describe('prometheus.yml', () => {
  const config = read('prometheus/prometheus.yml');
  const skip = skipWithout(['promtool'], 'prometheus');
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'returnit-prometheus-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is taken by promtool, with the rules', { skip }, () => {
    const file = join(folder, 'prometheus.yml');
    const text = readFileSync(join(root, 'deploy/prometheus/prometheus.yml'), 'utf8');
    writeFileSync(file, text.replaceAll('/etc/prometheus/rules', join(root, 'alerts')));
    const { status, stdout, stderr } = spawnSync(findProgram('promtool'), ['check', 'config', file], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /SUCCESS: \d+ rules found/);
  });

  it('scrapes as often as the rules want, keeps exemplars, and finds its rules', () => {
    assert.equal(config.global.scrape_interval, '15s');
    assert.equal(config.global.evaluation_interval, '15s');
    assert.ok(config.storage.exemplars.max_exemplars > 0);
    assert.ok(services['prometheus']?.command?.includes('--enable-feature=exemplar-storage'));
    assert.deepEqual(config.rule_files, [mountOf('prometheus', 'alerts/returnit.rules.yml')]);
    const file = services['prometheus']?.command?.find((one) => one.startsWith('--config.file='));
    assert.equal(file, `--config.file=${mountOf('prometheus', 'deploy/prometheus/prometheus.yml')}`);
    assertOnVolume('prometheus', '/prometheus');
  });

  it('reaches everything that it asks, the platform under the job of the rules', () => {
    const jobs = config.scrape_configs as { job_name: string; static_configs: [{ targets: string[] }] }[];
    assert.equal(jobs[0]?.job_name, 'returnit');
    for (const { static_configs: all } of jobs)
      for (const target of all[0].targets) assertReachable('prometheus', target);
    assertReachable('prometheus', config.alerting.alertmanagers[0].static_configs[0].targets[0]);
    // Whoever has no health check of its own is asked here, and missed by an alert.
    const watched = new Set(jobs.map(({ job_name: name }) => name));
    const alerts = meta.filter(({ name }) => name === 'TargetDown' || name === 'MonitoringDown');
    const missed = alerts
      .flatMap(casesOf)
      .flatMap(({ fires }) => fires.alerts.map(({ labels }) => labels['job'] ?? ''));
    assert.deepEqual([...watched].toSorted(), missed.toSorted());
    for (const name of ['otel-collector', 'tempo', 'loki', 'alertmanager', 'grafana'])
      assert.ok(watched.has(name), name);
  });
});

describe('start.sh of Alertmanager', () => {
  const template = join(root, 'alerts/alertmanager.yml');
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'returnit-alertmanager-'))));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const variables = Object.keys(services['alertmanager']?.environment ?? {});
  function start(environment: Readonly<Record<string, string>>) {
    const copy = join(folder, 'copy.yml');
    rmSync(copy, { force: true });
    const { status, stderr, stdout } = spawnSync(
      'sh',
      [join(root, 'deploy/alertmanager/start.sh'), template, copy, 'echo', 'started', 'with arguments'],
      { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', ...environment } },
    );
    return { status, stderr, stdout, copy };
  }

  it('is given every address that alertmanager.yml asks for', () => {
    const asked = [...readFileSync(template, 'utf8').matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name = '']) => name);
    assert.deepEqual(variables.toSorted(), asked.toSorted());
  });

  it('fills them in as they are, and becomes its command', () => {
    const odd = `https://a.example/?x=1&y=\\1\\n|#'"$HOME$(id)\`id\``;
    const { status, stdout, stderr, copy } = start(Object.fromEntries(variables.map((name) => [name, odd])));
    assert.equal(status, 0, stderr);
    assert.equal(stdout, 'started with arguments\n');
    const { receivers } = parse(readFileSync(copy, 'utf8')) as { receivers: { webhook_configs?: [{ url: string }] }[] };
    const urls = receivers.flatMap(({ webhook_configs: hooks }) => hooks?.map(({ url }) => url) ?? []);
    assert.deepEqual(
      urls,
      variables.map(() => odd),
    );
  });

  it('is taken by amtool afterwards', { skip: skipWithout(['amtool'], 'prometheus-alertmanager') }, () => {
    const { copy } = start(Object.fromEntries(variables.map((name) => [name, 'https://alerts.example/hook'])));
    const { status, stdout, stderr } = spawnSync(findProgram('amtool'), ['check-config', copy], { encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
  });

  it('stops with the name of each that is missing, and starts nothing', () => {
    const given = Object.fromEntries(variables.map((name) => [name, 'https://alerts.example/hook']));
    const { status, stderr, stdout } = start({ ...given, ALERT_OPS_URL: '', ALERT_FINANCE_URL: '' });
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /nobody would be told, as these are not set: ALERT_OPS_URL ALERT_FINANCE_URL\n/);
  });
});

describe('tempo.yml', () => {
  const config = read('tempo/tempo.yml');

  it('has keys of Tempo 3, and writes to its volume alone', () => {
    assertKeys(config, ['server', 'distributor', 'storage', 'usage_report', 'query_frontend', 'overrides']);
    assertKeys(config.server, ['http_listen_port', 'log_level']);
    assertKeys(config.storage.trace, ['backend', 'wal', 'local']);
    for (const { path } of [config.storage.trace.wal, config.storage.trace.local]) assertOnVolume('tempo', path);
    assert.match(services['tempo']?.image ?? '', /:3\./);
    assert.deepEqual(services['tempo']?.command, [`-config.file=${mountOf('tempo', 'deploy/tempo/tempo.yml')}`]);
  });

  it('listens where the others look', () => {
    assert.ok(listens['tempo']?.includes(config.server.http_listen_port));
    assert.equal(config.distributor.receivers.otlp.protocols.http.endpoint, '0.0.0.0:4318');
  });
});

describe('loki.yml', () => {
  const config = read('loki/loki.yml');

  it('has keys of Loki 3, and writes to its volume alone', () => {
    const own = ['auth_enabled', 'server', 'common', 'schema_config', 'limits_config', 'compactor', 'analytics'];
    assertKeys(config, own);
    assertKeys(config.compactor, ['working_directory', 'retention_enabled', 'delete_request_store']);
    assertKeys(config.limits_config, ['retention_period', 'ingestion_rate_mb', 'ingestion_burst_size_mb']);
    const { filesystem } = config.common.storage;
    const paths = [config.common.path_prefix, config.compactor.working_directory, ...Object.values(filesystem)];
    for (const path of paths) assertOnVolume('loki', path as string);
    assert.match(services['loki']?.image ?? '', /:3\./);
    assert.deepEqual(services['loki']?.command, [`-config.file=${mountOf('loki', 'deploy/loki/loki.yml')}`]);
  });

  it('can drop what is too old, and takes OTLP', () => {
    const [schema] = config.schema_config.configs;
    // Retention needs an index of a day and a place for what is to be deleted; OTLP needs schema 13 with tsdb.
    assert.deepEqual([schema.index.period, schema.schema, schema.store], ['24h', 'v13', 'tsdb']);
    assert.equal(config.compactor.retention_enabled, true);
    assert.equal(config.compactor.delete_request_store, schema.object_store);
    assert.ok(listens['loki']?.includes(config.server.http_listen_port));
  });
});

describe('otel-collector.yml', () => {
  const config = read('otel-collector/otel-collector.yml');
  const { pipelines, telemetry, extensions } = config.service;

  it('uses what it defines, and defines what it uses', () => {
    assertKeys(config, ['extensions', 'receivers', 'processors', 'exporters', 'service']);
    for (const kind of ['receivers', 'processors', 'exporters'] as const) {
      const used = Object.values(pipelines as Record<string, Record<string, string[]>>).flatMap(
        (one) => one[kind] ?? [],
      );
      assert.deepEqual([...new Set(used)].toSorted(), Object.keys(config[kind]).toSorted(), kind);
    }
    assert.deepEqual(extensions, Object.keys(config.extensions));
    assert.equal(config.receivers.file_log.storage, extensions[0]);
    for (const one of Object.values(pipelines) as { processors: string[] }[]) {
      assert.equal(one.processors[0], 'memory_limiter');
      assert.equal(one.processors.at(-1), 'batch');
    }
  });

  it('reaches Tempo and Loki, and can be reached by the platform and by Prometheus', () => {
    for (const { endpoint } of Object.values(config.exporters) as { endpoint: string }[]) {
      assertReachable('otel-collector', endpoint);
    }
    assert.equal(new URL(config.exporters['otlp_http/loki'].endpoint).pathname, '/otlp');
    assert.equal(config.receivers.otlp.protocols.http.endpoint, '0.0.0.0:4318');
    const { host, port } = telemetry.metrics.readers[0].pull.exporter.prometheus;
    assert.deepEqual([host, listens['otel-collector']?.includes(port)], ['0.0.0.0', true]);
    assertReachable('returnit', 'http://otel-collector:4318');
  });

  it('has the variables that compose.yaml gives it, and fits its memory', () => {
    const text = readFileSync(join(root, 'deploy/otel-collector/otel-collector.yml'), 'utf8');
    const asked = [...text.matchAll(/\$\{env:([A-Z_]+)\}/g)].map(([, name = '']) => name);
    assert.deepEqual(asked, Object.keys(services['otel-collector']?.environment ?? {}));
    const limit = Number(String(services['otel-collector']?.['mem_limit']).slice(0, -1));
    assert.ok(config.processors.memory_limiter.limit_mib < limit);
    const slow = config.processors.tail_sampling.policies.find((policy: { name: string }) => policy.name === 'slow');
    assert.equal(slow.latency.threshold_ms, thresholds.slowRequestMs.value);
  });

  it('reads the log file that the platform writes, line by line as it writes them', () => {
    const logFile = /LOG_FILE=(\S+)/.exec(readFileSync(join(root, 'Containerfile'), 'utf8'))?.[1] ?? '';
    assert.deepEqual(config.receivers.file_log.include, [logFile, `${logFile}.1`]);
    assertOnVolume('otel-collector', config.extensions.file_storage.directory);
    let line = '';
    const logger = createLogger({ level: 'info', destination: { write: (text: string) => (line = text) } });
    logger.warn({ trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16), trace_flags: '01' }, 'Said');
    const written = JSON.parse(line) as Record<string, string>;
    const [parser, kept] = config.receivers.file_log.operators;
    assert.equal(kept.type, 'retain');
    assert.equal(parser.type, 'json_parser');
    const { timestamp, severity, trace } = parser;
    for (const { parse_from: from } of [timestamp, severity, ...Object.values(trace)] as { parse_from: string }[]) {
      assert.ok(from.startsWith('attributes.') && from.slice('attributes.'.length) in written, from);
    }
    assert.equal(timestamp.layout, '%Y-%m-%dT%H:%M:%S.%LZ');
    assert.match(written['time'] ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(written['level'], 'warn');
  });
});
