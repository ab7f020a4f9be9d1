/**
 * A fix that Mosquitto acknowledged to a phone, or for which it has the backend's PUBACK, is in Postgres exactly once.
 * Rounds: CONTRIBUTING.md.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { createMosquitto, skipWithoutMosquitto, type Mosquitto } from '../../core/mqtt/mosquitto.ts';
import { assertStoredOnce } from '../../support/ingest/assert-stored.ts';
import { startBrokerProxy, type BrokerProxy } from '../../support/ingest/broker-proxy.ts';
import { faults, type Fault } from '../../support/ingest/faults.ts';
import { createFixNumbers, type FixNumbers } from '../../support/ingest/fix-number.ts';
import { startPhone, type Phone } from '../../support/ingest/phone.ts';
import { createRandom } from '../../support/ingest/random.ts';
import { startRig, type Rig } from '../../support/ingest/rig.ts';
import { readRounds } from '../../support/ingest/rounds.ts';
import { untilRecovered } from '../../support/ingest/until-recovered.ts';

const devices = 4;
const hourMs = 3_600_000;
const { seeds, blockSeconds } = readRounds();

describe('fixes to Mosquitto', { skip: skipWithoutMosquitto }, () => {
  let mosquitto: Mosquitto;
  let proxy: BrokerProxy;
  let rig: Rig;
  let phones: Phone[] = [];

  const withBroker: Readonly<Record<string, Fault>> = {
    ...faults,
    'cut connection of the backend': async () => proxy.cut(),
    'restart of the broker': async () => {
      await mosquitto.end('SIGTERM');
      await mosquitto.start();
    },
  };

  before(async () => {
    mosquitto = await createMosquitto({ saveEachChange: false });
    await mosquitto.start();
    proxy = await startBrokerProxy(mosquitto.url);
    rig = await startRig({ devices, brokerUrl: proxy.url });
  });
  afterEach(async () => {
    for (const phone of phones) await phone.close();
    phones = [];
  });
  after(async () => {
    await rig?.stop();
    await proxy?.stop();
    await mosquitto?.stop();
  });

  const connectPhones = (numbers: FixNumbers): Phone[] =>
    rig.devices.map((device, first) => startPhone({ url: mosquitto.url, ...device, numbers, first, step: devices }));
  const byPhones = (): number => phones.reduce((sum, phone) => sum + phone.acknowledged.size, 0);

  /** Nothing is on its way any more: what each phone sent last has gone all the way. */
  async function settle(numbers: FixNumbers): Promise<void> {
    // What is on its way in a restart may be the last fixes so far: these are later.
    const marks = phones.map((phone) => Math.max(...phone.sent));
    for (const [index, phone] of phones.entries()) {
      const isTaken = (number: number): boolean =>
        number > (marks[index] ?? 0) && proxy.acknowledged.has(numbers.baseMs + number);
      await untilRecovered('the backend takes fixes again', () => [...phone.sent].some(isTaken));
    }
    for (const phone of phones) phone.pause();
    await untilRecovered('everything is acknowledged', () =>
      phones.every((phone) => phone.acknowledged.size === phone.sent.size),
    );
    const last = phones.map((phone) => numbers.baseMs + Math.max(...phone.sent));
    await untilRecovered('the backend has acknowledged the last fixes', () =>
      last.every((time) => proxy.acknowledged.has(time)),
    );
    await untilRecovered('nothing is in flight', () => proxy.inFlight === 0);
  }

  for (const [round, seed] of seeds.entries()) {
    it(`are stored once each: round ${round + 1}, seed ${seed}`, async (test) => {
      const random = createRandom(seed);
      const numbers = createFixNumbers(Date.now() - (seeds.length + 1 - round) * hourMs);
      phones = connectPhones(numbers);
      for (const name of random.shuffle(Object.keys(withBroker))) {
        const target = byPhones() + random.integer(0, 300);
        await untilRecovered(`${target} fixes are acknowledged before ${name}`, () => byPhones() >= target);
        test.diagnostic(`${name} after ${byPhones()} fixes`);
        await withBroker[name]?.({ rig, phones, random, blockSeconds });
      }
      await settle(numbers);
      const byBackend = [...proxy.acknowledged].map((time) => time - numbers.baseMs).filter((number) => number >= 0);
      const acknowledged = phones.flatMap((phone) => [...phone.acknowledged]);
      await assertStoredOnce({ database: rig.database, numbers, acknowledged: [...byBackend, ...acknowledged] });
      test.diagnostic(`${byPhones()} fixes acknowledged by Mosquitto, stored once each`);
    });
  }

  it('that Mosquitto acknowledged get to Postgres while it runs on', async () => {
    const random = createRandom(seeds[0] ?? 0);
    const numbers = createFixNumbers(Date.now());
    phones = connectPhones(numbers);
    for (const name of ['kill -9 of the core', 'cut connection of the backend', 'kill -9 of the plugin']) {
      const target = byPhones() + random.integer(100, 300);
      await untilRecovered(`${target} fixes are acknowledged before ${name}`, () => byPhones() >= target);
      await withBroker[name]?.({ rig, phones, random, blockSeconds });
    }
    await settle(numbers);
    const acknowledged = phones.flatMap((phone) => [...phone.acknowledged]);
    assert.ok(acknowledged.every((number) => proxy.acknowledged.has(numbers.baseMs + number)));
    await assertStoredOnce({ database: rig.database, numbers, acknowledged });
  });
});
