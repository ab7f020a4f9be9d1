/** Whoever is called at night pastes what the runbooks say: each block is run here, on a platform with its monitoring. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { coreFlags } from '../../bin/core-flags.mjs';
import { quoteForShell } from '#core/plugin-host/permissions/grant-command.ts';
import { createShippedMosquitto, type ShippedMosquitto } from '../core/mqtt/mosquitto.ts';
import { copyForGameDay, startSystem, type System } from '../gameday/system.ts';
import { parseCompose } from '../support/compose.ts';
import { book, connectDevice, orderReached, placeOf, type Device } from '../support/journey.ts';
import { patientEnvironment } from '../support/patient.ts';
import { skipWithout } from '../support/programs.ts';
import { projectDir, type ProjectCopy } from '../support/project-copy.ts';
import {
  isEndless,
  notRun,
  patternsOf,
  readRunbooks,
  replaceAll,
  shortened,
  skipWithoutPrograms,
  toScript,
  type Replacements,
} from '../support/runbooks.ts';
import { paste, timedOut } from '../support/shell.ts';
import { until } from '../support/until.ts';

const skip = skipWithout(
  ['mosquitto', 'prometheus', 'prometheus-alertmanager'],
  'mosquitto prometheus prometheus-alertmanager',
);
const blocks = readRunbooks();
const ofLanguage = (language: string): typeof blocks => blocks.filter((block) => block.language === language);
/** Those that a runbook asks for something. */
const plugins = ['drivers', 'orders', 'payments', 'tracking'];
const timeoutMs = 600_000;
/** Prometheus asks every second. */
const factor = 15;

