/** Every query of every dashboard, asked of a Prometheus that has watched the platform at work. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { dashboards } from '../../dashboards/all.ts';
import { toFile } from '../../dashboards/file.ts';
import type { DashboardDefinition } from '../../dashboards/panel.ts';
import { skipWithout } from '../support/programs.ts';
import type { Dashboard, Variable } from './dashboard.ts';
import { empty } from './empty.ts';
import { observe, type Observed } from './observed.ts';

/** Every dashboard has the same. */
function variablesOf(dashboard: DashboardDefinition | undefined): readonly Variable[] {
  assert.ok(dashboard !== undefined);
  return (JSON.parse(toFile(dashboard)) as Dashboard).templating.list;
}

const skip = skipWithout(['prometheus'], 'prometheus');
const loadSeconds = 45;

describe('queries of the dashboards', { skip }, () => {
  let observed: Observed;
  before(async () => {
    observed = await observe(loadSeconds);
  });
  after(() => observed?.stop());

  for (const { uid, rows } of dashboards) {
    for (const panel of rows.flatMap(({ panels }) => panels)) {
      const name = `${uid} ${panel.id}`;
      it(`${name} "${panel.title}" ${name in empty ? 'asks what can be asked' : 'shows something'}`, async () => {
        const found = await Promise.all(panel.queries.map(({ expr }) => observed.query(expr)));
        const values = found.flat().flatMap(({ values: all }) => all.map(([, value]) => value));
        // What is in the list may show something all the same: elsewhere something fails now and then.
        assert.ok(name in empty || values.some((value) => value !== 'NaN'));
      });
    }
  }

  it('have variables with something to choose from', async () => {
    const choices: Record<string, readonly string[]> = {};
    for (const { name, type, query } of variablesOf(dashboards[0]))
      if (type === 'query') choices[name] = await observed.choices(String(query));
    const { plugin = [], instance = [], ...others } = choices;
    assert.deepEqual(others, { environment: ['development'], region: ['local'], job: ['returnit'] });
    assert.equal(instance.length, 1);
    for (const name of ['orders', 'webhooks']) assert.ok(plugin.includes(name), name);
  });

  it('lead to traces', async () => {
    assert.ok((await observed.exemplars('http_server_request_duration_seconds_bucket')) > 0);
  });
});
