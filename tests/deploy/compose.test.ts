import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Ajv } from 'ajv';
import * as pg from 'pg';
import { loadConfig } from '#core/config/config.ts';
import { settings } from '#core/config/settings.ts';
import { connectionsBeside } from '#core/database/connection-budget.ts';
import { parseCompose, parseEnvFile, readCompose, type Environment } from '../support/compose.ts';
import { startExternalPostgres } from '../support/external-postgres.ts';
import { skipWithout } from '../support/programs.ts';
import { projectDir as root } from '../support/project-copy.ts';

const raw = parseCompose();
const services = Object.entries(raw.services);
const secrets = ['POSTGRES_PASSWORD', 'MQTT_PASSWORD', 'GRAFANA_ADMIN_PASSWORD'];

function writeEnv(file: string, args: readonly string[] = [], environment: Environment = {}) {
  const env = { PATH: process.env['PATH'] ?? '', ENV_FILE: file, ...environment };
  return spawnSync('sh', [join(root, 'deploy/write-env.sh'), ...args], { encoding: 'utf8', env });
}

/** The specification's own schema, which the package carries. */
function compileSchema() {
  const folder = dirname(createRequire(import.meta.url).resolve('dclint/package.json'));
  const schema = JSON.parse(readFileSync(join(folder, 'schemas/compose.schema.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  // It names a meta-schema by an address that ajv has under another one.
  delete schema['$schema'];
  return new Ajv({ strict: false, validateFormats: false }).compile(schema);
}

describe('compose.yaml', () => {
  it('is what the specification of compose allows, and a planted mistake is not', () => {
    const validate = compileSchema();
    assert.ok(validate(raw), JSON.stringify(validate.errors));
    const { postgres } = raw.services;
    for (const mistake of [{ mem_limits: '1g' }, { ports: { a: 1 } }, { read_only: { yes: 1 } }]) {
      assert.equal(validate({ ...raw, services: { postgres: { ...postgres, ...mistake } } }), false);
    }
  });

  it('pins every image to an exact version', () => {
    for (const [name, { image, build }] of services) {
      const tag = image.split(':')[1] ?? '';
      if (build === undefined) assert.match(tag, /^v?\d+\.\d+(\.\d+)?(-[a-z]+)?$/, name);
      else assert.equal(image, name === 'mosquitto' ? 'returnit-mosquitto:local' : 'returnit:local');
    }
  });

  it('takes from every container what it does not need', () => {
    for (const [name, service] of services) {
      assert.equal(service['read_only'], true, name);
      assert.deepEqual(service['cap_drop'], ['ALL'], name);
      assert.deepEqual(service['security_opt'], ['no-new-privileges:true'], name);
      for (const key of ['privileged', 'cap_add', 'devices', 'pid', 'ipc', 'userns_mode']) {
        assert.ok(!(key in service), `${name}: ${key}`);
      }
      assert.match(service.user, /^[1-9]\d*:\d+$/, `${name} is not root`);
      assert.ok(!service.volumes?.some((volume) => volume.includes('docker.sock')), name);
    }
  });

  it('limits processors, memory and processes of each', () => {
    for (const [name, service] of services) {
      assert.ok(Number(service['cpus']) > 0, name);
      assert.match(String(service['mem_limit']), /^\d+[mg]$/, name);
      assert.ok(Number(service['pids_limit']) >= 50, name);
    }
  });

  it('asks each how it is, except the one that nothing in its image can ask', () => {
    const without = services.filter(([, { healthcheck }]) => healthcheck === undefined).map(([name]) => name);
    assert.deepEqual(without, ['mosquitto-init', 'otel-collector']);
    // Who waits for a health check waits for one that there is.
    for (const [name, { depends_on: needs = {} }] of services) {
      for (const [needed, { condition }] of Object.entries(needs)) {
        const { healthcheck } = raw.services[needed] ?? {};
        assert.ok(needed in raw.services, `${name} needs ${needed}`);
        assert.equal(healthcheck !== undefined, condition === 'service_healthy', `${name} needs ${needed}`);
      }
    }
  });

  it('has the platform in "core" and what watches it in "observability"; core needs nothing of the other', () => {
    const ofProfile = (wanted: string): readonly string[] =>
      services.filter(([, { profiles }]) => profiles.includes(wanted)).map(([name]) => name);
    assert.deepEqual(ofProfile('core'), ['postgres', 'mosquitto-init', 'mosquitto', 'returnit']);
    assert.deepEqual(ofProfile('observability'), [
      'prometheus',
      'alertmanager',
      'grafana',
      'otel-collector',
      'tempo',
      'loki',
    ]);
    for (const name of ofProfile('core')) {
      for (const needed of Object.keys(raw.services[name]?.depends_on ?? {})) {
        assert.deepEqual(raw.services[needed]?.profiles, ['core']);
      }
    }
  });

  it('opens ports on this machine alone unless told otherwise, and none of what has no login elsewhere', () => {
    for (const [name, { ports = [], networks = [] }] of Object.entries(readCompose(filled()).services)) {
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/, name);
      // An internal network opens no port.
      assert.equal(networks.includes('edge'), ports.length > 0, name);
    }
    const wide = readCompose({ ...filled(), PUBLIC_ADDRESS: '0.0.0.0' }).services;
    const opened = Object.entries(wide).filter(([, { ports = [] }]) => ports.some((port) => port.startsWith('0.')));
    assert.deepEqual(
      opened.map(([name]) => name),
      ['mosquitto', 'returnit'],
    );
    assert.ok(raw.networks['data']?.internal === true && raw.networks['telemetry']?.internal === true);
  });

  it(
    'gives Postgres flags that it takes, and room for a node',
    { skip: skipWithout(['initdb'], 'postgresql-15') },
    async () => {
      const [program, ...flags] = raw.services['postgres']?.command ?? [];
      assert.equal(program, 'postgres');
      const postgres = await startExternalPostgres(flags);
      const client = new pg.Client({ connectionString: postgres.url });
      try {
        await client.connect();
        for (const flag of flags) {
          const [, name = '', wanted] = /^-c([a-z_.]+)=(.*)$/.exec(flag) ?? assert.fail(flag);
          const { rows } = await client.query<{ is: string }>('select current_setting($1) as is', [name]);
          // What it compresses with stands where it was switched on.
          assert.equal(name === 'wal_compression' && rows[0]?.is === 'pglz' ? 'on' : rows[0]?.is, wanted, name);
        }
        await client.query('create extension pg_stat_statements');
        const { rows } = await client.query<{ free: number }>(
          `select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as free`,
        );
        assert.ok((rows[0]?.free ?? 0) >= loadConfig({}).dbPoolMax + connectionsBeside);
      } finally {
        await client.end();
        await postgres.stop();
      }
    },
  );

  it('mounts what there is, to read only, and volumes that are declared and used', () => {
    const used = new Set<string>();
    for (const [name, { volumes = [] }] of services) {
      for (const volume of volumes) {
        const [source = '', target = '', mode] = volume.split(':');
        assert.ok(target.startsWith('/'), volume);
        if (source.startsWith('./')) {
          assert.equal(mode, 'ro', `${name}: ${volume}`);
          assert.ok(existsSync(join(root, source)), `${name}: ${volume}`);
        } else {
          used.add(source);
        }
      }
    }
    assert.deepEqual([...used].toSorted(), Object.keys(raw.volumes).toSorted());
  });

  it('gives the platform settings that there are, and takes them', () => {
    const { environment = {} } = readCompose(filled()).services['returnit'] ?? {};
    const known = new Set<string>(Object.values(settings).map(({ variable }) => variable));
    for (const name of Object.keys(environment)) assert.ok(known.has(name), name);
    const config = loadConfig(environment);
    assert.equal(new URL(config.databaseUrl ?? '').hostname, 'postgres');
    assert.equal(new URL(config.mqttUrl ?? '').host, 'mosquitto:1884');
    assert.equal(new URL(config.databaseUrl ?? '').password, filled()['POSTGRES_PASSWORD']);
    assert.equal(config.environment, 'production');
  });

  it('lets the collector read the log file of the platform, which is for its own user alone', () => {
    const { returnit, 'otel-collector': collector } = raw.services;
    assert.equal(collector?.user, '10001:10001');
    assert.equal(returnit?.user, '10001:10001');
    assert.match(readFileSync(join(root, 'Containerfile'), 'utf8'), /^USER 10001:10001$/m);
    for (const service of [returnit, collector])
      assert.ok(service?.volumes?.includes('returnit-log:/var/log/returnit'));
    // A volume that is empty takes the owner of the folder that it covers first: the platform's has one.
    assert.equal(collector?.depends_on?.['returnit']?.condition, 'service_healthy');
  });

  for (const secret of secrets) {
    it(`does not start without ${secret}, and says what to do`, () => {
      assert.throws(() => readCompose({ ...filled(), [secret]: '' }), /missing a value: run deploy\/write-env\.sh/);
    });
  }

  it('has no password of its own', () => {
    const text = readFileSync(join(root, 'compose.yaml'), 'utf8');
    for (const [, value = ''] of text.matchAll(/^\s+[A-Z_]*PASSWORD:\s*(\S.*)$/gm))
      assert.match(value, /^\$\{[A-Z_]+:\?/);
    assert.equal([...text.matchAll(/:\/\/returnit:/g)].length, 2);
    for (const [, value = ''] of text.matchAll(/:\/\/returnit:(\$\{[^}]*\}|[^@]+)@/g))
      assert.match(value, /^\$\{[A-Z_]+:\?/);
  });
});

function filled(): Environment {
  return Object.fromEntries(secrets.map((name) => [name, `${name.toLowerCase()}-4711`]));
}

describe('write-env.sh', () => {
  let folder: string;
  let file: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'returnit-env-'));
    file = join(folder, '.env');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('makes every variable that compose.yaml asks for, with secrets that nobody knows', () => {
    const { status, stderr } = writeEnv(file, [], { ALERT_OPS_URL: 'https://ops.example/?a=1&b=2' });
    assert.equal(status, 0, stderr);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const written = parseEnvFile(readFileSync(file, 'utf8'));
    const asked = [...readFileSync(join(root, 'compose.yaml'), 'utf8').matchAll(/\$\{([A-Z_]+)/g)].map(
      ([, name = '']) => name,
    );
    for (const name of asked) assert.ok(name in written || name === 'TRACES_SAMPLED_PERCENT', name);
    for (const secret of secrets) assert.match(written[secret] ?? '', /^[0-9a-f]{64}$/);
    assert.equal(new Set(secrets.map((secret) => written[secret])).size, secrets.length);
    assert.equal(written['COMPOSE_PROFILES'], 'core,observability');
    assert.equal(written['ALERT_OPS_URL'], 'https://ops.example/?a=1&b=2');
    assert.doesNotThrow(() => readCompose(written));
    const { environment = {} } = readCompose(written).services['returnit'] ?? {};
    assert.equal(environment['OTEL_EXPORTER_OTLP_ENDPOINT'], 'http://otel-collector:4318');
  });

  it('does not write over the passwords of what runs', () => {
    const before = readFileSync(file, 'utf8');
    const { status, stderr } = writeEnv(file);
    assert.equal(status, 1);
    assert.match(stderr, /it exists, and what runs has its passwords from it/);
    assert.equal(readFileSync(file, 'utf8'), before);
  });

  it('leaves traces at home without the collector, and refuses what it does not know', () => {
    const core = join(folder, 'core.env');
    assert.equal(writeEnv(core, ['core']).status, 0);
    const written = parseEnvFile(readFileSync(core, 'utf8'));
    assert.equal(written['COMPOSE_PROFILES'], 'core');
    assert.equal(loadConfig(readCompose(written).services['returnit']?.environment ?? {}).otlpEndpoint, null);
    const { status, stderr } = writeEnv(join(folder, 'other.env'), ['everything']);
    assert.equal(status, 1);
    assert.match(stderr, /the argument must be "all" or "core": it is "everything"/);
    assert.ok(!existsSync(join(folder, 'other.env')));
  });
});
