/** Draws every panel of every dashboard from one run, to be looked at by a person. `npm run dashboards:sheet [folder]` */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { dashboards } from '../../../dashboards/all.ts';
import { findProgram } from '../../support/programs.ts';
import { observe } from '../observed.ts';
import { toPage, toSheet } from './page.ts';

const runSeconds = 90;
const widthPx = 1600;

const folder = resolve(process.argv[2] ?? 'data/dashboards');
mkdirSync(folder, { recursive: true });
const observed = await observe(runSeconds);
try {
  const browser = await chromium.launch({ executablePath: findProgram('chromium'), args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage({ viewport: { width: widthPx, height: 900 } });
    page.on('pageerror', (error) => {
      throw error;
    });
    for (const dashboard of dashboards) {
      const html = join(folder, `${dashboard.uid}.html`);
      writeFileSync(html, toPage(await toSheet(dashboard, observed)));
      await page.goto(`file://${html}`);
      await page.screenshot({ path: join(folder, `${dashboard.uid}.png`), fullPage: true });
      process.stdout.write(`${join(folder, `${dashboard.uid}.png`)}\n`);
    }
  } finally {
    await browser.close();
  }
} finally {
  await observed.stop();
}
