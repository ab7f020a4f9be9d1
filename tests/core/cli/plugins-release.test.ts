import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rm, mkdtemp, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { writeAddresses, type Addresses } from '#core/app/addresses.ts';
import { runCli, type CliResult } from '../../support/cli.ts';
import { startPlatform, type TestPlatform } from '../../support/platform.ts';

describe('returnit plugins release', { timeout: 120_000 }, () => {
  let platform: TestPlatform;
  let emptyDir: string;

  before(async () => {
    emptyDir = await mkdtemp(join(tmpdir(), 'returnit-release-'));
    platform = await startPlatform({
      fixtures: ['faulty'],
      config: { plugins: ['faulty'], pluginQuarantineDeaths: 1, pluginHeartbeatMs: 200 },
    });
  });
  after(async () => {
    await platform?.stop();
    await rm(emptyDir, { recursive: true, force: true });
  });

  const release = (dataDir: string, ...args: readonly string[]): Promise<CliResult> =>
    runCli(['plugins', 'release', ...args], { DATA_DIR: dataDir });

  async function quarantine(): Promise<void> {
    await platform.reached('faulty', 'ready');
    const ops = await platform.as('ops', 'operator');
    await ops.request('POST', '/faulty/die', { body: { id: 'x', way: 'crash' } });
    await platform.reached('faulty', 'quarantined');
  }

  it('starts a quarantined plugin of the core that runs on the data folder', async () => {
    await quarantine();
    assert.deepEqual(await release(platform.dataDir, 'faulty'), { code: 0, stdout: 'faulty is ready\n', stderr: '' });
    await platform.reached('faulty', 'ready');
  });

  it('answers as JSON', async () => {
    await quarantine();
    const { code, stdout } = await release(platform.dataDir, 'faulty', '--json');
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), {
      name: 'faulty',
      version: '1.0.0',
      state: 'ready',
      ready: true,
      detail: null,
    });
  });

  it('says why not: there is no such plugin, or it is not quarantined', async () => {
    await platform.reached('faulty', 'ready');
    assert.deepEqual(await release(platform.dataDir, 'faulty'), {
      code: 1,
      stdout: '',
      stderr: 'Cannot release faulty: it is ready, not quarantined\n',
    });
    const unknown = await release(platform.dataDir, '../faulty');
    assert.deepEqual([unknown.code, unknown.stdout], [1, '']);
    assert.match(unknown.stderr, /^Cannot release .*\n$/);
  });

  it('says that no core runs, that it cannot be reached, or that something else listens there', async () => {
    const none = await release(emptyDir, 'faulty');
    assert.deepEqual([none.code, none.stdout], [1, '']);
    assert.match(none.stderr, /^Cannot reach the core: none runs on data folder ".*"\. Start it with: npm start\n$/);

    const other = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const api = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const running = JSON.parse(await readFile(join(platform.dataDir, 'addresses.json'), 'utf8')) as Addresses;
    // As a core that was killed leaves it.
    await writeAddresses(emptyDir, { ...running, api });
    const foreign = await release(emptyDir, 'faulty');
    assert.equal(foreign.stderr, `Cannot reach the core: what listens at ${api}/plugins/faulty/release is none\n`);
    other.close();
    await once(other, 'close');
    const gone = await release(emptyDir, 'faulty');
    assert.deepEqual([foreign.code, gone.code, gone.stderr], [1, 1, `Cannot reach the core at ${api}\n`]);
  });
});
