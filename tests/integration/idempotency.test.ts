/** Keys on the real platform: across nodes, and across a core that is killed. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as pg from 'pg';
import type { Api, ApiAnswer } from '../support/api-client.ts';
import { killCores, startCore, type CoreProcess } from '../support/core-process.ts';
import { bookingAt, placeOf, type Order } from '../support/journey.ts';
import { patient, patientEnvironment } from '../support/patient.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { allEnd } from '../support/process-family.ts';
import { copyProject, type ProjectCopy } from '../support/project-copy.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { until } from '../support/until.ts';

interface Thing {
  readonly id: string;
  readonly note: string;
}
interface Counts {
  readonly things: number;
  readonly runs: number;
}

/** What takes no key, and what makes of a repetition the same thing. */
const harmlessTwice: Readonly<Record<string, string>> = {
  'POST /orders/bulk': 'the reference of each line (orders/bulk.test.ts)',
  'POST /orders/{orderId}/documents': 'the content of the file (orders/documents.test.ts)',
  'POST /orders/{orderId}/proofs/{stage}/photos': 'the content of the file (orders/proofs.test.ts)',
  'POST /orders/{orderId}/proofs/{stage}/signatures': 'the content of the file (orders/proofs.test.ts)',
  'POST /drivers/{driverId}/devices': 'the name of the device, whose password is replaced (drivers/devices.test.ts)',
  'POST /drivers/{driverId}/devices/{deviceId}/rotate': 'the name of the device, whose password is replaced',
  'POST /payments/webhooks/{provider}': 'the id of the event (payments/webhooks.test.ts)',
  'POST /tracking/owntracks': 'the time of the fix (tracking/store-fixes.test.ts)',
  'POST /tracking/osmand': 'the time of the fix (tracking/store-fixes.test.ts)',
  'POST /jobs/dead-letters/{jobId}/replay': 'the dead letter, which is gone (cli/jobs.test.ts)',
  'POST /plugins/{name}/release': 'the state of the plugin',
};

const create = (api: Api, key: string, body: object): Promise<ApiAnswer<Thing>> =>
  api.request<Thing>('POST', '/keyed/things', { body, headers: { 'idempotency-key': key } });
const countsOf = (api: Api): Promise<Counts> => api.ok<Counts>('GET', '/keyed/counts');
const isReplayed = ({ headers }: ApiAnswer<unknown>): boolean => headers.get('idempotent-replayed') === 'true';

