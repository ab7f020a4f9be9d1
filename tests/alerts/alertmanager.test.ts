import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import type { Alert } from '../../alerts/alert.ts';
import { groups } from '../../alerts/rules.ts';
import { freePort } from '../support/external-postgres.ts';
import { findProgram, skipWithout } from '../support/programs.ts';
import { projectDir as root } from '../support/project-copy.ts';
import { until } from '../support/until.ts';
import { inhibitions, type Labels } from './inhibitions.ts';

const template = readFileSync(join(root, 'alerts/alertmanager.yml'), 'utf8');
const placeholder = /\$\{(ALERT_[A-Z_]+_URL)\}/g;
const fill = (urlOf: (variable: string) => string): string =>
  template.replaceAll(placeholder, (_whole, variable: string) => urlOf(variable));
const alerts = Object.values(groups).flat();
const skip = skipWithout(['amtool', 'prometheus-alertmanager'], 'prometheus-alertmanager');

interface Settings {
  readonly inhibit_rules: readonly Record<'source_matchers' | 'target_matchers', readonly string[]>[];
  readonly time_intervals: readonly { readonly name: string; readonly time_intervals: readonly unknown[] }[];
}
const settings = parse(template) as Settings;

function amtool(...args: readonly string[]) {
  return spawnSync(findProgram('amtool'), args, { encoding: 'utf8' });
}

/** Who is to be told, in the order of the routes. */
function expectedReceivers({ name, severity }: Alert, service: string): readonly string[] {
  if (name === 'Watchdog') return ['heartbeat'];
  if (severity === 'info') return ['nobody'];
  if (severity === 'warning') {
    if (service === 'payments') return ['finance'];
    return [['orders', 'drivers', 'tracking', 'notifications'].includes(service) ? 'operations-desk' : 'ops'];
  }
  const vendors: Readonly<Record<string, string>> = {
    TargetDown: 'support-hosting',
    MetricsAbsent: 'support-hosting',
    MemoryNearLimit: 'support-hosting',
    BrokerDisconnected: 'support-hosting',
    DatabaseDown: 'support-database',
    PoolExhausted: 'support-database',
    OutboxStalled: 'support-database',
  };
  const vendor = vendors[name] ?? (service === 'payments' ? 'support-payments' : undefined);
  return ['on-call', 'infrastructure-lead', ...(vendor === undefined ? [] : [vendor])];
}

describe('alertmanager.yml', () => {
  let folder: string;
  let file: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'returnit-alertmanager-'));
    file = join(folder, 'alertmanager.yml');
    writeFileSync(
      file,
      fill((variable) => `http://127.0.0.1:9/${variable}`),
    );
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is taken when every address is filled in, and refused when one is left empty', { skip }, () => {
    assert.equal(amtool('check-config', file).status, 0);
    const variables = [...template.matchAll(placeholder)].map(([, variable]) => variable ?? '');
    assert.equal(variables.length, 9);
    for (const empty of variables) {
      const lacking = join(folder, 'lacking.yml');
      writeFileSync(
        lacking,
        fill((variable) => (variable === empty ? '' : 'http://127.0.0.1:9/')),
      );
      const { status, stdout } = amtool('check-config', lacking);
      assert.notEqual(status, 0, empty);
      assert.match(stdout, /unsupported scheme "" for URL/);
    }
  });

  it('speaks of alerts that there are', () => {
    const names = alerts.map(({ name }) => name);
    const matchers = settings.inhibit_rules.flatMap((rule) => [...rule.source_matchers, ...rule.target_matchers]);
    const routed = [...template.matchAll(/'(alertname =~ "[^"]+")'/g)].map(([, matcher]) => matcher ?? '');
    const all = [...matchers, ...routed];
    assert.ok(all.length > 20);
    for (const matcher of all) {
      const parts = /^alertname (?:=|=~|!~) "?([^"]+)"?$/.exec(matcher)?.[1] ?? '';
      for (const part of splitAlternatives(parts)) {
        const pattern = new RegExp(`^(?:${part})$`);
        assert.ok(
          names.some((name) => pattern.test(name)),
          `${matcher}: ${part}`,
        );
      }
    }
  });

  it('counts business hours in New York', () => {
    assert.deepEqual(settings.time_intervals, [
      {
        name: 'business-hours',
        time_intervals: [
          {
            weekdays: ['monday:friday'],
            times: [{ start_time: '09:00', end_time: '18:00' }],
            location: 'America/New_York',
          },
        ],
      },
    ]);
  });

  it('tells of each alert whom it concerns', { skip }, () => {
    const services = ['core', 'orders', 'payments'];
    for (const alert of alerts) {
      for (const service of alert.plugin.includes('{{') ? services : [alert.plugin]) {
        const labels = [`alertname=${alert.name}`, `severity=${alert.severity}`, `service=${service}`];
        const wanted = `--verify.receivers=${expectedReceivers(alert, service).join(',')}`;
        const { status, stdout, stderr } = amtool(
          'config',
          'routes',
          'test',
          `--config.file=${file}`,
          wanted,
          ...labels,
        );
        assert.equal(status, 0, `${labels.join(' ')}: ${stdout}${stderr}`);
      }
    }
  });
});

