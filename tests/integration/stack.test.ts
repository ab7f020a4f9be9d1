/**
 * What compose.yaml starts, as far as Debian has it: Mosquitto, Prometheus and Alertmanager with the files that the
 * containers get, the platform with the environment that its container gets. Hosts, ports and folders alone are replaced;
 * and seconds are, where nothing but waiting would come of them.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { createShippedMosquitto, skipWithoutShippedMosquitto, type ShippedMosquitto } from '../core/mqtt/mosquitto.ts';
import { runCli } from '../support/cli.ts';
import { parseEnvFile, readCompose, type Compose, type Environment } from '../support/compose.ts';
import { killCores, startCore, type CoreProcess } from '../support/core-process.ts';
import { freePort } from '../support/external-postgres.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { skipWithout } from '../support/programs.ts';
import { projectDir as root } from '../support/project-copy.ts';
import { startProgram, type RunningProgram } from '../support/running-program.ts';
import { until } from '../support/until.ts';

const skip =
  skipWithoutShippedMosquitto ||
  skipWithout(['prometheus', 'prometheus-alertmanager'], 'prometheus prometheus-alertmanager');

interface Received {
  readonly path: string;
  readonly body: string;
}

describe('the stack', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'returnit-stack-'));
  const programs: RunningProgram[] = [];
  const received: Received[] = [];
  let outside: Server;
  let outsideUrl: string;
  let compose: Compose;
  let database: TestDatabase;
  let mosquitto: ShippedMosquitto;
  let core: CoreProcess;
  let prometheus: string;
  let alertmanager: string;

  /** The collector, and everybody who is told of alerts. */
  async function startOutside(): Promise<void> {
    const take = async (request: IncomingMessage): Promise<void> => {
      received.push({ path: request.url ?? '', body: await text(request) });
    };
    outside = createServer((request, response) => void take(request).finally(() => response.end('{}')));
    outside.listen(0, '127.0.0.1');
    await once(outside, 'listening');
    outsideUrl = `http://127.0.0.1:${(outside.address() as AddressInfo).port}`;
  }

  function writeEnv(): Environment {
    const file = join(folder, '.env');
    const names = [...readFileSync(join(root, 'alerts/alertmanager.yml'), 'utf8').matchAll(/\$\{(ALERT_[A-Z_]+)\}/g)];
    const env = Object.fromEntries(names.map(([, name = '']) => [name, `${outsideUrl}/${name}`]));
    const { status, stderr } = spawnSync('sh', [join(root, 'deploy/write-env.sh')], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', ENV_FILE: file, ...env },
    });
    assert.equal(status, 0, stderr);
    return parseEnvFile(readFileSync(file, 'utf8'));
  }

  /** As the container `mosquitto-init`. */
  async function startBroker(): Promise<string> {
    mosquitto = await createShippedMosquitto();
    const { command = [], environment = {} } = compose.services['mosquitto-init'] ?? {};
    assert.match(command.join(' '), /main\.ts mosquitto-init \/var\/lib\/mosquitto\/dynamic-security\.json/);
    rmSync(mosquitto.accountsFile);
    const { code, stderr } = await runCli(['mosquitto-init', mosquitto.accountsFile], environment);
    assert.equal(code, 0, stderr);
    await mosquitto.start();
    const url = new URL(environment['MQTT_URL'] ?? '');
    assert.equal(url.host, 'mosquitto:1884');
    url.host = new URL(mosquitto.nodeUrl).host;
    return url.href;
  }

  async function startPlatform(mqttUrl: string): Promise<void> {
    const { environment = {} } = compose.services['returnit'] ?? {};
    assert.equal(environment['OTEL_EXPORTER_OTLP_ENDPOINT'], 'http://otel-collector:4318');
    core = await startCore({
      dataDir: join(folder, 'data'),
      environment: {
        ...environment,
        DATABASE_URL: database.url,
        DB_POOL_MAX: '20',
        MQTT_URL: mqttUrl,
        OTEL_EXPORTER_OTLP_ENDPOINT: outsideUrl,
      },
    });
  }

  async function startAlertmanager(): Promise<string> {
    const port = await freePort();
    const { entrypoint = [], command = [], environment = {} } = compose.services['alertmanager'] ?? {};
    const template = join(folder, 'alerts.yml');
    const whole = readFileSync(join(root, 'alerts/alertmanager.yml'), 'utf8');
    writeFileSync(template, whole.replaceAll(/group_wait: \d+[sm]/g, 'group_wait: 1s'));
    const here = [...entrypoint, ...command].map((one) =>
      one
        .replace('/etc/alertmanager/start.sh', join(root, 'deploy/alertmanager/start.sh'))
        .replace('/etc/alertmanager/alertmanager.yml', template)
        .replace('/run/alertmanager', folder)
        .replace('/bin/alertmanager', 'prometheus-alertmanager')
        .replace('--storage.path=/alertmanager', `--storage.path=${folder}/alertmanager`),
    );
    const url = `http://127.0.0.1:${port}`;
    programs.push(
      await startProgram({
        command: ['sh', ...here.slice(1), `--web.listen-address=127.0.0.1:${port}`],
        environment,
        cwd: folder,
        readyUrl: `${url}/-/ready`,
      }),
    );
    return url;
  }

  async function startPrometheus(): Promise<string> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const file = join(folder, 'prometheus.yml');
    const whole = readFileSync(join(root, 'deploy/prometheus/prometheus.yml'), 'utf8')
      .replace('/etc/prometheus/rules', join(root, 'alerts'))
      .replace('returnit:9464', new URL(core.addresses.ops).host)
      .replace('localhost:9090', new URL(url).host)
      .replaceAll('alertmanager:9093', new URL(alertmanager).host)
      .replaceAll('interval: 15s', 'interval: 1s')
      .replace('scrape_timeout: 10s', 'scrape_timeout: 1s');
    writeFileSync(file, whole);
    const command = (compose.services['prometheus']?.command ?? []).map((one) =>
      one.replace('/etc/prometheus/prometheus.yml', file).replace('=/prometheus', `=${folder}/prometheus`),
    );
    programs.push(
      await startProgram({
        command: ['prometheus', ...command, `--web.listen-address=127.0.0.1:${port}`],
        cwd: folder,
        readyUrl: `${url}/-/ready`,
      }),
    );
    return url;
  }

  async function ask<T>(path: string): Promise<T> {
    const response = await fetch(`${prometheus}/api/v1/${path}`);
    assert.ok(response.ok, `${path}: ${response.status}`);
    return ((await response.json()) as { readonly data: T }).data;
  }

  before(async () => {
    await startOutside();
    compose = readCompose(writeEnv());
    database = await createTestDatabase();
    await startPlatform(await startBroker());
    alertmanager = await startAlertmanager();
    prometheus = await startPrometheus();
  });
  after(async () => {
    for (const program of programs) await program.stop();
    await killCores();
    await mosquitto?.stop();
    await database?.drop();
    outside?.close();
    outside?.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  it('has a platform that is ready, with the accounts that were made for it', async () => {
    const response = await fetch(`${core.addresses.ops}/readyz`);
    assert.equal(response.status, 200, await response.clone().text());
    const { checks } = (await response.json()) as { checks: readonly { name: string; ready: boolean }[] };
    for (const name of ['database', 'broker']) assert.equal(checks.find((one) => one.name === name)?.ready, true, name);
  });

  it('is scraped, and says in which environment it is', async () => {
    interface Sample {
      readonly metric: Readonly<Record<string, string>>;
      readonly value: readonly [number, string];
    }
    const { result } = await until('it was scraped', async () => {
      const data = await ask<{ result: Sample[] }>(`query?query=${encodeURIComponent('up{job="returnit"} == 1')}`);
      return data.result.length > 0 && data;
    });
    assert.equal(result[0]?.metric['instance'], new URL(core.addresses.ops).host);
    const build = await ask<{ result: Sample[] }>('query?query=returnit_build_info');
    assert.equal(build.result[0]?.metric['job'], 'returnit');
  });

  it('has every rule loaded, and each can be evaluated', async () => {
    interface Rule {
      readonly name: string;
      readonly health: string;
      readonly lastError?: string;
    }
    const written = readFileSync(join(root, 'alerts/returnit.rules.yml'), 'utf8');
    const count = [...written.matchAll(/^\s+- (?:alert|record): /gm)].length;
    const rules = await until('every rule was evaluated', async () => {
      const { groups } = await ask<{ groups: readonly { rules: readonly Rule[] }[] }>('rules');
      const all = groups.flatMap((group) => group.rules);
      return all.every(({ health }) => health !== 'unknown') && all;
    });
    assert.ok(count > 50);
    assert.equal(rules.length, count);
    assert.deepEqual(
      rules.filter(({ health }) => health !== 'ok'),
      [],
    );
  });

  it('leads from a request to its trace: an exemplar in Prometheus, the span at the collector', async () => {
    const response = await fetch(`${core.addresses.api}/openapi.json`);
    assert.equal(response.status, 200);
    await response.arrayBuffer();
    interface Series {
      readonly exemplars: readonly { readonly labels: { readonly trace_id?: string } }[];
    }
    const traceId = await until('there is an exemplar', async () => {
      const seconds = Date.now() / 1000;
      const query = `query=http_server_request_duration_seconds_bucket&start=${seconds - 300}&end=${seconds + 5}`;
      const series = await ask<Series[]>(`query_exemplars?${query}`);
      return series.flatMap(({ exemplars }) => exemplars)[0]?.labels.trace_id;
    });
    assert.match(traceId, /^[0-9a-f]{32}$/);
    await until('its span is there', () =>
      received.some(({ path, body }) => path === '/v1/traces' && body.includes(traceId)),
    );
  });

  it('tells that all is well, through Alertmanager to whoever listens for it', async () => {
    await until('the heartbeat comes', () =>
      received.some(({ path, body }) => path === '/ALERT_HEARTBEAT_URL' && body.includes('"Watchdog"')),
    );
  });

  it('calls somebody when the platform is gone', async () => {
    await core.end('SIGKILL');
    interface Alert {
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
    }
    const down = await until(
      'TargetDown is at Alertmanager',
      async () => {
        const alerts = (await (await fetch(`${alertmanager}/api/v2/alerts`)).json()) as readonly Alert[];
        return alerts.find(({ labels }) => labels['alertname'] === 'TargetDown');
      },
      120_000,
    );
    assert.equal(down.labels['severity'], 'critical');
    assert.match(down.annotations['description'] ?? '', /cannot be scraped/);
    await until('somebody is called', () =>
      received.some(({ path, body }) => path === '/ALERT_ON_CALL_URL' && body.includes('"TargetDown"')),
    );
  });

  it('has its addresses in a file that others cannot read, and no password in the log', () => {
    assert.equal(statSync(join(folder, 'alertmanager.yml')).mode & 0o777, 0o600);
    const password = /:\/\/returnit:([^@]+)@/.exec(compose.services['returnit']?.environment?.['MQTT_URL'] ?? '')?.[1];
    assert.match(password ?? '', /^[0-9a-f]{64}$/);
    const log = readFileSync(join(folder, 'data/returnit.log'), 'utf8');
    assert.ok(log.includes('"service":"returnit"') && log.includes('"environment":"production"'));
    assert.ok(!log.includes(password ?? '-'));
  });
});