describe('an Idempotency-Key at two nodes on one database', () => {
  let postgres: TestServer;
  let nodes: TestPlatform[] = [];
  before(async () => {
    postgres = await startTestServer();
    const options = {
      fixtures: ['keyed'],
      config: { ...patient, databaseUrl: postgres.url, dbPoolMax: 40, idempotencyWaitMs: 60_000 },
    };
    nodes = [await startPlatform(options), await startPlatform(options)];
  });
  after(async () => {
    for (const node of nodes) await node.stop();
    await postgres?.stop();
  });

  it('makes one thing of 60 requests at once, half of them at each, and one order', async () => {
    const callers = await Promise.all(nodes.map((node) => node.as('customer', 'both')));
    const [key, gate] = [randomUUID(), 'both'];
    const sent = Array.from({ length: 60 }, (_, index) =>
      create(callers[index % 2] ?? assert.fail(), key, { note: 'one', gate }),
    );
    const [caller, other] = callers;
    assert.ok(caller !== undefined && other !== undefined);
    await until('the handler has committed', async () => (await countsOf(caller)).runs > 0);
    await (await nodes[1]?.as('ops', 'o'))?.ok('POST', `/keyed/gates/${gate}`);
    const answers = await Promise.all(sent);
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
    assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
    assert.equal(answers.filter(isReplayed).length, 59);
    assert.deepEqual(await countsOf(other), { things: 1, runs: 1 });

    const booking = { body: bookingAt(placeOf(2)), headers: { 'idempotency-key': key } };
    const booked = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        (index % 2 === 0 ? caller : other).request<Order>('POST', '/orders', booking),
      ),
    );
    assert.equal(new Set(booked.map(({ status, body }) => `${status} ${body.orderId}`)).size, 1);
    assert.equal((await caller.ok<{ orders: Order[] }>('GET', '/orders')).orders.length, 1);
    const replayed = await Promise.all(
      nodes.map((node) => node.sample('returnit_http_idempotent_requests_total', { outcome: 'replayed' })),
    );
    assert.equal((replayed[0] ?? 0) + (replayed[1] ?? 0), 59 + 9);
  });

  it('is taken by every POST that makes or moves something', async () => {
    const { paths } = (await nodes[0]?.openApi()) ?? assert.fail();
    const unkeyed = Object.entries(paths).flatMap(([template, { post }]) =>
      post === undefined || post.parameters.some(({ name }) => name === 'Idempotency-Key') ? [] : [`POST ${template}`],
    );
    assert.deepEqual(unkeyed.toSorted(), Object.keys(harmlessTwice).toSorted());
  });

  it('is swept by a schedule that the nodes share', async () => {
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    try {
      const { rows } = await client.query({
        text: 'select name, cron from pgboss.schedule where name = $1',
        values: ['core.access-sweep'],
      });
      assert.deepEqual(rows, [{ name: 'core.access-sweep', cron: '7-57/10 * * * *' }]);
    } finally {
      await client.end();
    }
  });
});

describe('an Idempotency-Key when the core is killed between commit and answer', { timeout: 400_000 }, () => {
  let dataDir: string;
  let project: ProjectCopy;
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'returnit-killed-'));
    project = await copyProject({ fixtures: ['keyed'], withCore: true });
  });
  after(async () => {
    await killCores();
    await project.remove();
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = (): Promise<CoreProcess> =>
    startCore({
      dataDir,
      projectDir: project.dir,
      // The lock of a claim is as long as a request may take, and 5 s.
      environment: { HTTP_REQUEST_TIMEOUT_MS: '10000', IDEMPOTENCY_WAIT_MS: '500', ...patientEnvironment },
    });

  it('is done again by its handler, which makes nothing twice', async () => {
    const first = await start();
    const [key, body] = [randomUUID(), { note: 'killed', gate: 'killed' }];
    const customer = await first.as('customer', 'c');
    const lost = create(customer, key, body).then(
      () => assert.fail('nobody is left to answer'),
      () => undefined,
    );
    await until('the handler has committed', async () => (await countsOf(customer)).runs > 0);
    const family = first.family();
    await first.end('SIGKILL');
    await lost;

    const second = await start();
    await allEnd(family.slice(0, 1));
    const api = await second.as('customer', 'c');
    assert.deepEqual(await countsOf(api), { things: 1, runs: 1 });
    const other = await api.request('POST', '/keyed/things', {
      body: { ...body, note: 'other' },
      headers: { 'idempotency-key': key },
    });
    assert.equal(other.body.code, 'IDEMPOTENCY_KEY_REUSED');
    await (await second.as('ops', 'o')).ok('POST', '/keyed/gates/killed');
    const answer = await until('the claim of the dead core is taken up', async () => {
      const asked = await create(api, key, body);
      if (asked.status === 201) return asked;
      assert.deepEqual([asked.status, asked.headers.get('retry-after')], [409, '1']);
      return undefined;
    });
    assert.ok(!isReplayed(answer));
    assert.deepEqual(await countsOf(api), { things: 1, runs: 2 });
    const again = await create(api, key, body);
    assert.ok(isReplayed(again));
    assert.deepEqual(again.body, answer.body);
    assert.deepEqual(await countsOf(api), { things: 1, runs: 2 });
    assert.equal(await second.end('SIGTERM'), 0);
  });
});
