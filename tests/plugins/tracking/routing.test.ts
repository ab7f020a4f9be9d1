import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { PluginContext } from '#plugin-api';
import { createCircuit } from '../../../plugins/tracking/circuit.ts';
import { openRouting } from '../../../plugins/tracking/open-routing.ts';
import { createOsrm } from '../../../plugins/tracking/osrm.ts';
import { createRouting, type Way } from '../../../plugins/tracking/routing.ts';
import { readSettings } from '../../../plugins/tracking/settings.ts';
import { until } from '../../support/until.ts';
import { manners, startOsrmServer, type OsrmServer } from './osrm-server.ts';

const from = { lat: 48.123456, lon: 11.5 };
const to = { lat: -33.2, lon: -70.654321 };

describe('createOsrm()', () => {
  let server: OsrmServer;
  before(async () => {
    server = await startOsrmServer();
  });
  after(() => server.stop());
  const ask = (url: URL = server.url, timeoutMs = 5000) => createOsrm({ url, timeoutMs }).route(from, to);

  it('asks as the HTTP API wants it, longitude first, below a path if there is one', async () => {
    server.manner = manners.route(271.4);
    assert.deepEqual(await ask(), { kind: 'route', seconds: 271.4 });
    assert.deepEqual(await ask(new URL('/maps/', server.url)), { kind: 'route', seconds: 271.4 });
    const path = '/route/v1/driving/11.50000,48.12346;-70.65432,-33.20000?overview=false';
    assert.deepEqual(server.asked, [path, `/maps${path}`]);
  });

  const failures = {
    invalid: 'refused',
    broken: 'refused',
    notJson: 'answer',
    noRoutes: 'answer',
    negative: 'answer',
    text: 'answer',
    endless: 'answer',
    redirect: 'unreachable',
    reset: 'unreachable',
  } as const;
  for (const [manner, reason] of Object.entries(failures)) {
    it(`says '${reason}' of a server that is ${manner}`, async () => {
      server.manner = manners[manner as keyof typeof failures];
      assert.deepEqual(await ask(), { kind: 'failed', reason });
    });
  }

  it('knows an answer that there is no way from a failure, and a slow server from one that is gone', async () => {
    server.manner = manners.noRoute;
    assert.deepEqual(await ask(), { kind: 'none' });
    server.manner = manners.silent;
    assert.deepEqual(await ask(server.url, 50), { kind: 'failed', reason: 'timeout' });
    const gone = await startOsrmServer();
    await gone.stop();
    assert.deepEqual(await ask(gone.url), { kind: 'failed', reason: 'unreachable' });
  });
});

describe('createCircuit()', () => {
  it('opens after failures in a row, lets one try after a while, and closes with a success', () => {
    let nowMs = 0;
    const circuit = createCircuit({ failuresMax: 3, pauseMs: 1000, now: () => nowMs });
    const fail = (): void => {
      assert.ok(circuit.enter());
      circuit.failed();
    };
    fail();
    fail();
    circuit.succeeded();
    fail();
    fail();
    fail();
    assert.equal(circuit.enter(), false);
    nowMs = 1000;
    assert.deepEqual([circuit.enter(), circuit.enter()], [true, false]);
    circuit.failed();
    nowMs = 1999;
    assert.equal(circuit.enter(), false);
    nowMs = 2000;
    assert.equal(circuit.enter(), true);
    circuit.succeeded();
    assert.deepEqual([circuit.enter(), circuit.enter()], [true, true]);
  });
});

