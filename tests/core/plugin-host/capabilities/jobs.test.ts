import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileArguments } from '#core/plugin-host/call-arguments.ts';
import { createJobsCapability } from '#core/plugin-host/capabilities/jobs.ts';
import { createFakeInstance } from '../../../support/fake-instance.ts';

// What sends, works and schedules is in tests/core/jobs, on a real database.
const capability = createJobsCapability({ jobs: {}, transactions: {}, config: { jobTimeoutMs: 1000 } } as never);

function check(name: string, args: unknown): void {
  const found = capability.methods[name];
  assert.ok(found);
  compileArguments(`jobs.${name}`, found.args)(args);
}

describe('createJobsCapability()', () => {
  it('asks for the permission on the queue, for every method', () => {
    const { plugin } = createFakeInstance('parcels');
    for (const found of Object.values(capability.methods)) {
      assert.deepEqual(found.access({ queue: 'parcels.expire' } as never, plugin), [
        { permission: 'jobs', resource: 'parcels.expire' },
      ]);
    }
  });

  it('takes what the plugin API allows', () => {
    check('send', {
      queue: 'parcels.expire',
      data: { before: 1 },
      options: { startAfterSeconds: 5, singletonKey: 'k', retryLimit: 0 },
    });
    check('work', { queue: 'parcels.expire', concurrency: 4, handler: 0 });
    check('schedule', { queue: 'parcels.expire', cron: '0 3 * * *', timeZone: 'UTC', data: {} });
  });

  const refused: readonly (readonly [string, string, object])[] = [
    ['a queue of one part', 'send', { queue: 'expire', data: {}, options: {} }],
    ['a queue with SQL in it', 'send', { queue: "a.b'; drop table x", data: {}, options: {} }],
    ['a queue in capitals', 'send', { queue: 'Parcels.expire', data: {}, options: {} }],
    ['data that is no object', 'send', { queue: 'parcels.expire', data: 'x', options: {} }],
    ['an unknown option', 'send', { queue: 'parcels.expire', data: {}, options: { priority: 1 } }],
    ['a negative delay', 'send', { queue: 'parcels.expire', data: {}, options: { startAfterSeconds: -1 } }],
    ['endless retries', 'send', { queue: 'parcels.expire', data: {}, options: { retryLimit: 101 } }],
    ['no concurrency', 'work', { queue: 'parcels.expire', concurrency: 0, handler: 0 }],
    ['an empty expression', 'schedule', { queue: 'parcels.expire', cron: '', timeZone: 'UTC', data: {} }],
  ];
  for (const [what, name, args] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => check(name, args), { code: 'INVALID_CALL' });
    });
  }
});
