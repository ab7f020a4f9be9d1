/** The documentation page of a whole platform, in a real browser. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { chromium, type Browser, type Locator } from 'playwright-core';
import { toPdf, toPng } from '../plugins/orders/files.ts';
import { book, placeOf } from '../support/journey.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { findProgram, skipWithout } from '../support/programs.ts';

/** Where others use the machine as well. */
const patienceMs = 120_000;

/** A plugin that could not start in time is started again. */
async function allReady(platform: TestPlatform): Promise<void> {
  for (const { name } of platform.app.plugins()) await platform.reached(name, 'ready');
}

describe('the documentation page', { timeout: 600_000, skip: skipWithout(['chromium'], 'chromium') }, () => {
  let platform: TestPlatform;
  let browser: Browser;

  before(async () => {
    platform = await startPlatform();
    await allReady(platform);
    browser = await chromium.launch({ executablePath: findProgram('chromium'), args: ['--no-sandbox'] });
  });
  after(async () => {
    await browser?.close();
    await platform?.stop();
  });

  const url = (): string => `${platform.app.addresses.api}/docs`;

  it('searches, opens what a link names, and tries an operation with a token', async () => {
    const tab = await browser.newPage();
    tab.setDefaultTimeout(patienceMs);
    const refused: string[] = [];
    tab.on('console', (message) => {
      if (message.type() === 'error') refused.push(message.text());
    });
    const requested: string[] = [];
    tab.on('request', (request) => requested.push(request.url()));
    await tab.goto(`${url()}#get_drivers`);
    assert.equal(
      await tab.locator('#get_drivers').evaluate((element) => (element as unknown as { open: boolean }).open),
      true,
    );

    await tab.fill('.search input', 'books pickup');
    assert.deepEqual(await tab.locator('.operation:visible').evaluateAll((found) => found.map(({ id }) => id)), [
      'post_orders',
    ]);
    assert.equal(await tab.locator('section.group:visible').count(), 1);
    await tab.fill('.search input', 'no such thing');
    assert.ok(await tab.locator('.nothing').isVisible());
    await tab.fill('.search input', '');

    await tab.fill('.token input', await platform.token('customer', 'tried'));
    await tab.locator('#post_orders > summary').click();
    const form = tab.locator('#post_orders .try');
    await form.locator('button').click();
    await form.locator('output pre').waitFor();
    assert.match((await form.locator('output p').textContent()) ?? '', /^201 Created · \d+ ms · trace [0-9a-f]{32}$/);
    assert.equal(
      (JSON.parse((await form.locator('output pre').textContent()) ?? '') as { status: string }).status,
      'created',
    );
    assert.deepEqual(refused, [], 'nothing that the page does is against its policy');
    assert.ok(
      requested.every((each) => each.startsWith(platform.app.addresses.api)),
      requested.join(' '),
    );
    await tab.close();
  });

  /** What the page shows below a form that was sent. */
  const answerOf = async (form: Locator): Promise<{ readonly head: string; readonly text: string }> => {
    const [head, text] = await Promise.all(
      ['output p', 'output pre'].map(async (part) => (await form.locator(part).allTextContents()).join('')),
    );
    return { head: head ?? '', text: text ?? '' };
  };

  it('sends a file as what it is, and says what is wrong with one before it is sent', async () => {
    const customer = await platform.as('customer', 'label');
    const { orderId } = await book(customer, placeOf(1));
    const tab = await browser.newPage();
    tab.setDefaultTimeout(patienceMs);
    const refused: string[] = [];
    tab.on('console', (message) => {
      if (message.type() === 'error') refused.push(message.text());
    });
    await tab.goto(`${url()}#post_orders_orderId_documents`);
    await tab.fill('.token input', await platform.token('customer', 'label'));
    const form = tab.locator('#post_orders_orderId_documents .try');
    await form.locator('input[name="orderId"]').fill(orderId);
    const send = async (): Promise<void> => {
      await form.locator('output').evaluate((output) => output.replaceChildren());
      await form.locator('button').click();
      await form.locator('output p').waitFor();
    };

    await send();
    assert.equal((await answerOf(form)).head, 'Cannot send it: no file is chosen');
    const file = form.locator('input[type="file"]');
    await file.setInputFiles({ name: 'scan.pdf', mimeType: 'application/pdf', buffer: Buffer.alloc(5_242_881) });
    await send();
    assert.equal(
      (await answerOf(form)).head,
      "Cannot send it: 'scan.pdf' must have at most 5 MiB: it has 5242881 bytes",
    );

    const png = toPng();
    await file.setInputFiles({ name: 'label.png', mimeType: 'image/png', buffer: png });
    assert.equal(await form.locator('select').inputValue(), 'image/png', 'the type is what the browser takes it for');
    await send();
    const { head, text } = await answerOf(form);
    assert.match(head, /^201 Created /, text);
    const { documentId, contentType } = JSON.parse(text) as { documentId: string; contentType: string };
    assert.equal(contentType, 'image/png');
    const kept = await fetch(`${platform.app.addresses.api}/orders/${orderId}/documents/${documentId}/content`, {
      headers: { authorization: `Bearer ${await platform.token('customer', 'label')}` },
    });
    assert.deepEqual(Buffer.from(await kept.arrayBuffer()), png);
    assert.deepEqual(refused, [], 'nothing that the page does is against its policy');
    await tab.close();
  });

  it('shows a picture as a picture, and has every file to be kept as it was answered', async () => {
    const customer = await platform.as('customer', 'files');
    const { orderId } = await book(customer, placeOf(2));
    const upload = async (raw: Buffer<ArrayBuffer>, type: string): Promise<string> => {
      const path = `/orders/${orderId}/documents?kind=label`;
      const { body } = await customer.request<{ documentId: string }>('POST', path, {
        raw,
        headers: { 'content-type': type },
      });
      return body.documentId;
    };
    const [png, pdf] = [toPng(), toPdf()];
    const pictureId = await upload(png, 'image/png');
    const paperId = await upload(pdf, 'application/pdf');
    const tab = await browser.newPage();
    tab.setDefaultTimeout(patienceMs);
    const refused: string[] = [];
    tab.on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('404')) refused.push(message.text());
    });
    const id = 'get_orders_orderId_documents_documentId_content';
    await tab.goto(`${url()}#${id}`);
    await tab.fill('.token input', await platform.token('customer', 'files'));
    const form = tab.locator(`#${id} .try`);
    await form.locator('input[name="orderId"]').fill(orderId);
    const ask = async (documentId: string): Promise<string> => {
      await form.locator('input[name="documentId"]').fill(documentId);
      await form.locator('output').evaluate((output) => output.replaceChildren());
      await form.locator('button').click();
      await form.locator('output p').waitFor();
      return (await answerOf(form)).head;
    };
    const kept = async (): Promise<readonly [name: string, content: Buffer]> => {
      const [download] = await Promise.all([tab.waitForEvent('download'), form.locator('output a').click()]);
      return [download.suggestedFilename(), await readFile(await download.path())];
    };
    const widthOf = (image: unknown): Promise<number> =>
      (image as { decode(): Promise<void>; naturalWidth: number })
        .decode()
        .then(() => (image as { naturalWidth: number }).naturalWidth);

    assert.match(await ask(pictureId), /^200 OK /);
    assert.equal(await form.locator('output img').evaluate(widthOf), 800, 'it is drawn');
    assert.deepEqual(await kept(), [`label-${pictureId}.png`, png]);
    assert.equal(await form.locator('output pre').count(), 0);

    assert.match(await ask(paperId), /^200 OK /);
    assert.deepEqual(await kept(), [`label-${paperId}.pdf`, pdf]);
    assert.equal(await form.locator('output img, output pre').count(), 0);

    assert.match(await ask('01900000-0000-7000-8000-000000000000'), /^404 /);
    assert.match((await answerOf(form)).text, /ORDER_DOCUMENT_NOT_FOUND/, 'a refusal is text');
    assert.equal(await form.locator('output a').count(), 0);
    assert.deepEqual(refused, [], 'nothing that the page does is against its policy');
    await tab.close();
  });

  it('sends lines as they are written, or a file of them', async () => {
    const tab = await browser.newPage();
    tab.setDefaultTimeout(patienceMs);
    await tab.goto(`${url()}#post_orders_bulk`);
    await tab.fill('.token input', await platform.token('partner', 'lines'));
    const form = tab.locator('#post_orders_bulk .try');
    const line = await form.locator('textarea').inputValue();
    await form.locator('button').click();
    await form.locator('output pre').waitFor();
    const written = await answerOf(form);
    assert.match(written.head, /^200 OK /, written.text);

    const buffer = Buffer.from(`${line}\nno line\n`);
    await form.locator('input[type="file"]').setInputFiles({ name: 'orders.ndjson', mimeType: '', buffer });
    await form.locator('output').evaluate((output) => output.replaceChildren());
    await form.locator('button').click();
    await form.locator('output pre').waitFor();
    const sent = await answerOf(form);
    assert.match(sent.head, /^200 OK /, sent.text);
    assert.match(sent.text, /MALFORMED_JSON/);
    await tab.close();
  });

  it('can be read without a script', async () => {
    const tab = await browser.newPage({ javaScriptEnabled: false });
    tab.setDefaultTimeout(patienceMs);
    await tab.goto(url());
    assert.equal(await tab.locator('.search:visible, .token:visible, .try:visible').count(), 0);
    const operation = tab.locator('#post_orders');
    await operation.locator('summary').click();
    assert.ok(await operation.locator('pre').first().isVisible());
    await tab.close();
  });
});
