/** kill -9 of the plugin and of the core while webhooks go out: each event arrives, under one id, and nothing else does. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Api } from '../support/api-client.ts';
import { killCores, startCore, type CoreProcess } from '../support/core-process.ts';
import { bookingAt, placeOf, type Order } from '../support/journey.ts';
import { copyProject, type ProjectCopy } from '../support/project-copy.ts';
import { until } from '../support/until.ts';
import { answer, silent, startReceiver, type Receiver } from '../plugins/webhooks/receiver.ts';

const skip = existsSync('/proc/self/stat') ? false : 'processes are looked up in /proc';
const host = `127.85.${(process.pid >> 8) & 255}.${process.pid & 255 || 1}`;
/** A lease is half a minute longer than an attempt may take. */
const deadlineMs = 240_000;
const testTimeoutMs = 900_000;

describe('webhooks while processes are killed', { skip }, () => {
  let project: ProjectCopy;
  let dataDir: string;
  let receiver: Receiver;
  let core: CoreProcess;
  const booked: string[] = [];

  before(async () => {
    project = await copyProject({ withCore: true, netHosts: { webhooks: ['127.0.0.0/8:9443'] } });
    dataDir = await mkdtemp(join(tmpdir(), 'returnit-webhooks-'));
    receiver = await startReceiver(host, 9443);
  });
  after(async () => {
    await receiver?.stop();
    await killCores();
    await project?.remove();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function start(): Promise<Api> {
    core = await startCore({
      dataDir,
      projectDir: project.dir,
      environment: {
        WEBHOOKS_SECRET_KEY: Buffer.alloc(32, 4).toString('base64'),
        WEBHOOKS_ALLOW_HTTP: '1',
        PLUGIN_RESTART_DELAY_MS: '100',
        // For a machine that has much else to do.
        PLUGIN_BOOT_TIMEOUT_MS: '120000',
        PLUGIN_HEARTBEAT_TIMEOUT_MS: '60000',
      },
    });
    const partner = await core.as('partner', 'p-crash');
    for (const path of ['/orders', '/webhooks/endpoints']) {
      const isUp = async (): Promise<boolean> => (await partner.request('GET', path)).status === 200;
      await until(`${path} answers`, isUp, deadlineMs);
    }
    return partner;
  }

  /** What was answered 201 counts: a busy machine answers late, and a core that is killed not at all. */
  async function bookSome(partner: Api, count: number): Promise<void> {
    const wanted = booked.length + count;
    for (let index = 0; booked.length < wanted && index < 10 * count; index += 1) {
      const booking = bookingAt(placeOf(1 + (index % 4)), { customerId: `c${index}` });
      try {
        const { status, body } = await partner.request<Order>('POST', '/orders', { body: booking });
        if (status === 201) booked.push(body.orderId);
        else assert.ok(status >= 500, JSON.stringify(body));
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        return; // The connection: the core is gone.
      }
    }
  }

  const idsOf = (type: string, orderId: string): Set<string> =>
    new Set(
      receiver.received.filter((one) => one.type === type && one.data['orderId'] === orderId).map(({ id }) => id),
    );

  it('loses none, and repeats under the same id', { timeout: testTimeoutMs }, async () => {
    let partner = await start();
    const made = await partner.ok<{ secret: string }>('POST', '/webhooks/endpoints', { url: receiver.url });
    receiver.secrets.add(made.secret);

    receiver.manner = silent;
    await bookSome(partner, 6);
    await until('requests are under way', () => receiver.open() >= 3, deadlineMs);
    process.kill(processOf(core, 'webhooks'), 'SIGKILL');
    await until('they have come to nothing', () => receiver.open() === 0, deadlineMs);
    receiver.manner = answer(204);
    await bookSome(partner, 6);
    const repeated = (): number => receiver.received.length - new Set(receiver.received.map(({ id }) => id)).size;
    await until('what was under way has come again', () => repeated() >= 3, deadlineMs);

    receiver.manner = silent;
    const booking = bookSome(partner, 8);
    await until('requests are under way again', () => receiver.open() >= 3, deadlineMs);
    await core.end('SIGKILL');
    await booking;
    receiver.manner = answer(204);
    partner = await start();
    await bookSome(partner, 3);

    assert.ok(booked.length >= 13, `${booked.length} booked`);
    for (const type of ['order.created', 'order.scheduled']) {
      await until(
        `each ${type} has arrived`,
        () => booked.every((orderId) => idsOf(type, orderId).size > 0),
        deadlineMs,
      );
      for (const orderId of booked) assert.equal(idsOf(type, orderId).size, 1, 'one id however often it came');
    }
    const bodies = new Map<string, string>();
    for (const { id, body } of receiver.received) {
      assert.equal(bodies.get(id) ?? body, body, 'the same id is the same event');
      bodies.set(id, body);
    }
    assert.deepEqual(receiver.forged, []);
    const waiting = await until(
      'nothing waits',
      async () => {
        const page = await partner.ok<{ deliveries: unknown[] }>('GET', '/webhooks/deliveries?state=pending');
        return page.deliveries.length === 0 ? page : undefined;
      },
      deadlineMs,
    );
    assert.deepEqual(waiting.deliveries, []);
    const failed = await partner.ok<{ deliveries: unknown[] }>('GET', '/webhooks/deliveries?state=failed');
    assert.deepEqual(failed.deliveries, []);
    await core.end('SIGTERM');
  });
});

/** A plugin's thread bears its name. */
function processOf(core: CoreProcess, plugin: string): number {
  const pid = core.family().find((member) => {
    try {
      const tasks = `/proc/${member}/task`;
      return readdirSync(tasks).some((task) => readFileSync(join(tasks, task, 'comm'), 'utf8').trim() === plugin);
    } catch {
      return false; // It has ended.
    }
  });
  assert.ok(pid !== undefined, `a process of ${plugin}`);
  return pid;
}
