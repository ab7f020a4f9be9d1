/** A plugin says secrets wherever a plugin can; none of them gets to a log line, a trace, the operations port or the audit. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Api } from '../support/api-client.ts';
import { patient } from '../support/patient.ts';
import { assertNoSecret, secretFields, secretTexts } from '../support/planted-secrets.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

describe('secrets that a plugin says', () => {
  let platform: TestPlatform;
  let ops: Api;
  const traceIds: string[] = [];
  const body = { texts: secretTexts.map(({ text }) => text), fields: secretFields };

  before(async () => {
    const config = {
      ...patient,
      logLevel: 'debug',
      pluginDenialsPerMinuteMax: 10_000,
      pluginRestartDelayMs: 5000,
    } as const;
    platform = await startPlatform({ fixtures: ['leaky'], config });
    await platform.reached('leaky', 'ready');
    ops = await platform.as('ops', 'kim');
  });
  after(() => platform?.stop());

  const lines = (part: string): number => platform.logText().split(part).length - 1;

  it('are not in its lines, nor in its output, its denials or its jobs', async () => {
    const { traceId } = await ops.ok<{ traceId: string }>('POST', '/leaky/log', body);
    traceIds.push(traceId);
    for (const part of ['leaky-message', 'leaky-stdout', 'leaky-stderr', 'leaky-denied'])
      await until(`${part} is logged`, () => lines(part) >= secretTexts.length);
    await until('the job has failed', () => lines('Job failed for the last time') > 0);
    assert.ok(lines('leaky-fields') > 0);
    assertNoSecret('the log', platform.logText());
  });

  it('are not in what a failure is answered with', async () => {
    const { status, body: problem } = await ops.request('POST', '/leaky/fail', { body });
    assert.equal(status, 500);
    assertNoSecret('the problem', JSON.stringify(problem));
    assert.ok(lines('leaky-error') > 0);
    assertNoSecret('the log', platform.logText());
  });

  it('are not in the record of its death, nor in what readiness says', async () => {
    await ops.request('POST', '/leaky/die', { body });
    await until('it is seen to be down', async () => (await platform.ops('/readyz')).text.includes('crash'));
    assertNoSecret('readiness', (await platform.ops('/readyz')).text);
    assertNoSecret('GET /plugins', JSON.stringify((await ops.request('GET', '/plugins')).body));
    const folder = join(platform.dataDir, 'deaths', 'leaky');
    await until('it is recorded', () => readdirSync(folder).some((file) => file.endsWith('.json')));
    const records = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
    assert.match(records.join(''), /leaky-error/);
    assertNoSecret('the record of the death', records.join(''));
    assertNoSecret('the log', platform.logText());
  });

  it('are not in a trace, a metric or the audit', async () => {
    const list = JSON.parse((await platform.ops('/traces')).text) as { traces: readonly { traceId: string }[] };
    for (const traceId of [...traceIds, ...list.traces.map((each) => each.traceId)])
      assertNoSecret('a trace', (await platform.ops(`/traces/${traceId}`)).text);
    assertNoSecret('the list of traces', JSON.stringify(list));
    assertNoSecret('the metrics', (await platform.ops('/metrics')).text);
    const folder = join(platform.dataDir, 'audit');
    const audit = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
    assert.match(audit.join(''), /"plugin":"leaky".*"decision":"deny"/);
    assertNoSecret('the audit', audit.join(''));
  });
});