describe('runbooks', { skip, timeout: timeoutMs }, () => {
  let project: ProjectCopy;
  let mosquitto: ShippedMosquitto;
  let system: System;
  let device: Device;
  let environment: Readonly<Record<string, string>>;
  let replacements: Replacements;

  before(start, { timeout: timeoutMs });
  after(async () => {
    await device?.close();
    await system?.stop();
    await project?.remove();
    await mosquitto?.stop();
  });

  async function start(): Promise<void> {
    mosquitto = await createShippedMosquitto();
    await mosquitto.start();
    project = await copyForGameDay();
    const settings = { MQTT_URL: mosquitto.nodeUrl, MQTT_ACCOUNTS: 'dynamic-security' };
    // On a machine with much else to do it is still ready, and answers in the end.
    const patience = {
      ...patientEnvironment,
      DB_HEALTH_INTERVAL_MS: '60000',
      HTTP_REQUEST_TIMEOUT_MS: '60000',
      PLUGIN_CALL_TIMEOUT_MS: '60000',
    };
    system = await startSystem(project, factor, { plugins, environment: { ...patience, ...settings } });
    device = await registerDevice();
    replacements = [...shortened, ...(await addresses()), ...(await whatHappened())];
    const token = system.ops.token ?? '';
    environment = { ...settings, TOKEN: token, PASSWORD: device.password, CURL_HOME: system.folder };
    // An answer that is an error fails the command.
    writeFileSync(join(system.folder, '.curlrc'), 'fail-with-body\n');
    writeFileSync(join(system.folder, 'tokens'), `${token}\n`.repeat(2));
    symlinkSync(join(projectDir, 'alerts'), join(system.folder, 'alerts'));
  }

  async function registerDevice(): Promise<Device> {
    const driver = { driverId: 'd1', name: 'The driver of the runbooks', vehicle: 'van', autoAccept: true };
    await system.ops.ok('POST', '/drivers', driver);
    await system.ops.ok('POST', '/drivers/d1/shift', { onShift: true });
    const credentials = await system.ops.ok<{ username: string; password: string }>('POST', '/drivers/d1/devices', {
      deviceId: 'phone',
    });
    return connectDevice(mosquitto.deviceUrl, { driverId: 'd1', ...credentials });
  }

  async function addresses(): Promise<Replacements> {
    const { core, monitoring, folder } = system;
    const { username, password } = new URL(mosquitto.nodeUrl);
    const devicePort = new URL(mosquitto.deviceUrl).port;
    const nodeAccount = `-u ${username} -P ${quoteForShell(decodeURIComponent(password))}`;
    return [
      ['-h <broker> -p 1883 -u returnit -P <password>', `-h 127.0.0.1 -p ${devicePort} ${nodeAccount}`],
      ['-u d1.phone -P <password>', `-p ${devicePort} -u d1.phone -P ${quoteForShell(device.password)}`],
      ['-p 1883', `-p ${devicePort}`],
      ['http://127.0.0.1:8080', core.addresses.api],
      ['https://<public name>', core.addresses.api],
      ['http://127.0.0.1:9464', core.addresses.ops],
      ['http://<node>:9464', core.addresses.ops],
      ['http://127.0.0.1:9090', monitoring.prometheusUrl],
      ['http://127.0.0.1:9093', monitoring.alertmanagerUrl],
      ['/etc/prometheus/prometheus.yml', join(folder, 'prometheus.yml')],
      ['/etc/alertmanager/alertmanager.yml', join(folder, 'alertmanager.yml')],
    ];
  }

  /** Something of each kind that a runbook asks for. */
  async function whatHappened(): Promise<Replacements> {
    const { core, ops } = system;
    await device.publish(placeOf(1));
    await system.sabotage('poison');
    await system.sabotage('wait', 1100);
    const customer = await core.as('customer', 'c1');
    const order = await book(customer, placeOf(1));
    // From then on ops may watch it.
    await orderReached(customer, order.orderId, 'assigned');
    const letter = await until('the message is a dead letter', async () => {
      await device.client.publishAsync('drivers/d1/location', 'nonsense', { qos: 1 });
      const { letters } = await ops.ok<{ letters: { id: string }[] }>('GET', '/tracking/dead-letters');
      return letters[0];
    });
    const job = await until('the job is given up', async () => {
      const { letters } = await ops.ok<{ letters: { id: string; queue: string }[] }>('GET', '/jobs/dead-letters');
      return letters[0];
    });
    const { traces } = (await (await fetch(`${core.addresses.ops}/traces`)).json()) as {
      traces: { traceId: string }[];
    };
    return [
      ['dead-letters show <id>', `dead-letters show ${letter.id}`],
      ['jobs show <id>', `jobs show ${job.id}`],
      ['<queue>', job.queue],
      ['<orderId>', order.orderId],
      ['<traceId>', traces[0]?.traceId ?? ''],
      ['<plugin>', 'orders'],
      ['<metric>', 'returnit_plugin_info'],
    ];
  }

  for (const { title, code } of ofLanguage('sh')) {
    it(`${title} runs`, { skip: skipWithoutPrograms(code) }, async () => {
      const here = replaceAll(code, replacements);
      assert.doesNotMatch(here, /<[a-z][\w ]*>/i, 'a placeholder that nothing is known for');
      const returnit = ['node', ...coreFlags, join(project.dir, 'core/main.ts')].map(quoteForShell).join(' ');
      const result = await paste(toScript(here, returnit), {
        cwd: system.folder,
        environment,
        seconds: isEndless(here) ? 5 : 120,
      });
      assert.equal(result.code, isEndless(here) ? timedOut : 0, `${result.stderr}${result.stdout}`);
      if (isEndless(here)) assert.equal(result.stderr, '');
    });
  }

  for (const { title, code } of ofLanguage('sql')) {
    it(`${title} runs`, async () => {
      await system.withDatabase(async (client) => {
        await client.query('begin read only');
        await client.query(code);
        await client.query('rollback');
        // Of roles and applications there are those that it asks for: where none is, it finds nothing and is silent.
        for (const [, name = ''] of code.matchAll(/'(returnit[^']*)'/g)) {
          const { rowCount } = await client.query(
            `select from pg_stat_activity where application_name like $1 union all select from pg_roles where rolname like $1`,
            [name],
          );
          assert.notEqual(rowCount, 0, `nobody is called '${name}'`);
        }
      });
    });
  }

  it('look for metrics that there are', async () => {
    const scrape = await (await fetch(`${system.core.addresses.ops}/metrics`)).text();
    const patterns = ofLanguage('sh').flatMap(({ title, code }) =>
      patternsOf(replaceAll(code, replacements), '/metrics').map((pattern) => ({
        title,
        pattern,
      })),
    );
    assert.ok(patterns.length > 30, String(patterns.length));
    const unknown = patterns.filter(
      // Some have no sample before something has happened.
      ({ pattern }) => !new RegExp(pattern.replace(/^\^/, '^(# TYPE )?'), 'm').test(scrape),
    );
    assert.deepEqual(unknown, []);
  });

  it('look in the log for what the core writes', () => {
    const log = readFileSync(join(system.folder, 'data/returnit.log'), 'utf8');
    const source = readdirSync(join(projectDir, 'core'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(projectDir, 'core', file), 'utf8'))
      .join('\n');
    for (const { title, code } of ofLanguage('sh')) {
      for (const pattern of patternsOf(code, 'data/returnit.log')) {
        const [, field, value = ''] = /^"(\w+)":"(.*)"$/.exec(pattern) ?? [];
        if (field === undefined) assert.ok(source.includes(pattern), `${title}: nothing says '${pattern}'`);
        else {
          assert.ok(log.includes(`"${field}":"`), `${title}: no line has '${field}'`);
          if (value !== '<plugin>') assert.ok(source.includes(`'${value}'`), `${title}: nothing writes '${value}'`);
        }
      }
    }
  });

  it('are replaced or left out only where there is something to replace or to leave out', () => {
    const used = new Set<string>();
    for (const { code } of ofLanguage('sh')) replaceAll(code, replacements, used);
    const lines = ofLanguage('sh').flatMap(({ code }) => code.split('\n'));
    for (const line of Object.keys(notRun)) assert.ok(lines.includes(line), `no runbook says '${line}'`);
    const idle = replacements.map(([text]) => text).filter((text) => !used.has(text));
    assert.deepEqual(idle, []);
  });

  it('ask for containers that the stack has', () => {
    const { services } = parseCompose();
    for (const line of Object.keys(notRun)) {
      const names = /^docker compose logs (?:--\S+ \S+ )*(.*)$/.exec(line)?.[1] ?? '';
      for (const name of names.split(' ').filter(Boolean)) assert.ok(name in services, name);
    }
  });
});
