import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { chromium, type Browser } from 'playwright-core';
import { dashboards } from '../../dashboards/all.ts';
import type { PanelDefinition } from '../../dashboards/panel.ts';
import { findProgram, skipWithout } from '../support/programs.ts';
import { empty } from './empty.ts';
import type { Observed } from './observed.ts';
import { toPage, toSheet } from './sheet/page.ts';

const times = Array.from({ length: 30 }, (_, index) => 1_800_000_000 + 2 * index);
const series = { metric: { plugin: 'orders' }, values: times.map((time, index) => [time, String(index)] as const) };

/** Every query has one series, those of the panels that show nothing as a rule have none. */
function observedBut(silent: readonly PanelDefinition[]): Observed {
  const none = new Set(silent.flatMap(({ queries }) => queries.map(({ expr }) => expr)));
  return {
    times,
    query: (expr) => Promise.resolve(none.has(expr) ? [] : [series]),
    choices: () => Promise.resolve([]),
    exemplars: () => Promise.resolve(0),
    stop: () => Promise.resolve(),
  };
}

describe('the contact sheet', { skip: skipWithout(['chromium'], 'chromium') }, () => {
  let browser: Browser;
  before(async () => {
    browser = await chromium.launch({ executablePath: findProgram('chromium'), args: ['--no-sandbox'] });
  });
  after(() => browser?.close());

  for (const dashboard of dashboards) {
    it(`draws every panel of ${dashboard.uid}, or says why it is empty, and that it is not Grafana`, async () => {
      const panels = dashboard.rows.flatMap((row) => row.panels);
      const silent = panels.filter(({ id }) => `${dashboard.uid} ${id}` in empty);
      const page = await browser.newPage();
      const errors: Error[] = [];
      page.on('pageerror', (error) => errors.push(error));
      await page.setContent(toPage(await toSheet(dashboard, observedBut(silent))));
      assert.deepEqual(errors, []);
      assert.match(await page.locator('.label').innerText(), /^This is not Grafana/);
      assert.deepEqual(
        await page.locator('h3').allTextContents(),
        panels.map(({ title }) => title),
      );
      const kinds = (...wanted: readonly (string | undefined)[]): number =>
        panels.filter((panel) => wanted.includes(panel.kind) && !silent.includes(panel)).length;
      assert.equal(await page.locator('section canvas').count(), kinds(undefined, 'lines', 'stacked'));
      assert.equal(await page.locator('section .numbers').count(), kinds('number'));
      assert.equal(await page.locator('section table').count(), kinds('table'));
      assert.deepEqual(
        await page.locator('section .empty').allTextContents(),
        silent.map(({ id }) => empty[`${dashboard.uid} ${id}`]),
      );
      assert.equal(await page.locator('section .wrong').count(), 0);
      await page.close();
    });
  }
});