describe('createRouting()', () => {
  let server: OsrmServer;
  let counted: string[];
  let nowMs: number;
  beforeEach(async () => {
    server = await startOsrmServer();
    counted = [];
    nowMs = 1_000_000;
  });
  afterEach(() => server.stop());
  const create = () =>
    createRouting(
      {
        metrics: {
          increment: (_name: string, labels: Record<string, string> = {}) => void counted.push(labels['outcome'] ?? ''),
        },
      } as never,
      { engine: createOsrm({ url: server.url, timeoutMs: 5000 }), cacheMs: 30_000, now: () => nowMs },
    );
  const way = (key = 'o1 pickup'): Way => ({ key, from, fromMs: nowMs, to });

  it('asks once for those who ask at the same time, and again when the answer is old', async () => {
    const routing = create();
    const answers = await Promise.all([routing.find(way()), routing.find(way()), routing.find(way())]);
    assert.deepEqual(new Set(answers.map((answer) => answer?.travelSeconds)), new Set([300]));
    nowMs += 29_999;
    await routing.find(way());
    assert.equal(server.asked.length, 1);
    nowMs += 1;
    server.manner = manners.route(200);
    assert.equal((await routing.find(way()))?.travelSeconds, 200);
    assert.equal(server.asked.length, 2);
    assert.deepEqual(counted, ['route', 'route']);
  });

  it('does not make anybody wait who must not, and keeps an answer while it asks for the next', async () => {
    const routing = create();
    assert.equal(routing.recall(way()), undefined);
    await until('the answer is there', () => routing.recall(way())?.travelSeconds === 300);
    server.manner = manners.route(100);
    nowMs += 31_000;
    assert.equal(routing.recall(way())?.travelSeconds, 300);
    await until('the next answer is there', () => routing.recall(way())?.travelSeconds === 100);
    server.manner = manners.broken;
    nowMs += 60_000;
    assert.equal((await routing.find(way()))?.travelSeconds, 100);
    nowMs += 30_000;
    assert.equal(await routing.find(way()), undefined);
  });

  it('spares a server that fails, and comes back to it', async () => {
    const routing = create();
    server.manner = manners.broken;
    for (let index = 0; index < 20; index += 1) assert.equal(await routing.find(way(`o${index}`)), undefined);
    assert.equal(server.asked.length, 5);
    assert.equal(counted.filter((outcome) => outcome === 'skipped').length, 15);
    server.manner = manners.route(300);
    nowMs += 30_000;
    assert.equal((await routing.find(way('o1')))?.travelSeconds, 300);
    assert.equal((await routing.find(way('o2')))?.travelSeconds, 300);
  });

  it('remembers that there is no way as long as any answer', async () => {
    const routing = create();
    server.manner = manners.noRoute;
    assert.equal(await routing.find(way()), undefined);
    nowMs += 29_999;
    assert.equal(await routing.find(way()), undefined);
    assert.equal(routing.recall(way()), undefined);
    assert.equal(server.asked.length, 1);
    nowMs += 1;
    server.manner = manners.route(200);
    assert.equal((await routing.find(way()))?.travelSeconds, 200);
  });

  it('uses an answer that took longer than answers are kept', async () => {
    server.manner = manners.route(200);
    const engine = createOsrm({ url: server.url, timeoutMs: 5000 });
    const metrics = { increment: () => undefined };
    // A clock that jumps a minute each time that it is looked at.
    const routing = createRouting({ metrics } as never, { engine, cacheMs: 1000, now: () => (nowMs += 60_000) });
    assert.equal((await routing.find(way()))?.travelSeconds, 200);
  });

  it('asks a bounded number of questions at a time', async () => {
    const routing = create();
    server.manner = manners.silent;
    for (let index = 0; index < 100; index += 1) routing.recall(way(`o${index}`));
    await until('the first are asked', () => server.asked.length === 16);
    routing.recall(way('another'));
    assert.equal(counted.filter((outcome) => outcome === 'busy').length, 85);
    await server.stop();
    await until('all have failed', () => counted.filter((outcome) => outcome === 'unreachable').length === 16);
    assert.equal(server.asked.length, 16);
  });
});

describe('openRouting()', () => {
  const open = async (env: Record<string, string>, state: string): Promise<{ routing: unknown; logs: string[] }> => {
    const logs: string[] = [];
    const asked: string[] = [];
    const ctx = {
      permissions: { query: ({ resource }: { resource: string }) => Promise.resolve((asked.push(resource), state)) },
      log: { warn: (message: string) => void logs.push(message) },
    } as unknown as PluginContext;
    return { routing: await openRouting(ctx, readSettings(env), Date.now), logs: [...logs, ...asked] };
  };

  it('is there when it is set up and granted, and says so when it is set up and not granted', async () => {
    assert.deepEqual(await open({}, 'granted'), { routing: undefined, logs: [] });
    const granted = await open({ TRACKING_OSRM_URL: 'https://osrm.example/x' }, 'granted');
    assert.ok(granted.routing !== undefined);
    assert.deepEqual(granted.logs, ['osrm.example:443']);
    const denied = await open({ TRACKING_OSRM_URL: 'http://osrm.example:5000' }, 'prompt');
    assert.equal(denied.routing, undefined);
    assert.match(denied.logs.join(), /net access to it is not granted.*osrm\.example:5000/);
  });

  it('refuses a URL that is none, or that holds a password, without repeating it', () => {
    for (const url of ['osrm', 'ftp://osrm.example', 'http://user:hush@osrm.example']) {
      assert.throws(
        () => readSettings({ TRACKING_OSRM_URL: url }),
        (error: Error) => error instanceof RangeError && !error.message.includes('hush'),
      );
    }
  });
});
