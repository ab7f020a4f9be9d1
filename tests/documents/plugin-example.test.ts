import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Command } from 'commander';
import { startApp, type App } from '#core/app.ts';
import { registerPluginsCommands } from '#core/cli/plugins-commands.ts';
import { loadConfig } from '#core/config/config.ts';
import { discoverPlugins } from '#core/plugin-host/manifest/discovery.ts';
import { until } from '../support/until.ts';
import { readBlocks, readExample, readReadme, readSection, root } from './readme.ts';

const text = readReadme();
const files = readExample(text);

/** The folders as a reader has them: the project, and the plugin beside it. */
function writeFolders(): { readonly base: string; readonly projectDir: string; readonly pluginDir: string } {
  const base = mkdtempSync(join(tmpdir(), 'returnit-example-'));
  const [projectDir, pluginDir] = [join(base, 'returnit'), join(base, 'parcels')];
  mkdirSync(join(projectDir, 'plugins'), { recursive: true });
  for (const [file, code] of files) {
    mkdirSync(dirname(join(pluginDir, file)), { recursive: true });
    writeFileSync(join(pluginDir, file), code);
  }
  return { base, projectDir, pluginDir };
}

describe("README.md's example plugin", () => {
  it('has the files that the tests check the types of', () => {
    assert.deepEqual([...files.keys()], ['plugin.json', 'migrations/0001_create_parcels.sql', 'plugin.ts']);
    for (const [file, code] of files)
      assert.equal(code, readFileSync(join(root, 'tests/fixtures/plugins/parcels', file), 'utf8'), file);
  });

  it('is found by discovery', async () => {
    const { base, pluginDir } = writeFolders();
    try {
      const [plugin] = await discoverPlugins({ folders: [{ source: 'external', path: pluginDir }] });
      assert.equal(plugin?.manifest.name, 'parcels');
    } finally {
      rmSync(base, { recursive: true });
    }
  });
});

describe("README.md's example plugin on the platform", { timeout: 120_000 }, () => {
  const { base, projectDir, pluginDir } = writeFolders();
  const dataDir = join(base, 'data');
  const variables = { DATA_DIR: dataDir, HTTP_PORT: '0', MQTT_PORT: '0', OPS_PORT: '0', LOG_LEVEL: 'warn' };
  let app: App;

  before(async () => {
    await runCommandsOfReadme();
    const config = { ...loadConfig(variables), pluginPaths: [pluginDir] };
    app = await startApp({ config, admission: { projectDir, flags: [] } });
  });
  after(async () => {
    await app?.stop();
    rmSync(base, { recursive: true, force: true });
  });

  /** `npx returnit plugins …` of the section, on these folders. */
  async function runCommandsOfReadme(): Promise<void> {
    const blocks = readBlocks(readSection(text, 'Write a plugin in ten minutes'));
    const lines = blocks
      .flatMap(({ code }) => code.split('\n'))
      .filter((line) => line.startsWith('npx returnit plugins'));
    assert.equal(lines.length, 2);
    for (const line of lines) {
      const words = line
        .split(' ')
        .slice(2)
        .map((word) => (word === '../parcels' ? pluginDir : word));
      const program = new Command('returnit').exitOverride();
      const stdout = { write: () => true };
      registerPluginsCommands(program, { config: loadConfig(variables), projectDir, stdout });
      await program.parseAsync(words, { from: 'user' });
    }
  }

  const call = async (path: string, body?: object): Promise<Response> => {
    const token = await app.authenticator.issueToken({ role: 'customer', subject: 'anna', expiresInSeconds: 60 });
    return fetch(`${app.addresses.api}${path}`, {
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
  };

  it('is ready', () => {
    assert.deepEqual(
      app.plugins().map(({ name, state }) => [name, state]),
      [['parcels', 'ready']],
    );
  });

  it('answers as the section says', async () => {
    const created = await call('/parcels', { contents: 'two shoes' });
    assert.equal(created.status, 201);
    const parcel = (await created.json()) as { parcelId: string; contents: string; label: string | null };
    assert.deepEqual([parcel.contents, parcel.label], ['two shoes', null]);
    const label = `RI-${parcel.parcelId.slice(0, 8).toUpperCase()}`;
    await until('the parcel has its label', async () => {
      const found = (await (await call(`/parcels/${parcel.parcelId}`)).json()) as { label: string | null };
      return found.label === label;
    });
  });

  it('refuses what does not match its schema', async () => {
    const refused = await call('/parcels', { contents: 5 });
    assert.equal(refused.status, 422);
    assert.equal(((await refused.json()) as { code: string }).code, 'VALIDATION_FAILED');
  });

  it('is measured and traced without a line of its own', async () => {
    const { body: metrics } = await app.telemetry.metrics.render();
    assert.match(metrics, /returnit_parcels_total\{step="announced",plugin="parcels"\} 1/);
    assert.match(
      metrics,
      /db_client_operation_duration_seconds_count\{plugin="parcels".*db_query_summary="insert_parcel"\} 1/,
    );
    const names = app.telemetry.tracing.recentSpans().map(({ name }) => name);
    assert.ok(names.includes('POST /parcels') && names.includes('process parcels.label'), names.join(', '));
  });
});
