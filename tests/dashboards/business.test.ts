/** Shares of orders by the hour and by the day: what no run of a test can show, as it takes a week. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { business } from '../../dashboards/business.ts';
import { findProgram, skipWithout } from '../support/programs.ts';
import { fillIn } from './promql.ts';

const days = 15;
const halfHoursADay = 48;
/** Of what is booked on a day, from Sunday on: no two are alike that a query could take for one another. */
const weights = [0.3, 0.8, 1, 1, 1, 1.2, 0.5];

/** Every half hour, of a time that begins on a Thursday at midnight UTC: of each day 70 % from 14 to 23 h. */
function bookedInHalfHour(index: number): number {
  const hour = Math.floor(index / 2) % 24;
  const weekday = (4 + Math.floor(index / halfHoursADay)) % 7;
  return (weights[weekday] ?? 0) * (hour >= 14 && hour < 23 ? 700 : 180);
}

function counter(): string {
  const values = [0];
  for (let index = 0; index < days * halfHoursADay; index += 1)
    values.push((values.at(-1) ?? 0) + bookedInHalfHour(index));
  return values.join(' ');
}

/** In percent, as the panel asks it. */
function percent(id: number): string {
  const panel = business.rows.flatMap(({ panels }) => panels).find((each) => each.id === id);
  assert.ok(panel !== undefined);
  return `round(100 * (${fillIn(panel.queries[0]?.expr ?? '', { job: 'returnit' })}))`;
}

describe('panels of orders', { skip: skipWithout(['promtool'], 'prometheus') }, () => {
  const booked = 'returnit_orders_booked_total{job="returnit",instance="a",plugin="orders",outcome="accepted"}';

  function assertShares(
    checks: readonly { readonly id: number; readonly at: string; readonly percent: number }[],
  ): void {
    const folder = mkdtempSync(join(tmpdir(), 'returnit-shares-'));
    const promql = checks.map(({ id, at, percent: value }) => ({
      expr: percent(id),
      eval_time: at,
      exp_samples: [{ labels: '{}', value }],
    }));
    const tests = [
      { interval: '30m', input_series: [{ series: booked, values: counter() }], promql_expr_test: promql },
    ];
    try {
      writeFileSync(join(folder, 'tests.yml'), stringify({ evaluation_interval: '30m', tests }, { lineWidth: 0 }));
      const args = ['test', 'rules', join(folder, 'tests.yml')];
      const { status, stdout, stderr } = spawnSync(findProgram('promtool'), args, { encoding: 'utf8' });
      assert.equal(status, 0, `${stdout}${stderr}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  it('show what share of a day is booked in business hours, whenever one looks', () => {
    assertShares(['14d', '14d12h', '14d20h30m'].map((at) => ({ id: 5, at, percent: 70 })));
  });

  it('show what a day of the weekend is of a weekday', () => {
    assertShares(['9d12h', '11d12h', '14d23h'].map((at) => ({ id: 6, at, percent: 40 })));
  });
});
