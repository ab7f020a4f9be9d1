import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { catalogue } from '#core/telemetry/catalogue.ts';
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

describe('alerts', () => {
  it('stand in the file that Prometheus loads as they stand here', () => {
    assert.equal(readFileSync(file, 'utf8'), toRulesFile(), 'node bin/run.mjs alerts/write.ts');
  });

  it('are rules that Prometheus takes', { skip }, () => promtool('check', 'rules', '--lint=all', '--lint-fatal', file));

  it('fire, stay quiet, do not fire at their boundary, and resolve', { skip }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'returnit-alerts-'));
    try {
      const tests = join(folder, 'tests.yml');
      writeFileSync(tests, toTestFile(file));
      promtool('test', 'rules', tests);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("stand in the README's table", () => {
    const rows = alerts.map((alert) => [
      `[${alert.name}](${runbookOf(alert)})`,
      alert.for,
      alert.severity,
      alert.summary,
    ]);
    const text = readFileSync(join(root, 'README.md'), 'utf8');
    for (const cells of rows) assert.ok(text.includes(`\n| ${cells.join(' | ')} |\n`), cells.join(' | '));
  });

  it('have names of their own', () => {
    assert.equal(new Set(alerts.map(({ name }) => name)).size, alerts.length);
  });

  for (const alert of alerts) {
    describe(alert.name, () => {
      it('says what it is in the same words always, and what it fires with besides', () => {
        assert.match(alert.name, /^([A-Z][a-z]+)+$/);
        assert.doesNotMatch(alert.summary, /\{\{|\.$/);
        assert.match(alert.description, /\{\{ \$value/);
      });

      it('reads metrics that exist', () => {
        const known = declaredMetrics();
        const read = alert.expr.match(/\b(returnit|http|db|nodejs|process)_[a-z0-9_]+/g) ?? [];
        assert.ok(read.length > 0);
        for (const name of read)
          assert.ok(known.has(name.replace(/_(bucket|sum|count)$/, '')) || known.has(name), name);
      });

      it('has a runbook: meaning, impact, first look, mitigation, and how to make it happen', () => {
        const text = readFileSync(join(root, runbookOf(alert)), 'utf8');
        const parts = [
          `# ${alert.name}\n`,
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
