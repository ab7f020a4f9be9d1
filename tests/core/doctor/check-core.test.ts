import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { writeAddresses } from '#core/app/addresses.ts';
import { loadConfig } from '#core/config/config.ts';
import { checkCore } from '#core/doctor/check-core.ts';
import { createOperationsServer, type Readiness } from '#core/http/operations.ts';
import { createTelemetry } from '#core/telemetry/telemetry.ts';
import { freePort } from '../../support/external-postgres.ts';
import { startPlatform } from '../../support/platform.ts';
import { createFolder } from '../plugin-host/plugin-project.ts';

const timeoutMs = 5000;
const pid = 4711;

/** The data folder of a core whose operations port tells this. */
async function tell(t: TestContext, readiness: Readiness): Promise<string> {
  const config = loadConfig({ OPS_PORT: '0' });
  const telemetry = await createTelemetry(config, { version: '0', logDestination: { write: () => undefined } });
  t.after(() => telemetry.stop());
  const server = createOperationsServer({ config, telemetry, readiness: () => readiness });
  const { host, port } = await server.start();
  t.after(() => server.stop());
  return runsAt(t, `http://${host}:${port}`);
}

async function runsAt(t: TestContext, ops: string): Promise<string> {
  const dataDir = await createFolder(t);
  await writeAddresses(dataDir, { api: '', mqtt: '', ops, pid });
  return dataDir;
}

describe('checkCore()', { timeout: 120_000 }, () => {
  it('names each part that is not ready, with its reason', async (t) => {
    const dataDir = await tell(t, {
      ready: false,
      checks: {
        core: { ready: false, state: 'starting' },
        database: { ready: false, state: 'disconnected', detail: 'connection refused' },
        broker: { ready: true, state: 'connected' },
        'plugin:orders': { ready: true, state: 'ready', required: false },
        'plugin:payments': { ready: false, state: 'held', detail: 'Cannot start payments', required: false },
      },
    });
    const todo = 'See the log of the core.';
    assert.deepEqual(await checkCore(dataDir, timeoutMs), [
      { check: 'core', verdict: 'failed', says: 'starting', todo },
      { check: 'core database', verdict: 'failed', says: 'disconnected: connection refused', todo },
      {
        check: 'core plugin:payments',
        verdict: 'failed',
        says: 'held: Cannot start payments',
        todo: 'npx returnit plugins inspect payments',
      },
    ]);
  });

  it('says that one runs and does not answer', async (t) => {
    const ops = `http://127.0.0.1:${await freePort()}`;
    const [finding, ...others] = await checkCore(await runsAt(t, ops), timeoutMs);
    assert.deepEqual(
      [finding?.check, finding?.verdict, finding?.says],
      ['core', 'failed', `process ${pid} does not answer at ${ops}`],
    );
    assert.deepEqual(others, []);
  });

  it('says of a platform that runs which plugin is down', async (t) => {
    const platform = await startPlatform({
      fixtures: ['faulty'],
      config: { plugins: ['faulty'], pluginQuarantineDeaths: 1, pluginHeartbeatMs: 200 },
    });
    t.after(() => platform.stop());
    await platform.reached('faulty', 'ready');
    assert.deepEqual(await checkCore(platform.dataDir, timeoutMs), [
      { check: 'core', verdict: 'ok', says: `runs as process ${process.pid} and is ready` },
    ]);
    await platform.kill('faulty');
    await platform.reached('faulty', 'quarantined');
    const [finding, ...others] = await checkCore(platform.dataDir, timeoutMs);
    assert.deepEqual([finding?.check, finding?.verdict], ['core plugin:faulty', 'failed']);
    assert.match(finding?.says ?? '', /^quarantined/);
    assert.equal(finding?.todo, 'npx returnit plugins deaths faulty');
    assert.deepEqual(others, []);
  });
});
