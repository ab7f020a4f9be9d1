import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runCli } from '../support/cli.ts';
import { killCores, startCore, type CoreProcess, type CoreProcessOptions } from '../support/core-process.ts';
import { book, bookingAt, orderReached, placeOf, type Order } from '../support/journey.ts';
import { readSample } from '../support/platform.ts';
import { allEnd, isRunning } from '../support/process-family.ts';
import { beginSlowRequest } from '../support/slow-request.ts';
import { until } from '../support/until.ts';

const skipWithoutProc = existsSync('/proc/self/stat') ? false : 'processes are looked up in /proc';

describe('the process', { skip: skipWithoutProc }, () => {
  let dataDir: string;
  let running: CoreProcess | undefined;
  /** What an earlier start booked: each later one must still have it. */
  const booked: string[] = [];

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'returnit-process-'));
  });
  after(async () => {
    await killCores();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function start(options: Partial<CoreProcessOptions> = {}): Promise<CoreProcess> {
    running = await startCore({ dataDir, ...options });
    return running;
  }

  /** Everything booked before is there, and a new order goes all the way through payment. */
  async function assertWorks(core: CoreProcess): Promise<void> {
    const customer = await core.as('customer', 'c');
    for (const orderId of booked) assert.equal((await customer.request('GET', `/orders/${orderId}`)).status, 200);
    const { orderId } = await book(customer, placeOf(7));
    booked.push(orderId);
    await orderReached(customer, orderId, 'scheduled');
  }

  it('prints where everything is in under 15 lines, and logs to a file', async () => {
    const core = await start();
    const lines = core.stdout().trimEnd().split('\n');
    const banner = lines.filter((line) => !line.startsWith('{'));
    assert.ok(banner.length < 15, core.stdout());
    for (const wanted of [
      core.addresses.api,
      core.addresses.ops,
      core.addresses.mqtt,
      'orders ready',
      'npm run demo',
    ]) {
      assert.ok(core.stdout().includes(wanted), `${wanted} in ${core.stdout()}`);
    }
    assert.equal(core.stderr(), '', 'nothing that a newcomer could not explain');
    await assertWorks(core);
  });

  it('says that another core runs on the folder, and leaves it alone', async () => {
    const second = await runCli(['start'], { DATA_DIR: dataDir, HTTP_PORT: '0', MQTT_PORT: '0', OPS_PORT: '0' });
    assert.equal(second.code, 1);
    assertOneMessage(second.stderr, new RegExp(`${dataDir}.*${running?.child.pid}`, 's'));
    assert.ok(running !== undefined);
    await assertWorks(running);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`finishes what is in flight at ${signal}, exits 0 and leaves nothing behind`, async () => {
      const core = running ?? (await start());
      const customer = await core.as('customer', 'c');
      const family = core.family();
      assert.ok(family.length > 6, 'plugins and Postgres');
      const requests = Array.from({ length: 20 }, () =>
        beginSlowRequest({
          url: `${core.addresses.api}/orders`,
          token: customer.token ?? '',
          body: bookingAt(placeOf(5)),
        }),
      );
      await until('all are in flight', async () => {
        const text = await (await fetch(`${core.addresses.ops}/metrics`)).text();
        return readSample(text, 'http_server_active_requests', { http_request_method: 'POST' }) === requests.length;
      });
      const exited = core.end(signal);
      await until('nobody else is let in', () =>
        fetch(`${core.addresses.api}/docs`).then(
          () => false,
          () => true,
        ),
      );
      const answers = await Promise.all(requests.map((request) => request.finish()));
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
      booked.push(...answers.map(({ body }) => (body as Order).orderId));
      assert.equal(await exited, 0, core.stderr());
      await allEnd(family);
      assert.ok(!existsSync(join(dataDir, 'addresses.json')));
      assert.doesNotMatch(await readFile(join(dataDir, 'returnit.log'), 'utf8'), /"level":"(?:error|fatal)"/);
      running = undefined;
      await assertWorks(await start());
    });
  }

  it('recovers from a kill -9 of the core: its plugins end with it, its Postgres is taken over', async () => {
    const core = running ?? (await start());
    const family = core.family();
    await core.end('SIGKILL');
    running = undefined;
    await assertWorks(await start());
    await allEnd(family);
  });

  it('recovers from a kill -9 of everything', async () => {
    const core = running ?? (await start());
    const family = core.family();
    const exited = once(core.child, 'exit');
    for (const pid of family) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
    await exited;
    await allEnd(family);
    running = undefined;
    await assertWorks(await start());
  });

  it('starts a subset with --plugins', async () => {
    assert.equal(await running?.end('SIGTERM'), 0);
    const core = await start({ args: ['--plugins', 'orders,payments'] });
    const response = await fetch(`${core.addresses.ops}/readyz`);
    const { checks } = (await response.json()) as { checks: { name: string }[] };
    const plugins = checks.flatMap(({ name }) => (name.startsWith('plugin:') ? [name.slice(7)] : []));
    assert.deepEqual(plugins, ['orders', 'payments']);
    const customer = await core.as('customer', 'c');
    const { orderId } = await book(customer, placeOf(1));
    await orderReached(customer, orderId, 'scheduled');
    assert.equal(await core.end('SIGTERM'), 0);
    running = undefined;
  });
});

/** One message for people: no stack, no dump. */
function assertOneMessage(stderr: string, wanted: RegExp): void {
  assert.match(stderr, wanted);
  assert.doesNotMatch(stderr, /^\s+at |node:internal|Error:|\{"level"/m);
}
