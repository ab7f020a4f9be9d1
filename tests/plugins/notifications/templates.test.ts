import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { templateNames, type TemplateName } from '../../../plugins/notifications/audience.ts';
import { readFacts, recipientOf } from '../../../plugins/notifications/facts.ts';
import { escapeHtml } from '../../../plugins/notifications/templates/html.ts';
import { fallbackChain, findLanguage, languageNames } from '../../../plugins/notifications/templates/locale.ts';
import { render, type RenderOptions } from '../../../plugins/notifications/templates/render.ts';
import { sampleFacts } from '../../../plugins/notifications/templates/samples.ts';
import { measureSms, toSmsText } from '../../../plugins/notifications/templates/sms-text.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { startMessenger, type Messenger } from './messenger.ts';

const options = (more: Partial<RenderOptions> = {}): RenderOptions => ({
  channel: 'email',
  locale: 'en',
  timeZone: 'UTC',
  orderUrl: 'https://app.example/orders/{orderId}',
  ...more,
});

describe('render()', () => {
  it('has words for every event, language and channel, with all facts and with none', () => {
    for (const event of templateNames) {
      const titles = languageNames.map((locale) => {
        for (const facts of [sampleFacts, readFacts({}), readFacts({ final: true, attemptsLeft: 0 })]) {
          for (const channel of ['email', 'sms', 'push', 'log'] as const) {
            const { title, body, html } = render(event, facts, options({ locale, channel }));
            const all = `${title}\n${body}\n${html ?? ''}`;
            assert.ok(title.length > 0 && title.length <= 200 && body.length > 0 && body.length <= 2000, event);
            assert.doesNotMatch(all, /undefined|null|NaN|Invalid|\[object/, `${event} ${locale} ${channel}`);
            assert.doesNotMatch(title, /[\r\n]/);
            assert.equal(html === null, channel !== 'email');
          }
        }
        return render(event, sampleFacts, options({ locale })).title;
      });
      assert.equal(new Set(titles).size, languageNames.length, `${event} is translated`);
    }
  });

  it('fits one text message without a link and two with one, in every language', () => {
    for (const event of templateNames) {
      for (const locale of languageNames) {
        const bare = measureSms(render(event, sampleFacts, options({ locale, channel: 'sms', orderUrl: null })).body);
        assert.deepEqual([bare.encoding, bare.segments], ['gsm-7', 1], `${event} ${locale}: ${bare.units}`);
        const linked = measureSms(render(event, sampleFacts, options({ locale, channel: 'sms' })).body);
        assert.ok(linked.segments <= 2, `${event} ${locale}: ${linked.units}`);
      }
    }
  });

  it('writes times in the time zone, amounts and reasons in the language, and what it does not know as it is', () => {
    const of = (event: TemplateName, locale: string, facts: object = {}): string =>
      render(event, { ...sampleFacts, ...readFacts(facts) }, options({ locale, timeZone: 'Europe/Vienna' })).body;
    const window = { pickupWindow: { start: '2026-05-04T08:00:00Z', end: '2026-05-04T10:00:00Z' } };
    assert.match(of('order.scheduled', 'de-AT', window), /4\. Mai.*10:00.*12:00/);
    assert.match(of('order.scheduled', 'en-US', window), /May 4, 10:00.*12:00 PM/);
    assert.match(of('payment.captured', 'es', { amountMinor: 1250, currency: 'EUR' }), /12,50 €/);
    assert.match(of('payment.captured', 'en', { amountMinor: 1250, currency: 'JPY' }), /¥1,250/);
    assert.match(of('order.pickup_failed', 'de', { reason: 'nobody_home' }), /Grund: niemand hat geöffnet\./);
    assert.match(of('order.cancelled', 'en', { reason: 'It rains.' }), /Reason: It rains\. *$/m);
    assert.doesNotMatch(of('payment.declined', 'en', { reason: 'do_not_honor' }), /Reason|honor/);
    assert.doesNotMatch(of('order.pickup_failed', 'en', { reason: 'other' }), /Reason/);
    const document = { kind: 'licence', expiresOn: '2026-06-30' };
    assert.match(
      of('driver.document_expiring', 'es-AR', document),
      /«permiso de conducir» caduca el 30 de junio de 2026/,
    );
    assert.match(of('order.pickup_failed', 'en', { attemptsLeft: 2 }), /choose a new time|Choose a new time/);
    assert.match(of('order.pickup_failed', 'en', { attemptsLeft: 0 }), /no further try/);
    assert.match(of('order.pickup_failed', 'de', { reason: 'no_driver' }), /kein Fahrer frei\..*Neu planen/s);
    assert.doesNotMatch(of('order.pickup_failed', 'en', { reason: 'no_driver' }), /was with you/);
  });

  it('lets nothing in the facts break out of the HTML, the subject or its line', () => {
    const plain = render('driver.document_expiring', readFacts({ document: 'x' }), options());
    const tagsOf = (html: string | null): string[] => (html ?? '').match(/<[^>]*>/g) ?? [];
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.constantFrom(
        '<script>alert(1)</script>',
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        '</title></head><body>',
        '&lt;script&gt;',
        '<!--',
        'a\r\nBcc: eve@evil.example',
        '\u202Egnp.exe',
        '${1}$&$`',
      ),
    );
    fc.assert(
      fc.property(hostile, hostile, fc.constantFrom(...templateNames), (text, id, event) => {
        const facts = { ...sampleFacts, ...readFacts({ reason: text, document: text, orderId: id }) };
        const clean = { ...facts, reason: 'x', document: 'x', orderId: facts.orderId === null ? null : 'x' };
        for (const locale of languageNames) {
          const { html, title, body } = render(event, facts, options({ locale }));
          const expected = render(
            event,
            { ...clean, reason: facts.reason === null ? null : 'x', document: facts.document === null ? null : 'x' },
            options({ locale }),
          ).html;
          assert.deepEqual(
            tagsOf(html).map((tag) => tag.replace(/href="[^"]*"/, 'href')),
            tagsOf(expected).map((tag) => tag.replace(/href="[^"]*"/, 'href')),
          );
          assert.doesNotMatch(title, /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
          assert.doesNotMatch(body.replaceAll('\n', ''), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        }
      }),
      { numRuns: 300 },
    );
    assert.ok(tagsOf(plain.html).length > 5);
  });
});

describe('escapeHtml()', () => {
  it('leaves no character that HTML reads, and loses none', () => {
    const back = (html: string): string =>
      html
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
        .replaceAll('&quot;', '"')
        .replaceAll('&#39;', "'")
        .replaceAll('&amp;', '&');
    fc.assert(
      fc.property(fc.string(), (text) => {
        const html = escapeHtml(text);
        assert.doesNotMatch(html, /[<>"']|&(?!(amp|lt|gt|quot|#39);)/);
        assert.equal(back(html), text);
      }),
    );
  });
});

describe('findLanguage()', () => {
  it('falls back from region to language to English', () => {
    assert.deepEqual(fallbackChain('de-AT'), ['de-AT', 'de', 'en']);
    assert.deepEqual(fallbackChain('zh-Hant-TW'), ['zh-Hant-TW', 'zh-Hant', 'zh', 'en']);
    const words = (locale: string): string => findLanguage(locale).language.words.seeOrder;
    assert.deepEqual(
      ['en', 'de', 'de-AT', 'es-MX', 'fr', 'fr-CA', 'toString'].map((locale) => [
        words(locale),
        findLanguage(locale).locale,
      ]),
      [
        ['See your order', 'en'],
        ['Auftrag ansehen', 'de'],
        ['Auftrag ansehen', 'de-AT'],
        ['Ver el pedido', 'es-MX'],
        ['See your order', 'en'],
        ['See your order', 'en'],
        ['See your order', 'en'],
      ],
    );
  });
});

describe('measureSms()', () => {
  it('counts septets, those that take two, UTF-16 units, and messages', () => {
    const measured = (text: string): string => Object.values(measureSms(text)).join(' ');
    assert.equal(measured('a'.repeat(160)), 'gsm-7 160 1');
    assert.equal(measured('a'.repeat(161)), 'gsm-7 161 2');
    assert.equal(measured('€'.repeat(80)), 'gsm-7 160 1');
    assert.equal(measured('€'.repeat(81)), 'gsm-7 162 2');
    assert.equal(measured('ж'.repeat(70)), 'ucs-2 70 1');
    assert.equal(measured('ж'.repeat(71)), 'ucs-2 71 2');
    // 153 is odd: the 77th of the first message does not fit.
    assert.equal(measured('€'.repeat(153)), 'gsm-7 306 3');
    assert.equal(measured('😀'.repeat(35)), 'ucs-2 70 1');
  });

  it('makes text cheaper where the nearest characters do, and leaves alone what they would not', () => {
    assert.equal(toSmsText('está en camino – “ya”'), 'esta en camino - "ya"');
    assert.equal(toSmsText('Größe: äöü ñ €'), 'Größe: äöü ñ €');
    assert.equal(toSmsText('Привет, está'), 'Привет, está');
  });
});

describe('recipientOf()', () => {
  it('names the customer or the driver, or nobody', () => {
    const facts = readFacts({ orderId: 'o1', customerId: 'c1', driverId: 'd1' });
    assert.deepEqual(recipientOf('order.assigned', facts), { role: 'customer', id: 'c1' });
    assert.deepEqual(recipientOf('driver.assigned', facts), { role: 'driver', id: 'd1' });
    assert.equal(recipientOf('payment.declined', readFacts({ orderId: 'o1', customerId: null })), undefined);
    const partner = readFacts({ partnerId: 'p1', host: 'hooks.example' });
    assert.deepEqual(recipientOf('webhook.endpoint_disabled', partner), { role: 'partner', id: 'p1' });
    assert.equal(recipientOf('driver.unassigned', { ...facts, reason: 'gave_back' }), undefined);
  });
});

describe('previews', () => {
  let data: PluginDatabase;
  let messenger: Messenger;
  before(async () => {
    data = await createPluginDatabase('notifications');
    messenger = await startMessenger(data, [], { NOTIFICATIONS_LOCALE: 'de' });
  });
  after(() => data.stop());
  const ops = { principal: { id: 'kim', role: 'ops' } } as const;

  it('list all templates, and show each as it would be sent', async () => {
    const { body } = await messenger.running.request('GET /notifications/templates', ops);
    const templates = body['templates'] as { name: string }[];
    assert.equal(templates.length, templateNames.length);
    for (const { name } of templates) {
      for (const channel of ['email', 'sms', 'push', 'log']) {
        const request = { ...ops, params: { name }, query: { channel, locale: 'es-MX' } };
        const reply = await messenger.running.request('GET /notifications/templates/{name}/preview', request);
        assert.deepEqual([reply.status, reply.body['locale']], [200, 'es-MX']);
        assert.equal(reply.body['sms'] === null, channel !== 'sms');
      }
    }
  });

  it('take facts, and say what there is not', async () => {
    const ask = (name: string, query: object, facts?: object) =>
      facts === undefined
        ? messenger.running.request('GET /notifications/templates/{name}/preview', { ...ops, params: { name }, query })
        : messenger.running.request('POST /notifications/templates/{name}/preview', {
            ...ops,
            params: { name },
            query,
            body: { facts },
          });
    const { body } = await ask('order.cancelled', {}, { reason: '<script>alert(1)</script>' });
    assert.match(String(body['html']), /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
    assert.match(String(body['title']), /storniert/);
    assert.equal((await ask('order.lost', {})).code, 'NOTIFICATION_TEMPLATE_NOT_FOUND');
    assert.equal((await ask('order.cancelled', { locale: '!!' })).code, 'NOTIFICATION_LOCALE_INVALID');
    assert.equal((await ask('order.cancelled', { channel: 'fax' })).code, 'VALIDATION_FAILED');
  });
});
