/**
 * The shipped Mosquitto is killed in a burst of fixes, again and again, without a node and with one. What it has acknowledged
 * is in Postgres, each fix once. How many, and where it is killed: CONTRIBUTING.md.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import * as pg from 'pg';
import { createShippedMosquitto, skipWithoutShippedMosquitto, type ShippedMosquitto } from '../core/mqtt/mosquitto.ts';
import { killCores, startCore, type CoreProcess } from '../support/core-process.ts';
import { startFixBurst, type FixBurst } from '../support/ingest/fix-burst.ts';
import { createFixNumbers, type FixNumbers } from '../support/ingest/fix-number.ts';
import { createRandom } from '../support/ingest/random.ts';
import { untilRecovered } from '../support/ingest/until-recovered.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

const fixes = Number(process.env['RETURNIT_BURST_FIXES'] ?? 10_000);
const seed = Number(process.env['RETURNIT_BURST_SEED'] ?? 20_271);
const kills = 3;
const hourMs = 3_600_000;

describe(`a burst of ${fixes} fixes, seed ${seed}`, { skip: skipWithoutShippedMosquitto }, () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let broker: ShippedMosquitto;
  let folder: string;
  let core: CoreProcess;
  let burst: FixBurst | undefined;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'returnit-journal-test-'));
    database = await createTestDatabase();
    pool = new pg.Pool({ connectionString: database.url, max: 2 });
    broker = await createShippedMosquitto();
    await broker.start();
    core = await startNode();
    // Its session is there when something has come to it.
    await storedAfterProbe(Date.now() - 10 * hourMs);
  });
  afterEach(async () => burst?.close());
  after(async () => {
    await killCores();
    await broker?.stop();
    await pool?.end();
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  function startNode(): Promise<CoreProcess> {
    const environment = { DATABASE_URL: database.url, MQTT_URL: broker.nodeUrl, DB_POOL_MAX: '12' };
    return startCore({ dataDir: join(folder, 'data'), args: ['--plugins', 'tracking'], environment });
  }

  async function storedAfterProbe(baseMs: number): Promise<void> {
    await untilRecovered('a fix is stored', async () => {
      const probe = startFixBurst({ url: broker.nodeUrl, numbers: createFixNumbers(baseMs), fixes: 1, connections: 1 });
      await probe.done;
      await probe.close();
      return (await timesStored(baseMs)).size > 0;
    });
  }

  /** How often each fix from a time on is stored, by its number. */
  async function timesStored(baseMs: number): Promise<Map<number, number>> {
    const { rows } = await pool.query<{ number: string; times: string }>(
      `select round(extract(epoch from recorded_at) * 1000) - $1 as number, count(*) as times
       from tracking.driver_fixes
       where recorded_at between to_timestamp($1 / 1000.0) and to_timestamp($1 / 1000.0) + interval '1 hour'
       group by 1`,
      [baseMs],
    );
    return new Map(rows.map(({ number, times }) => [Number(number), Number(times)]));
  }

  /** Sends all, and kills the broker at places that the seed tells, and at last. */
  async function sendAndKill(numbers: FixNumbers, say: (text: string) => void): Promise<void> {
    const random = createRandom(seed);
    const places = Array.from({ length: kills }, () => random.integer(fixes / 20, fixes - fixes / 20));
    burst = startFixBurst({ url: broker.nodeUrl, numbers, fixes });
    const { acknowledged, done } = burst;
    for (const place of places.toSorted((a, b) => a - b)) {
      await untilRecovered(`${place} are acknowledged`, () => acknowledged.size >= place);
      await broker.end('SIGKILL');
      const { size } = await stat(broker.journalFile);
      say(`killed after ${acknowledged.size} with ${size} bytes in the journal`);
      await broker.start();
    }
    await done;
    await broker.end('SIGKILL');
    await broker.start();
    assert.equal(acknowledged.size, fixes);
  }

  async function assertStoredOnce(numbers: FixNumbers): Promise<void> {
    let stored = new Map<number, number>();
    await untilRecovered('all are stored', async () => {
      stored = await timesStored(numbers.baseMs);
      return stored.size >= fixes;
    });
    assert.equal(stored.size, fixes);
    assert.deepEqual(
      [...stored].filter(([, times]) => times !== 1),
      [],
    );
  }

  it('is stored once each after its kills while no node was there', async (t) => {
    const numbers = createFixNumbers(Date.now() - 8 * hourMs);
    await core.end('SIGKILL');
    await sendAndKill(numbers, (text) => t.diagnostic(text));
    core = await startNode();
    await assertStoredOnce(numbers);
    assert.match(broker.log, /Journal: [1-9]\d* messages of \d+ bytes are published again/);
  });

  it('is stored once each after its kills with a node there', async (t) => {
    const numbers = createFixNumbers(Date.now() - 4 * hourMs);
    await sendAndKill(numbers, (text) => t.diagnostic(text));
    await assertStoredOnce(numbers);
  });
});
