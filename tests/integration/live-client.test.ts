/** The browser client in a real browser, behind a proxy as a page's are, against a platform that restarts under it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chromium, type Browser, type Page } from 'playwright-core';
import { freePort } from '../support/external-postgres.ts';
import {
  book,
  connectDevice,
  connectDriver,
  near,
  orderReached,
  ordersFollowed,
  placeOf,
  type Device,
} from '../support/journey.ts';
import { startPageProxy, type PageProxy } from '../support/page-proxy.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { findProgram, skipWithout } from '../support/programs.ts';
import { until } from '../support/until.ts';

const skip = skipWithout(['chromium'], 'chromium');
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

interface Seen {
  readonly values: readonly { readonly type: string; readonly version: number; readonly lat: number }[];
  readonly states: readonly string[];
  readonly closed: string | null;
  readonly transport: string;
}

describe('live-client in Chromium', { skip, timeout: 180_000 }, () => {
  let platform: TestPlatform;
  let browser: Browser;
  let device: Device;
  let dataDir: string;
  let config: { readonly httpPort: number; readonly liveReconnectSpreadMs: number };
  /** One that lets WebSockets through, and one that does not. */
  let proxies: PageProxy[] = [];
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'returnit-live-client-'));
    config = { httpPort: await freePort(), liveReconnectSpreadMs: 200 };
    platform = await startPlatform({ config, dataDir });
    device = await connectDriver(platform, 'browser-driver');
    const target = (): string => `http://127.0.0.1:${config.httpPort}`;
    proxies = [await startPageProxy({ target, upgrades: true }), await startPageProxy({ target, upgrades: false })];
    browser = await chromium.launch({ executablePath: findProgram('chromium'), args: flags });
  });
  after(async () => {
    await browser?.close();
    for (const proxy of proxies) await proxy.stop();
    await device?.close();
    await platform?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const seen = (page: Page): Promise<Seen> => page.evaluate('seen()');
  const shows = (page: Page, lat: number): Promise<unknown> =>
    until(`the page shows ${lat}`, async () => (await seen(page)).values.at(-1)?.lat === lat);

  /** A real page of a real server: what a test makes up itself, Chromium does not let connect to this machine. */
  async function follow(token: string, channel: string, proxy: PageProxy): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(`${proxy.url}/page`);
    await page.evaluate(
      `(async () => {
        const { createLiveClient } = await import('/live-client.js');
        const values = [], states = [];
        let closed = null;
        const live = createLiveClient({
          token: () => ${JSON.stringify(token)}, delayMs: 100, delayMaxMs: 1000, onState: (state) => states.push(state),
        });
        live.watch(${JSON.stringify(channel)}, {
          onValue: ({ lat }, { type, version }) => values.push({ type, version, lat }),
          onClosed: (reason) => { closed = reason; },
        });
        globalThis.seen = () => ({ values, states, closed, transport: live.transport() });
      })()`,
    );
    return page;
  }

  const resumed = async (transport: string): Promise<number> =>
    platform.sample('returnit_live_resumes_total', { transport, outcome: 'current' });

  it('is asked for again by its tag at one address, and kept for a year at the one with its hash', async () => {
    const url = `${platform.app.addresses.api}/live-client.js`;
    const first = await fetch(url);
    assert.equal(first.status, 200);
    assert.match(first.headers.get('content-type') ?? '', /^text\/javascript/);
    assert.equal(first.headers.get('cache-control'), 'no-cache');
    const hashed = first.headers.get('content-location') ?? '';
    assert.match(hashed, /^\/assets\/live-client\.[\w-]{16}\.js$/);
    const kept = await fetch(new URL(hashed, url));
    assert.equal(kept.headers.get('cache-control'), 'public, max-age=31536000, immutable');
    assert.equal(await kept.text(), await first.text());
    assert.equal((await fetch(new URL(hashed.replace(/\.[\w-]{16}\./, `.${'0'.repeat(16)}.`), url))).status, 404);
    const again = await fetch(url, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } });
    assert.equal(again.status, 304);
  });

  it('shows each position once over a cut and a restart, by WebSocket or where those do not get through', async () => {
    const place = placeOf(1);
    const customer = await platform.as('customer', 'browser');
    await device.publish(near(place, 2));
    const { orderId } = await book(customer, place);
    await orderReached(customer, orderId, 'assigned');
    await ordersFollowed([platform], 1);
    await (await platform.as('driver', 'browser-driver')).ok('POST', `/orders/${orderId}/start`);
    const channel = `orders/${orderId}/position`;
    const pages: Page[] = [];
    for (const proxy of proxies) pages.push(await follow(customer.token ?? '', channel, proxy));
    for (const page of pages) await shows(page, near(place, 2).lat);
    await device.publish(near(place, 3));
    for (const page of pages) await shows(page, near(place, 3).lat);

    for (const proxy of proxies) proxy.cut();
    for (const transport of ['ws', 'sse']) {
      await until(`${transport} is there again`, async () => (await resumed(transport)) > 0);
    }
    await device.close();
    await platform.stop();
    platform = await startPlatform({ config, dataDir });
    device = await connectDevice(platform.app.addresses.mqtt, device);
    for (const transport of ['ws', 'sse']) {
      await until(`${transport} has come back`, async () => (await resumed(transport)) > 0);
    }
    await device.publish(near(place, 4));
    for (const page of pages) await shows(page, near(place, 4).lat);
    const driver = await platform.as('driver', 'browser-driver');
    for (const step of ['pickup', 'deliver', 'complete']) await driver.ok('POST', `/orders/${orderId}/${step}`);
    for (const [index, page] of pages.entries()) {
      await until('it is told the end', async () => (await seen(page)).closed === 'the order is completed');
      const { values, states, transport } = await seen(page);
      assert.equal(transport, index === 0 ? 'ws' : 'sse');
      assert.deepEqual(
        values.map(({ type, lat }) => [type, lat]),
        [2, 3, 4].map((step) => [step === 2 ? 'snapshot' : 'change', near(place, step).lat]),
      );
      assert.equal(states.at(-1), 'idle');
      await page.close();
    }
  });
});
