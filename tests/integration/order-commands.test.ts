/** `returnit orders …` on a whole platform: what every plugin really tells of an order, and what ops do with one by hand. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Api } from '../support/api-client.ts';
import { runCli } from '../support/cli.ts';
import { book, connectDriver, near, orderReached, placeOf, type Device, type Order } from '../support/journey.ts';
import { patient } from '../support/patient.ts';
import { startPlatform, type TestPlatform } from '../support/platform.ts';
import { until } from '../support/until.ts';

interface Entry {
  readonly at: string;
  readonly part: string;
  readonly what: string;
  readonly traceId: string | null;
}

interface Story {
  readonly order: Order;
  readonly payments: readonly { readonly status: string; readonly refundedMinor: number }[];
  readonly timeline: readonly Entry[];
  readonly unavailable: object;
}

/** Secrets of webhooks are sealed with it. */
const webhookKey = 'WEBHOOKS_SECRET_KEY';

describe('returnit orders, on a platform', { timeout: 400_000 }, () => {
  let platform: TestPlatform;
  let ops: Api;
  let partner: Api;
  const devices: Device[] = [];

  before(async () => {
    process.env[webhookKey] = Buffer.alloc(32, 5).toString('base64');
    // With a copy of the project the optional is granted as well: partners' hosts.
    platform = await startPlatform({ fixtures: [], config: patient });
    for (const { name } of platform.app.plugins()) await platform.reached(name, 'ready');
    ops = await platform.as('ops', 'kim');
    partner = await platform.as('partner', 'shop');
  });
  after(async () => {
    for (const device of devices) await device.close();
    await platform?.stop();
    Reflect.deleteProperty(process.env, webhookKey);
  });

  /** What the command prints; it must succeed. */
  async function orders(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runCli(['orders', ...args], { DATA_DIR: platform.dataDir });
    assert.deepEqual([code, stderr], [0, ''], args.join(' '));
    return stdout;
  }
  const show = async (orderId: string): Promise<Story> => JSON.parse(await orders('show', orderId, '--json')) as Story;

  async function driverAt(index: number, driverId: string): Promise<void> {
    const device = await connectDriver(platform, driverId);
    devices.push(device);
    await device.publish(near(placeOf(index), 2));
  }
  const assignmentOf = (orderId: string): Promise<{ readonly status: string; readonly driverId: string | null }> =>
    ops.ok('GET', `/drivers/assignments/${orderId}`);

  it('finds an order, tells its whole story, and gives money back', async () => {
    await partner.ok('POST', '/webhooks/endpoints', { url: 'https://shop.invalid/hooks' });
    await driverAt(1, 'story-driver');
    const extra = { customerId: 'anna', reference: 'RMA-4711' };
    const { orderId, price } = await book(partner, placeOf(1), extra);
    await orderReached(partner, orderId, 'assigned');
    const driver = await platform.as('driver', 'story-driver');
    for (const step of ['start', 'arrive', 'pickup', 'deliver']) await driver.ok('POST', `/orders/${orderId}/${step}`);
    await orderReached(partner, orderId, 'completed');
    const ended = await until('all that there is to tell is told', async () => {
      const story = await show(orderId);
      const templates = ['order.created', 'order.completed', 'payment.captured'];
      const isTold = (name: string): boolean =>
        story.timeline.some(
          ({ part, what }) => part === 'message' && what.startsWith(`${name} by log to customer anna`),
        );
      return templates.every(isTold) ? story : undefined;
    });

    assert.deepEqual(ended.unavailable, {});
    const of = (part: string): string[] => ended.timeline.flatMap((entry) => (entry.part === part ? [entry.what] : []));
    const total = `${(price.amountMinor / 100).toFixed(2)} ${price.currency}`;
    assert.deepEqual(
      of('order').map((what) => what.split(' ', 1)[0]),
      ['created', 'scheduled', 'assigned', 'on_the_way', 'arrived', 'picked_up', 'delivered', 'completed'],
    );
    assert.match(of('order')[0] ?? '', /^created .*partner shop$/);
    assert.deepEqual(of('payment'), [`opened ${total}`, `authorise ${total} succeeded`, `capture ${total} succeeded`]);
    assert.deepEqual(of('offer'), ['offered to story-driver', 'story-driver accepted']);
    assert.ok(
      of('assignment').some((what) => what.startsWith('assigned story-driver')),
      of('assignment').join('\n'),
    );
    assert.ok(
      of('webhook').some((what) => what.startsWith('order.created to shop pending')),
      of('webhook').join('\n'),
    );
    const [created] = ended.order.history ?? [];
    assert.match(created?.traceId ?? '', /^[0-9a-f]{32}$/);
    assert.equal(ended.timeline.find(({ part }) => part === 'order')?.traceId, created?.traceId);
    const times = ended.timeline.map(({ at }) => Date.parse(at));
    assert.deepEqual(
      times,
      times.toSorted((one, other) => one - other),
    );

    const shown = await orders('show', orderId);
    assert.match(
      shown,
      new RegExp(`^order +${orderId}\nstatus +completed\ncustomer +anna\npartner +shop\ndriver +story-driver\n`),
    );
    assert.match(shown, /^payments +1 captured$/m);
    assert.match(shown, /^offers +1 accepted$/m);
    assert.doesNotMatch(shown, /not available/);
    for (const text of ['RMA-4711', orderId])
      assert.match(await orders('find', text), new RegExp(`^${orderId} `, 'm'), text);
    assert.equal(await orders('find', 'no-such-thing'), 'There is no such order\n');

    const refused = await runCli(['orders', 'cancel', orderId, '--reason', 'late'], { DATA_DIR: platform.dataDir });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^Cannot cancel .*completed/, 'in the words of the plugin');

    const refunded = await orders('refund', orderId, '--amount', '100', '--reason', 'came late');
    assert.match(refunded, new RegExp(`^refund of 1\\.00 ${price.currency} of order ${orderId} is \\w+\n$`));
    await until('it is given back', async () => (await show(orderId)).payments[0]?.refundedMinor === 100);
    assert.ok(
      (await show(orderId)).timeline.some(({ what }) => what === `refund 1.00 ${price.currency} succeeded (came late)`),
    );
  });

  it('holds an order, releases it, and gives it to another driver', async () => {
    const { orderId } = await book(partner, placeOf(4), { customerId: 'berta' });
    await orderReached(partner, orderId, 'scheduled');
    await until('a driver is looked for', async () => {
      const { status } = await ops.request('GET', `/drivers/assignments/${orderId}`);
      return status === 200;
    });
    assert.equal(await orders('hold', orderId, '--reason', 'address unclear'), `${orderId} is held\n`);
    await driverAt(4, 'first-driver');
    assert.deepEqual([(await assignmentOf(orderId)).status, (await assignmentOf(orderId)).driverId], ['held', null]);

    assert.match(await orders('release', orderId), new RegExp(`^${orderId} is `));
    const assigned = await orderReached(partner, orderId, 'assigned');
    assert.equal(assigned.driverId, 'first-driver');
    await driverAt(4, 'second-driver');
    assert.match(await orders('reassign', orderId, '--driver', 'second-driver'), / second-driver\n$/);
    const story = await until('the order is theirs', async () => {
      const current = await show(orderId);
      return current.order.driverId === 'second-driver' ? current : undefined;
    });
    const steps = story.timeline.flatMap(({ part, what }) => (part === 'assignment' ? [what] : []));
    assert.ok(
      steps.some((what) => /^held .*ops returnit-cli \(address unclear\)$/.test(what)),
      steps.join('\n'),
    );
    assert.equal(await orders('cancel', orderId, '--reason', 'asked to'), `${orderId} is cancelled\n`);
  });
});
