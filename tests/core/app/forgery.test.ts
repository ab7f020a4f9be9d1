import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readAudit } from '#core/plugin-host/audit/audit-read.ts';
import { listDeaths } from '#core/plugin-host/deaths.ts';
import { startPlatform, type TestPlatform } from '../../support/platform.ts';
import { until } from '../../support/until.ts';

describe('a plugin that writes to the outbox past the core', { timeout: 120_000 }, () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await startPlatform({
      fixtures: ['forger'],
      config: { plugins: ['forger', 'payments'], pluginDenialsPerMinuteMax: 10, pluginRestartDelayMs: 10 },
    });
  });
  after(() => platform.stop());

  it('is started from the module that its manifest names, denied each row and ended; its victim is not', async () => {
    const { app, dataDir } = platform;
    assert.deepEqual(
      app.plugins().map(({ name, state }) => [name, state]),
      [
        ['forger', 'ready'],
        ['payments', 'ready'],
      ],
    );
    const token = await platform.token('ops', 'kim');
    const answer = await fetch(`${app.addresses.api}/forger/forge`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    // It may be ended before it has answered.
    assert.ok([200, 503].includes(answer.status), await answer.text());
    const deaths = await until('it has died', async () => {
      const found = await listDeaths(dataDir, 'forger');
      return found.length > 0 && found;
    });
    assert.deepEqual(
      deaths.map(({ reason, message }) => [reason, message]),
      [['flood', 'it was denied more than 10 times in a minute']],
    );
    const records = await until('all are recorded', async () => {
      const found = await readAudit({ dir: join(dataDir, 'audit'), limit: 100 });
      return found.length === 20 && found;
    });
    for (const record of records) {
      assert.deepEqual(
        [record.plugin, record.version, record.permission, record.resource, record.decision],
        ['forger', '2.1.0', 'events', 'payment.authorised', 'deny'],
      );
      assert.match(record.rule, /it claims to be of payments$/);
    }
    await until('it is back', () => app.plugins().every(({ state }) => state === 'ready'));
    assert.deepEqual(await listDeaths(dataDir, 'payments'), []);
  });
});
