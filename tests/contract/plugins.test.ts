/** What every plugin must keep to, whoever wrote it: the project's own and a fixture that is new to the platform. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { verifyAudit } from '#core/plugin-host/audit/audit-read.ts';
import { readManifest, type Manifest } from '#core/plugin-host/manifest/manifest.ts';
import type { Role } from '#plugin-api';
import { placeOf } from '../support/journey.ts';
import type { Operation } from '../support/openapi-check.ts';
import { driveOrder } from '../support/order-journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { projectDir } from '../support/project-copy.ts';
import { until } from '../support/until.ts';

const fixtures = ['faulty'];
const names = [
  ...readdirSync(join(projectDir, 'plugins'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name),
  ...fixtures,
];

interface PluginOperation {
  readonly verb: string;
  readonly path: string;
  readonly operation: Operation;
}

describe('every plugin', () => {
  let platform: TestPlatform;
  let page: string;
  const manifests = new Map<string, Manifest>();
  const operations = new Map<string, PluginOperation[]>();

  before(async () => {
    platform = await startPlatform({ fixtures, config: { pluginRestartDelayMs: 50 } });
    for (const name of names) {
      const folder = fixtures.includes(name)
        ? join(projectDir, 'tests/fixtures/platform', name)
        : join(projectDir, 'plugins', name);
      manifests.set(name, await readManifest(join(folder, 'plugin.json')));
    }
    const { paths } = await platform.openApi();
    for (const [template, verbs] of Object.entries(paths)) {
      for (const [verb, operation] of Object.entries(verbs)) {
        const path = template.replaceAll(/\{\w+\}/g, '01900000-0000-7000-8000-000000000000');
        const owner = operation.tags[0] ?? '';
        operations.set(owner, [...(operations.get(owner) ?? []), { verb: verb.toUpperCase(), path, operation }]);
      }
    }
    await driveOrder({ platform, place: placeOf(1), name: 'contract' });
    page = (await platform.ops('/metrics')).text;
  });
  after(() => platform?.stop());

  for (const name of names) {
    describe(name, () => {
      it('starts', () => {
        const status = platform.app.plugins().find((plugin) => plugin.name === name);
        assert.deepEqual([status?.state, status?.ready, status?.detail], ['ready', true, null]);
      });

      it('keeps to its manifest: no denial during an order from booking to the door', () => {
        assert.deepEqual(
          auditOf(platform.dataDir).filter((record) => record.plugin === name && record.decision === 'deny'),
          [],
        );
      });

      it('serves under its own prefix, and says who may call', () => {
        const prefixes = manifests.get(name)?.permissions.http?.routes ?? [];
        const own = operations.get(name) ?? [];
        assert.ok(own.length > 0);
        for (const { path, operation } of own) {
          assert.ok(
            prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)),
            path,
          );
          assert.ok(operation['x-roles'].length > 0, path);
        }
      });

      it('has its declared metrics on /metrics', () => {
        const declared = Object.keys(manifests.get(name)?.metrics ?? {});
        assert.ok(declared.length > 0);
        for (const metric of declared) assert.match(page, new RegExp(`^# TYPE ${metric} `, 'm'));
      });

      it('refuses a body over the limit, and a body where it takes none', async () => {
        for (const { verb, path, operation } of operations.get(name) ?? []) {
          // A device has no token: tests/integration/phones.test.ts looks at theirs.
          if (verb === 'GET' || operation['x-roles'].includes('device')) continue;
          const [role] = operation['x-roles'];
          const api = role === 'public' ? platform.anonymous() : await platform.as(role as Role, 'contract');
          const raw = `{"padding":"${'x'.repeat(platform.config.httpBodyMaxBytes)}"}`;
          const { status, body } = await api.request(verb, path, { raw });
          const types = Object.keys(operation.requestBody?.content ?? {});
          const takesIt = types.includes('application/json') || types.includes('*/*');
          const refused = takesIt ? [413, 'BODY_TOO_LARGE'] : [415, 'UNSUPPORTED_MEDIA_TYPE'];
          const expected = types.length === 0 ? [400, 'MALFORMED_REQUEST'] : refused;
          assert.deepEqual([status, body.code], expected, `${verb} ${path}`);
        }
      });

      it('survives a kill -9 of its process', async () => {
        const pid = processOf(name);
        process.kill(pid, 'SIGKILL');
        await until('it has another process', () => {
          const now = findProcess(name);
          return now !== undefined && now !== pid;
        });
        await platform.reached(name, 'ready');
        assert.equal(await platform.sample('returnit_plugin_restarts_total', { plugin: name, reason: 'crash' }), 1);
        const [first] = (operations.get(name) ?? []).filter(
          ({ verb, path, operation }) =>
            verb === 'GET' && !path.endsWith('/wait') && !operation['x-roles'].includes('device'),
        );
        assert.ok(first !== undefined);
        const api = await platform.as(first.operation['x-roles'][0] as Role, 'contract');
        assert.ok((await api.request(first.verb, first.path)).status < 500, first.path);
      });
    });
  }

  it('still works together after each was killed', async () => {
    await driveOrder({ platform, place: placeOf(2), name: 'afterwards' });
  });

  it('stops, and stops a second time without a word', async () => {
    await Promise.all([platform.app.stop(), platform.app.stop()]);
    await platform.app.stop();
    for (const name of names) {
      assert.ok(
        platform.logs.some(({ plugin, msg }) => plugin === name && msg === `plugin ${name} is stopped`),
        name,
      );
      assert.equal(findProcess(name), undefined, `${name} leaves no process`);
    }
    const deaths = platform.logs.filter(({ msg }) => / died of /.test(msg));
    assert.deepEqual(
      deaths.map(({ plugin = '' }) => plugin).sort(),
      [...names].sort(),
      'the kills of this test, and no other death',
    );
    assert.deepEqual((await verifyAudit({ dir: join(platform.dataDir, 'audit') })).problems, []);
  });
});

interface AuditLine {
  readonly plugin?: string;
  readonly decision?: string;
}

function auditOf(dataDir: string): AuditLine[] {
  const dir = join(dataDir, 'audit');
  return readdirSync(dir)
    .flatMap((file) => readFileSync(join(dir, file), 'utf8').split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditLine);
}

/** A plugin's thread bears its name. */
function findProcess(plugin: string): number | undefined {
  return childrenOf(process.pid)
    .flatMap(childrenOf)
    .find((pid) => threadNames(pid).includes(plugin));
}

/** A plugin's process is the child of a child: the spawner starts it. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return []; // It has ended.
  }
}

function threadNames(pid: number): string[] {
  try {
    const tasks = `/proc/${pid}/task`;
    return readdirSync(tasks).map((task) => readFileSync(join(tasks, task, 'comm'), 'utf8').trim());
  } catch {
    return []; // It has ended.
  }
}

function processOf(plugin: string): number {
  const pid = findProcess(plugin);
  assert.ok(pid !== undefined, `a process of ${plugin}`);
  return pid;
}
