import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { stringify } from 'yaml';
import { catalogue } from '#core/telemetry/catalogue.ts';
import { recordings } from '../../alerts/recordings.ts';
import { groups, runbookOf, toRulesFile, toTestFile } from '../../alerts/rules.ts';
import { findProgram, skipWithout } from '../support/programs.ts';
import { projectDir as root } from '../support/project-copy.ts';

const alerts = Object.values(groups).flat();
const file = join(root, 'alerts/returnit.rules.yml');
const skip = skipWithout(['promtool'], 'prometheus');

function promtool(...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(findProgram('promtool'), args, { encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
}

function declaredMetrics(): ReadonlySet<string> {
  const plugins = readdirSync(join(root, 'plugins'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const manifests = plugins.map(
    ({ name }) => JSON.parse(readFileSync(join(root, 'plugins', name, 'plugin.json'), 'utf8')) as { metrics?: object },
  );
  return new Set([
    ...catalogue.map(({ name }) => name),
    ...manifests.flatMap(({ metrics = {} }) => Object.keys(metrics)),
  ]);
}

/** Of Prometheus and Alertmanager themselves. */
const others = new Set(['up', 'prometheus_rule_evaluation_failures_total', 'alertmanager_notifications_failed_total']);
const recorded = new Map(
  Object.values(recordings)
    .flat()
    .map(({ record, expr }) => [record, expr]),
);

/** Names of series: what stands before a selector or a range, or alone, and is no function, label or keyword. */
function metricsOf(expr: string): readonly string[] {
  const bare = expr.replaceAll(/\{[^}]*\}/g, '').replaceAll(/\b(by|without|on|ignoring) ?\([^)]*\)/g, '');
  return bare.match(/\b(up|[a-z]+(?::[a-z0-9_]+)+|[a-z]+(?:_[a-z0-9]+){2,})\b(?!\()/g) ?? [];
}

function isKnown(name: string, declared: ReadonlySet<string>): boolean {
  return (
    declared.has(name) ||
    declared.has(name.replace(/_(bucket|sum|count)$/, '')) ||
    others.has(name) ||
    recorded.has(name)
  );
}

describe('recordings', () => {
  it('read metrics that exist, and have names that say level, metric and operation', () => {
    const declared = declaredMetrics();
    for (const [record, expr] of recorded) {
      assert.match(record, /^[a-z]+:[a-z0-9_]+:[a-z0-9_]+$/);
      for (const name of metricsOf(expr)) assert.ok(isKnown(name, declared), `${record} reads ${name}`);
    }
  });
});

describe('alerts', () => {
  it('stand in the file that Prometheus loads as they stand here', () => {
    assert.equal(readFileSync(file, 'utf8'), toRulesFile(), 'node bin/run.mjs alerts/write.ts');
  });

  it('are rules that Prometheus takes', { skip }, () => promtool('check', 'rules', '--lint=all', '--lint-fatal', file));

  for (const group of Object.keys(groups)) {
    it(`of ${group} fire, stay quiet, do not fire at their boundary, and resolve`, { skip }, () => {
      const folder = mkdtempSync(join(tmpdir(), 'returnit-alerts-'));
      try {
        writeFileSync(join(folder, 'rules.yml'), toRulesFile(group));
        writeFileSync(join(folder, 'tests.yml'), toTestFile(group, 'rules.yml'));
        promtool('test', 'rules', join(folder, 'tests.yml'));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }

  it('have runbooks whose queries Prometheus takes, of metrics that exist', { skip }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'returnit-runbooks-'));
    try {
      const pages = readdirSync(join(root, 'alerts/runbooks'));
      assert.deepEqual(
        pages.toSorted(),
        [...new Set(alerts.map((alert) => basename(runbookOf(alert))))].toSorted(),
        'a page for each alert, and no other',
      );
      const known = declaredMetrics();
      const rules = pages.flatMap((page) => {
        const text = readFileSync(join(root, 'alerts/runbooks', page), 'utf8');
        const queries = [...text.matchAll(/```promql\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
          block.trim().split('\n'),
        );
        for (const name of queries.flatMap(metricsOf)) {
          assert.ok(isKnown(name, known) || /^(prometheus|alertmanager)_/.test(name), `${page}: ${name}`);
        }
        return queries.map((expr, index) => ({ record: `runbook:${page.slice(0, -3)}:query${index}`, expr }));
      });
      assert.ok(rules.length >= pages.length);
      writeFileSync(
        join(folder, 'queries.yml'),
        stringify({ groups: [{ name: 'runbooks', rules }] }, { lineWidth: 0 }),
      );
      promtool('check', 'rules', join(folder, 'queries.yml'));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('have names of their own', () => {
    assert.equal(new Set(alerts.map(({ name }) => name)).size, alerts.length);
  });

  for (const alert of alerts) {
    describe(alert.name, () => {
      it('says what it is in the same words always, and what it fires with besides', () => {
        assert.match(alert.name, /^([A-Z][a-z]+)+$/);
        assert.ok(alert.cases !== undefined || alert.type === 'heartbeat', 'it is proved');
        assert.doesNotMatch(alert.summary, /\{\{|\.$/);
        assert.match(alert.description, /\{\{ \$value/);
      });

      it('reads metrics that exist', () => {
        const known = declaredMetrics();
        if (alert.type !== 'heartbeat') assert.ok(metricsOf(alert.expr).length > 0);
        for (const name of metricsOf(alert.expr)) assert.ok(isKnown(name, known), name);
      });

      it('has a runbook: meaning, impact, first look, mitigation, and how to make it happen', () => {
        const text = readFileSync(join(root, runbookOf(alert)), 'utf8');
        const parts = [
          `# ${alert.runbook ?? alert.name}\n`,
          '**Meaning** ',
          '**Impact** ',
          '## First look',
          '## Mitigation',
          '## Make it happen',
        ];
        const places = parts.map((part) => text.indexOf(part));
        assert.ok(!places.includes(-1), `${runbookOf(alert)} lacks ${parts[places.indexOf(-1)]}`);
        assert.deepEqual(
          places,
          places.toSorted((a, b) => a - b),
        );
        const look = text.slice(places[3], places[4]);
        assert.match(look, /```(sh|sql)\n/);
        assert.match(look, /```promql\n/);
      });
    });
  }
});