/** `A|B(C|D)` is `A` and `B(C|D)`. */
function splitAlternatives(pattern: string): readonly string[] {
  return pattern.split(/\|(?![^(]*\))/);
}

describe('Alertmanager with it', { skip }, () => {
  let folder: string;
  let receiver: Server;
  let child: ChildProcess;
  let api: string;
  const told: { readonly path: string; readonly names: readonly string[] }[] = [];

  async function receive(request: IncomingMessage): Promise<void> {
    const body = (await json(request)) as { readonly alerts: readonly { readonly labels: { alertname: string } }[] };
    told.push({ path: request.url ?? '', names: body.alerts.map(({ labels }) => labels.alertname) });
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'returnit-alertmanager-'));
    receiver = createServer((request, response) => {
      void receive(request).finally(() => response.end());
    }).listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    const { port: receiverPort } = receiver.address() as AddressInfo;
    const file = join(folder, 'alertmanager.yml');
    // Who is to be told at once would else wait for others of its group.
    const quick = fill((variable) => `http://127.0.0.1:${receiverPort}/${variable}`).replaceAll(
      /group_wait: \d+s/g,
      'group_wait: 1s',
    );
    writeFileSync(file, quick);
    const port = await freePort();
    api = `http://127.0.0.1:${port}/api/v2`;
    child = spawn(
      findProgram('prometheus-alertmanager'),
      [
        `--config.file=${file}`,
        `--storage.path=${folder}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--cluster.listen-address=',
      ],
      { stdio: 'ignore' },
    );
    await until('Alertmanager is ready', () =>
      fetch(`${api}/status`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  });
  after(async () => {
    child?.kill('SIGKILL');
    if (child !== undefined && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    receiver?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const find = (name: string): Alert => {
    const alert = alerts.find((each) => each.name === name);
    assert.ok(alert, name);
    return alert;
  };

  async function fire(all: readonly Labels[]): Promise<void> {
    const body = all.map((labels) => ({
      labels: { job: 'returnit', severity: find(labels['alertname'] ?? '').severity, service: 'core', ...labels },
      annotations: {},
    }));
    const { ok } = await fetch(`${api}/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    assert.ok(ok);
  }

  async function isInhibited(wanted: Labels): Promise<boolean | undefined> {
    const found = (await (await fetch(`${api}/alerts`)).json()) as {
      readonly labels: Labels;
      readonly status: { readonly inhibitedBy: readonly string[] };
    }[];
    const alert = found.find(({ labels }) => Object.entries(wanted).every(([name, value]) => labels[name] === value));
    return alert === undefined ? undefined : alert.status.inhibitedBy.length > 0;
  }

  it('holds back what the worse one says as well, and nothing else', async () => {
    assert.equal(inhibitions.length, settings.inhibit_rules.length, 'one for each rule');
    await fire(inhibitions.flat());
    for (const [source, held, told] of inhibitions) {
      await until(`${held['alertname']} is held back by ${source['alertname']}`, () => isInhibited(held));
      assert.equal(await isInhibited(told), false, `${told['alertname']} beside ${source['alertname']}`);
    }
  });

  it('calls somebody for what is critical, gives its heartbeat, and tells nobody of what is held back', async () => {
    await fire([{ alertname: 'Watchdog' }, { alertname: 'PluginDenied', plugin: 'drivers' }]);
    const sentTo = (variable: string): readonly string[] =>
      told.filter(({ path }) => path === `/${variable}`).flatMap(({ names }) => names);
    await until('the heartbeat comes', () => sentTo('ALERT_HEARTBEAT_URL').includes('Watchdog'));
    await until('somebody is called', () => sentTo('ALERT_ON_CALL_URL').includes('TargetDown'));
    assert.ok(!told.some(({ names }) => names.includes('PluginDenied')));
    // For a quarter of an hour it is the first one's.
    assert.deepEqual(sentTo('ALERT_INFRASTRUCTURE_LEAD_URL'), []);
  });
});
