import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { newYork } from '../../alerts/new-york.ts';
import { findProgram, skipWithout } from '../support/programs.ts';

/** In UTC, of the year with which the time of promtool begins: by the rules of today clocks change on 8 March and on 1 November. */
const moments = ['01-15T14:30', '03-07T23:00', '03-08T23:00', '04-01T03:59', '07-04T13:00', '10-31T22:15']
  .concat(['11-01T14:00', '11-07T05:00', '12-31T23:59'])
  .map((text) => new Date(`1970-${text}:00Z`));

/** As the data base of time zones has it, of a year of the rules of today whose days are the same. */
function inNewYork(moment: Date): { hours: number; weekday: number } {
  // 2015 began on a Thursday, too.
  const today = new Date(moment);
  today.setUTCFullYear(2015);
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: 'America/New_York',
    hourCycle: 'h23',
    weekday: 'short',
    hour: 'numeric',
    minute: 'numeric',
  }).formatToParts(today);
  const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? '';
  return {
    hours: Number(part('hour')) + Number(part('minute')) / 60,
    weekday: ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'].indexOf(part('weekday')),
  };
}

describe('newyork:clock', () => {
  it('is the time in New York, in winter and in summer', { skip: skipWithout(['promtool'], 'prometheus') }, () => {
    const [hours = assert.fail(), weekday = assert.fail()] = newYork;
    const checks = moments.flatMap((moment) => {
      const expected = inNewYork(moment);
      return [[hours, expected.hours] as const, [weekday, expected.weekday] as const].map(([{ expr }, value]) => ({
        expr,
        eval_time: `${moment.getTime() / 60_000}m`,
        exp_samples: [{ labels: '{}', value }],
      }));
    });
    const folder = mkdtempSync(join(tmpdir(), 'returnit-clock-'));
    try {
      const tests = [{ interval: '1d', input_series: [{ series: 'up', values: '1x400' }], promql_expr_test: checks }];
      writeFileSync(join(folder, 'tests.yml'), stringify({ evaluation_interval: '1d', tests }, { lineWidth: 0 }));
      const { status, stdout, stderr } = spawnSync(
        findProgram('promtool'),
        ['test', 'rules', join(folder, 'tests.yml')],
        { encoding: 'utf8' },
      );
      assert.equal(status, 0, `${stdout}${stderr}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
