import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { groups, runbookOf } from '../../alerts/rules.ts';
import { projectDir } from '../support/project-copy.ts';
import { findAlert } from './deadlines.ts';
import { faults } from './faults.ts';
import { notProvoked } from './not-provoked.ts';

const alerts = Object.values(groups).flat();
const faultsOf = (name: string) => faults.filter(({ expects }) => expects.some(({ alert }) => alert === name));

describe('faults', () => {
  it('bring about each alert, or it is said why not', () => {
    for (const { name } of alerts) {
      const isProvoked = faultsOf(name).length > 0;
      assert.ok(isProvoked || name in notProvoked, `${name}: add a fault to tests/gameday/faults, or say why not`);
      assert.ok(!(isProvoked && name in notProvoked), `${name} is provoked: not-provoked.ts says that it is not`);
    }
    for (const name of Object.keys(notProvoked)) assert.ok(findAlert(name));
  });

  it('have names of their own, and say whose each alert is', () => {
    assert.equal(new Set(faults.map(({ name }) => name)).size, faults.length);
    for (const { name, expects } of faults) {
      assert.match(name, /^[a-z]+(-[a-z]+)*$/);
      assert.ok(expects.length > 0, name);
      for (const { alert, labels } of expects) {
        const { plugin } = findAlert(alert);
        assert.ok(labels['service'] !== undefined, `${name}: ${alert}`);
        if (!plugin.includes('{{')) assert.equal(labels['service'], plugin, `${name}: ${alert}`);
      }
    }
  });

  it('say of each that may call somebody besides why, and it is an alert that does', () => {
    for (const { name, consequences = [] } of faults) {
      for (const { alert, because } of consequences) {
        assert.equal(findAlert(alert).severity, 'critical', `${name}: ${alert} calls nobody`);
        assert.ok(because.length > 10);
      }
    }
  });

  it('are named in the runbook of each alert that they bring about', () => {
    for (const alert of alerts) {
      const text = readFileSync(join(projectDir, runbookOf(alert)), 'utf8');
      const drill = text.slice(text.indexOf('## Make it happen'));
      for (const { name } of faultsOf(alert.name)) {
        assert.ok(drill.includes(`--only=${name}\``), `${runbookOf(alert)}: npm run gameday -- --only=${name}`);
      }
      for (const [, name] of drill.matchAll(/--only=([a-z-]+)/g)) {
        assert.ok(
          faults.some((fault) => fault.name === name),
          `${runbookOf(alert)}: there is no fault ${name}`,
        );
      }
    }
  });
});
