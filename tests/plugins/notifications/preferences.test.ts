import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { kinds } from '../../../plugins/notifications/audience.ts';
import {
  addressOf,
  chooseChannels,
  contactChannels,
  isEmail,
  modes,
  modesOf,
  standInsFor,
  unknownPerson,
  type ContactChannel,
  type Person,
} from '../../../plugins/notifications/person.ts';
import type { Reply } from '../support/plugin-context.ts';
import { createPluginDatabase, type PluginDatabase } from '../support/plugin-database.ts';
import { createFakeChannel, startMessenger, type Messenger } from './messenger.ts';

describe('preferences', () => {
  let data: PluginDatabase;
  let messenger: Messenger;
  before(async () => {
    data = await createPluginDatabase('notifications');
  });
  after(() => data.stop());
  beforeEach(async () => {
    await data.sql('truncate notifications, people, order_progress');
    messenger = await startMessenger(data, []);
  });

  const customer = { principal: { id: 'c1', role: 'customer' } } as const;
  const driver = { principal: { id: 'c1', role: 'driver' } } as const;
  const ops = { principal: { id: 'kim', role: 'ops' }, params: { role: 'customer', personId: 'c1' } } as const;
  const own = '/notifications/preferences';
  const others = '/notifications/preferences/{role}/{personId}';
  const get = (as: object = customer): Promise<Reply> =>
    messenger.running.request(`GET ${'params' in as ? others : own}`, as);
  const put = (body: object, as: object = customer, ifMatch?: string): Promise<Reply> =>
    messenger.running.request(`PUT ${'params' in as ? others : own}`, {
      ...as,
      body,
      headers: ifMatch === undefined ? {} : { 'if-match': ifMatch },
    });

  it('are the defaults until somebody says otherwise, for each role by itself', async () => {
    const { status, body, headers } = await get();
    assert.deepEqual([status, headers?.['etag'], body['version']], [200, '"0"', 0]);
    assert.deepEqual((body['channels'] as Record<string, unknown>)['payment'], {
      push: 'fallback',
      sms: 'off',
      email: 'on',
    });
    const wanted = {
      email: 'anna@example.com',
      phone: '+4915112345678',
      pushToken: 'token-of-anna',
      locale: 'de-at',
      timeZone: 'Europe/Vienna',
      quietHours: { start: '22:00', end: '07:00' },
      urgentPasses: false,
      channels: { payment: { sms: 'on' } },
    };
    const saved = await put(wanted);
    assert.equal(saved.headers?.['etag'], '"1"');
    const { body: shown } = await get();
    assert.deepEqual(
      { ...shown, channels: undefined },
      { ...wanted, locale: 'de-AT', version: 1, channels: undefined },
    );
    assert.deepEqual((shown['channels'] as Record<string, unknown>)['payment'], {
      push: 'fallback',
      sms: 'on',
      email: 'on',
    });
    assert.equal((await get(driver)).body['version'], 0);
    assert.equal((await get({ principal: { id: 'c1', role: 'partner' } })).body['version'], 0);
    assert.deepEqual((await get(ops)).body, shown);
    await put({}, ops);
    assert.deepEqual([(await get()).body['email'], (await get()).body['version']], [null, 2]);
  });

  it('are changed by who has seen them: one of two at the same time, and nobody with an old ETag', async () => {
    const first = await Promise.all([put({ locale: 'de' }, customer, '"0"'), put({ locale: 'es' }, customer, '"0"')]);
    assert.deepEqual(
      first.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 412],
    );
    const second = await Promise.all(['de', 'es', 'en'].map((locale) => put({ locale }, customer, '"1"')));
    assert.deepEqual(
      second.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 412, 412],
    );
    assert.equal((await put({}, customer, '"1"')).code, 'PREFERENCES_CHANGED');
    assert.equal((await put({}, customer, '"x"')).code, 'PREFERENCES_CHANGED');
    assert.equal((await put({}, driver, '"7"')).code, 'PREFERENCES_CHANGED', 'of somebody who is not there');
    assert.equal((await put({}, customer, '*')).status, 200);
  });

  it('say what is wrong with them, and change nothing', async () => {
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{ email: 'anna' }, /'email' must be/],
      [{ email: 'anna@example.com\r\nBcc: eve@evil.example' }, /'email' must be/],
      [{ phone: '015112345678' }, /E\.164/],
      [{ pushToken: 'short' }, /'pushToken' must be/],
      [{ locale: '!!' }, /'locale' must be/],
      [{ timeZone: 'Mars/Olympus' }, /'timeZone' must be/],
      [{ quietHours: { start: '24:00', end: '07:00' } }, /times from 00:00/],
      [{ quietHours: { start: '07:00', end: '07:00' } }, /different times/],
    ];
    for (const [body, detail] of wrong) {
      const reply = await put(body);
      assert.equal(reply.code, 'PREFERENCES_INVALID', JSON.stringify(body));
      assert.match(String(reply.body['detail']), detail);
    }
    for (const body of [{ channels: { booking: { fax: 'on' } } }, { channels: { gossip: {} } }, { urgentPasses: 1 }]) {
      assert.equal((await put(body)).status, 422);
    }
    assert.equal((await get()).body['version'], 0);
  });

  it('decide the language and the channels of the next message', async () => {
    const email = createFakeChannel('email');
    const push = createFakeChannel('push');
    messenger = await startMessenger(data, [email, push]);
    await put({
      email: 'anna@example.com',
      pushToken: 'token-of-anna',
      locale: 'es',
      channels: { parcels: { email: 'off' } },
    });
    await messenger.deliver('order.delivered', { orderId: 'o1', customerId: 'c1' }, 'e1');
    await put({ channels: Object.fromEntries(kinds.map((kind) => [kind, { push: 'off', sms: 'off', email: 'off' }])) });
    await messenger.deliver('order.delivered', { orderId: 'o2', customerId: 'c1' }, 'e2');
    await put({
      email: 'anna@example.com',
      pushToken: 'token-of-anna',
      locale: 'es',
      channels: { parcels: { email: 'off' } },
    });
    await messenger.runAll();
    assert.deepEqual([email.tries.length, push.tries.map(({ body }) => body)], [0, ['Sus paquetes han llegado.']]);
    assert.equal(messenger.counted('none', 'off'), 1);
  });
});

