/** A fix whose device has its PUBACK is in Postgres exactly once, whatever dies meanwhile. Rounds: CONTRIBUTING.md. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { assertStoredOnce } from '../../support/ingest/assert-stored.ts';
import { createFixNumbers } from '../../support/ingest/fix-number.ts';
import { faults } from '../../support/ingest/faults.ts';
import { startPhone, type Phone } from '../../support/ingest/phone.ts';
import { createRandom } from '../../support/ingest/random.ts';
import { startRig, type Rig } from '../../support/ingest/rig.ts';
import { readRounds } from '../../support/ingest/rounds.ts';
import { untilRecovered } from '../../support/ingest/until-recovered.ts';

const devices = 4;
const hourMs = 3_600_000;
const { seeds, blockSeconds } = readRounds();

describe('fixes to the embedded broker', () => {
  let rig: Rig;
  let phones: Phone[] = [];

  before(async () => {
    rig = await startRig({ devices });
  });
  afterEach(async () => {
    for (const phone of phones) await phone.close();
    phones = [];
  });
  after(async () => {
    await rig?.stop();
  });

  for (const [round, seed] of seeds.entries()) {
    it(`are stored once each: round ${round + 1}, seed ${seed}`, async (test) => {
      const random = createRandom(seed);
      // Each round's numbers lie in an hour of its own.
      const numbers = createFixNumbers(Date.now() - (seeds.length + 1 - round) * hourMs);
      phones = rig.devices.map((device, first) =>
        startPhone({ url: rig.mqttUrl, ...device, numbers, first, step: devices }),
      );
      const acknowledged = (): number => phones.reduce((sum, phone) => sum + phone.acknowledged.size, 0);
      for (const name of random.shuffle(Object.keys(faults))) {
        const target = acknowledged() + random.integer(0, 300);
        await untilRecovered(`${target} fixes are acknowledged before ${name}`, () => acknowledged() >= target);
        test.diagnostic(`${name} after ${acknowledged()} fixes`);
        await faults[name]?.({ rig, phones, random, blockSeconds });
      }
      const target = acknowledged() + 100;
      await untilRecovered('fixes are taken again', () => acknowledged() >= target);
      for (const phone of phones) phone.pause();
      await untilRecovered('everything is acknowledged', () =>
        phones.every((phone) => phone.acknowledged.size === phone.sent.size),
      );
      await assertStoredOnce({
        database: rig.database,
        numbers,
        acknowledged: phones.flatMap((phone) => [...phone.acknowledged]),
      });
      const newest = await rig.database.newestTimes();
      for (const [index, phone] of phones.entries()) {
        const last = numbers.baseMs + Math.max(...phone.acknowledged);
        assert.equal(
          newest.get(rig.devices[index]?.driverId ?? ''),
          last,
          'the newest position is that of the last fix',
        );
      }
      test.diagnostic(`${acknowledged()} fixes, each stored once`);
    });
  }
});
