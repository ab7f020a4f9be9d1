import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import type { Alert } from '../../alerts/alert.ts';
import { groups } from '../../alerts/rules.ts';
import { findProgram, skipWithout } from '../support/programs.ts';
import { until } from '../support/until.ts';
import { inhibitions, type Labels } from './inhibitions.ts';
import { fill, placeholder, startAlertmanager, template, type RunningAlertmanager } from './running-alertmanager.ts';

const variables = [...template.matchAll(placeholder)].map(([, variable]) => variable ?? '');
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
  let alertmanager: RunningAlertmanager;
  before(async () => {
    alertmanager = await startAlertmanager();
  });
  after(() => alertmanager?.stop());

  async function isInhibited(wanted: Labels): Promise<boolean | undefined> {
    const found = (await (await fetch(`${alertmanager.url}/alerts`)).json()) as {
      readonly labels: Labels;
      readonly status: { readonly inhibitedBy: readonly string[] };
    }[];
    const alert = found.find(({ labels }) => Object.entries(wanted).every(([name, value]) => labels[name] === value));
    return alert === undefined ? undefined : alert.status.inhibitedBy.length > 0;
  }

  it('holds back what the worse one says as well, and nothing else', async () => {
    assert.equal(inhibitions.length, settings.inhibit_rules.length, 'one for each rule');
    await alertmanager.fire(inhibitions.flat());
    for (const [source, held, told] of inhibitions) {
      await until(`${held['alertname']} is held back by ${source['alertname']}`, () => isInhibited(held));
      assert.equal(await isInhibited(told), false, `${told['alertname']} beside ${source['alertname']}`);
    }
  });

  it('calls somebody for what is critical, gives its heartbeat, and tells nobody of what is held back', async () => {
    await alertmanager.fire([{ alertname: 'Watchdog' }, { alertname: 'PluginDenied', plugin: 'drivers' }]);
    const { sentTo } = alertmanager;
    await until('the heartbeat comes', () => sentTo('ALERT_HEARTBEAT_URL').includes('Watchdog'));
    await until('somebody is called', () => sentTo('ALERT_ON_CALL_URL').includes('TargetDown'));
    assert.ok(!variables.some((variable) => sentTo(variable).includes('PluginDenied')));
    // For a quarter of an hour it is the first one's.
    assert.deepEqual(sentTo('ALERT_INFRASTRUCTURE_LEAD_URL'), []);
  });
});

describe('Alertmanager in and out of business hours', { skip }, () => {
  /** Of the week that are neither today, nor yesterday or tomorrow, which it may be in New York. */
  const otherDay = (new Date().getUTCDay() + 3) % 7;
  const withHours = (days: string, times: string): Promise<RunningAlertmanager> =>
    startAlertmanager((text) => {
      const changed = text
        .replace("weekdays: ['monday:friday']", `weekdays: ['${days}']`)
        .replace("start_time: '09:00', end_time: '18:00'", times);
      assert.ok(changed.includes(days) && changed.includes(times));
      return changed;
    });
  const all = "start_time: '00:00', end_time: '24:00'";
  const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;
  /** Warnings of those who have a desk, and who is told of them. */
  const warnings: readonly (readonly [Labels, string])[] = [
    [{ alertname: 'CpuHigh', service: 'core' }, 'ALERT_OPS_URL'],
    [{ alertname: 'QueriesSlow', service: 'orders' }, 'ALERT_OPERATIONS_DESK_URL'],
    [{ alertname: 'PaymentsUnreconciled', service: 'payments' }, 'ALERT_FINANCE_URL'],
  ];

  it('tells of a warning in them', async () => {
    const alertmanager = await withHours('sunday:saturday', all);
    try {
      await alertmanager.fire(warnings.map(([labels]) => labels));
      for (const [{ alertname = '' }, variable] of warnings)
        await until(`${variable} is told`, () => alertmanager.sentTo(variable).includes(alertname));
    } finally {
      await alertmanager.stop();
    }
  });

  it('calls for what is critical out of them, and tells nobody of a warning', async () => {
    const alertmanager = await withHours(weekdays[otherDay] ?? '', all);
    try {
      await alertmanager.fire(warnings.map(([labels]) => labels));
      // The second is sent when the warnings would have been.
      for (const alertname of ['OutboxForged', 'LedgerImbalance']) {
        await alertmanager.fire([{ alertname }]);
        await until('somebody is called', () => alertmanager.sentTo('ALERT_ON_CALL_URL').includes(alertname));
      }
      for (const [, variable] of warnings) assert.deepEqual(alertmanager.sentTo(variable), []);
    } finally {
      await alertmanager.stop();
    }
  });
});