const mode = fc.constantFrom(...modes);
const anyPerson: fc.Arbitrary<Person> = fc
  .record({
    email: fc.option(fc.constant('a@example.com')),
    phone: fc.option(fc.constant('+4915112345678')),
    pushToken: fc.option(fc.constant('token-of-anna')),
    channels: fc.dictionary(
      fc.constantFrom(...kinds),
      fc.record({ push: mode, sms: mode, email: mode }, { requiredKeys: [] }),
    ),
  })
  .map((person) => ({ ...unknownPerson('customer', 'c1'), ...person }));
const anyOpen = fc.subarray<ContactChannel>([...contactChannels]).map((names) => new Set(names));

describe('chooseChannels()', () => {
  it('takes those that are on and can be used, one that stands in when there is none, the log at last', () => {
    fc.assert(
      fc.property(anyPerson, fc.constantFrom(...kinds), anyOpen, (person, kind, open) => {
        const chosen = chooseChannels(person, kind, open);
        const wanted = modesOf(person)[kind];
        const usable = contactChannels.filter((name) => open.has(name) && addressOf(person, name) !== null);
        const on = usable.filter((name) => wanted[name] === 'on');
        for (const name of chosen) if (name !== 'log') assert.ok(usable.includes(name) && wanted[name] !== 'off');
        if (on.length > 0) assert.deepEqual(chosen, on);
        else if (usable.some((name) => wanted[name] === 'fallback')) assert.equal(chosen.length, 1);
        else assert.deepEqual(chosen, contactChannels.every((name) => wanted[name] === 'off') ? [] : ['log']);
      }),
    );
  });
});

describe('standInsFor()', () => {
  it('names no channel that has failed, is closed, has no address, or is not wanted', () => {
    fc.assert(
      fc.property(
        anyPerson,
        fc.constantFrom(...kinds),
        anyOpen,
        fc.constantFrom(...contactChannels),
        (person, kind, open, failed) => {
          for (const name of standInsFor(person, { kind, failed, open })) {
            assert.ok(name !== failed && open.has(name) && addressOf(person, name) !== null);
            assert.notEqual(modesOf(person)[kind][name], 'off');
          }
        },
      ),
    );
  });
});

describe('isEmail()', () => {
  it('takes what the core sends mail to, and nothing else', () => {
    for (const right of ['a@b.co', "o'neil+x@mail.example.ie", 'x_y-z@xn--bcher-kva.example'])
      assert.ok(isEmail(right), right);
    for (const wrong of [
      '',
      'a',
      'a@b',
      '@b.co',
      'a@b.co.',
      'a..b@c.de',
      '.a@b.co',
      'a.@b.co',
      'a@-b.co',
      'a@b.1',
      'a@b@c.de',
      'a b@c.de',
      '"a"@b.co',
    ])
      assert.ok(!isEmail(wrong), wrong);
  });
});
