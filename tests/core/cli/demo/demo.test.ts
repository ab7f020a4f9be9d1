import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createApiClient, type Send } from '#core/cli/demo/api-client.ts';
import { driveOrders } from '#core/cli/demo/demo-driver.ts';
import { startDemo, type DemoOptions, type RunningDemo } from '#core/cli/demo/demo.ts';
import { near, placeOf, type Order } from '../../../support/journey.ts';
import { startPlatform, type TestPlatform } from '../../../support/platform.ts';
import { until } from '../../../support/until.ts';

const place = placeOf(3);
/** Twelve seconds, driven in a little more than one. */
const trace = [0, 1, 2, 3, 4].map((step) => ({ ...near(place, step), offsetMs: step * 3000 }));
const speed = 10;

describe('startDemo()', { timeout: 180_000 }, () => {
  let platform: TestPlatform;

  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform?.stop());

  function start(signal: AbortSignal, extra: Partial<DemoOptions> = {}): Promise<RunningDemo> {
    const { addresses, authenticator, telemetry } = platform.app;
    return startDemo({
      apiUrl: addresses.api,
      mqttUrl: addresses.mqtt,
      issueToken: (token) => authenticator.issueToken(token),
      logger: telemetry.logger,
      trace,
      speed,
      signal,
      ...extra,
    });
  }

  /** Runs a demo until its first order is complete, and stops it. */
  async function runOnce(): Promise<Order> {
    const controller = new AbortController();
    const demo = await start(controller.signal);
    const { orderId, token } = await demo.firstOrder;
    const customer = platform.anonymous(token);
    const order = await until('the order is complete', async () => {
      const found = await customer.ok<Order>('GET', `/orders/${orderId}`);
      return found.status === 'completed' && found;
    });
    controller.abort();
    await demo.done;
    return order;
  }

  it('drives an order from booking to completion along the trace, and stops at the signal', async () => {
    const order = await runOnce();
    assert.deepEqual(
      [order.customerId, order.driverId, order.history?.map(({ to }) => to).at(-1)],
      ['demo-customer', 'demo-driver-1', 'completed'],
    );
    const steps = platform.logs.filter(
      ({ msg, ['orderId']: id }) => msg === 'Demo order moved' && id === order.orderId,
    );
    assert.equal(steps.length, 5);
  });

  it('continues with the drivers of an earlier demo', async () => {
    assert.equal((await runOnce()).driverId, 'demo-driver-1');
  });

  it('ends early, too', async () => {
    const controller = new AbortController();
    const demo = await start(controller.signal);
    controller.abort();
    await demo.done;
    await demo.firstOrder.catch((error: { code?: string }) => assert.equal(error.code, 'CANCELLED'));
  });

  it('leaves an order of which a step fails, and takes another', async () => {
    const { addresses, authenticator } = platform.app;
    const clientOf = async (role: 'ops' | 'customer'): Promise<Send> =>
      createApiClient(addresses.api, await authenticator.issueToken({ role, subject: 'd', expiresInSeconds: 600 }));
    const ops = await clientOf('ops');
    const controller = new AbortController();
    const failures: unknown[] = [];
    const completed = Promise.withResolvers<void>();
    const { username, password } = await ops<{ username: string; password: string }>(
      'POST',
      '/drivers/demo-driver-1/devices',
      { deviceId: 'phone' },
    );
    const driving = driveOrders({
      driverId: 'demo-driver-1',
      mqttUrl: addresses.mqtt,
      credentials: { username, password },
      route: trace,
      ops(method, path, body) {
        if (failures.length === 0 && path.endsWith('/start')) throw new Error('the network is away');
        return ops(method, path, body);
      },
      customer: await clientOf('customer'),
      speed,
      signal: controller.signal,
      onOrder: () => undefined,
      onFailure: (error) => void failures.push(error),
      onStep: ({ status }) => void (status === 'completed' && completed.resolve()),
    });
    await Promise.race([completed.promise, driving]);
    controller.abort();
    await driving;
    assert.deepEqual(failures.map(String), ['Error: the network is away']);
  });

  it('says that its driver has stopped when the broker cannot be reached', async () => {
    const demo = await start(new AbortController().signal, { mqttUrl: 'mqtt://127.0.0.1:1' });
    await assert.rejects(demo.firstOrder, { message: 'Demo driver demo-driver-1 stopped' });
    await demo.done;
    const line = platform.logs.findLast(({ msg }) => msg === 'Demo driver stopped');
    assert.match(JSON.stringify(line?.['err']), /ECONNREFUSED/);
  });
});
