import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, beforeEach, describe, it } from 'node:test';
import { writeAddresses } from '#core/app/addresses.ts';
import { parseMinor } from '#core/cli/orders-options.ts';
import { at, operations, order, orderId, payment, trace } from './order-story.ts';
import { runOrders } from './orders-program.ts';

/** What the plugins answer; a path that is not here is 404, as without the plugin. */
const answers: Record<string, { readonly status?: number; readonly body: unknown }> = {
  [`GET /orders/${orderId}`]: { body: order },
  [`GET /payments?orderId=${orderId}`]: { body: { payments: [payment] } },
  'GET /payments/p1': { body: { ...payment, operations, disputes: [] } },
  [`GET /drivers/offers?orderId=${orderId}`]: {
    body: {
      offers: [
        { offerId: 'o1', driverId: 'd1', state: 'declined', reason: 'break', createdAt: at(4), closedAt: at(5) },
      ],
      nextCursor: 'more',
    },
  },
  [`GET /drivers/offers?orderId=${orderId}&limit=100&cursor=more`]: {
    body: {
      offers: [{ offerId: 'o2', driverId: 'd2', state: 'open', reason: null, createdAt: at(6), closedAt: null }],
      nextCursor: null,
    },
  },
  [`GET /drivers/assignments/${orderId}`]: {
    body: {
      status: 'accepted',
      driverId: 'd2',
      history: [{ step: 'accepted', driverId: 'd2', byKind: 'driver', byId: 'd2', reason: null, at: at(7) }],
    },
  },
  [`GET /notifications?orderId=${orderId}`]: {
    status: 503,
    body: { title: 'Unavailable', detail: 'notifications is not running' },
  },
};

describe('parseMinor()', () => {
  it('takes no amount that could be meant in two ways', () => {
    assert.equal(parseMinor('1250'), 1250);
    for (const amount of ['12.50', '0', '-5', '1,250', '', '1e3', '99999999999'])
      assert.throws(() => parseMinor(amount), /12\.50 USD/);
  });
});

describe('returnit orders', () => {
  let dataDir: string;
  let server: Server;
  const asked: { readonly request: string; readonly body: unknown; readonly headers: Record<string, unknown> }[] = [];
  const more: typeof answers = {};

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'returnit-orders-'));
    server = createServer((request, response) => {
      void answer(request, response);
    }).listen(0, '127.0.0.1');
    async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const body = await text(request);
      const line = `${request.method} ${request.url}`;
      asked.push({ request: line, body: body === '' ? undefined : JSON.parse(body), headers: request.headers });
      const { status = 200, body: reply } = more[line] ??
        answers[line] ?? { status: 404, body: { title: 'Not found', detail: `Cannot find "${request.url}"` } };
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
    }
    await once(server, 'listening');
    const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await writeAddresses(dataDir, {
      api,
      mqtt: 'mqtt://127.0.0.1:1',
      ops: 'http://127.0.0.1:1',
      pid: process.pid,
    });
  });
  after(async () => {
    server.close();
    server.closeAllConnections();
    await rm(dataDir, { recursive: true });
  });
  beforeEach(() => {
    asked.length = 0;
    for (const name of Object.keys(more)) delete more[name];
  });

  const run = (...args: readonly string[]): Promise<string> => runOrders(dataDir, args);
  const posted = () =>
    asked.filter(({ request }) => request.startsWith('POST')).map(({ request, body }) => [request, body]);

  it('show: the whole story, and what is not known of it', async () => {
    const shown = await run('show', orderId);
    assert.match(shown, /^order +01a204f9-.*\nstatus +assigned \(attempt 2\)\ncustomer +anna\ndriver +d2\n/);
    assert.match(shown, /^price +12\.50 USD$/m);
    assert.match(shown, /^payments +1 authorised$/m);
    assert.match(shown, /^offers +1 declined, 1 open$/m);
    assert.match(shown, /^assignments +accepted d2 · 1 steps$/m);
    assert.match(
      shown,
      /^messages +not available: notifications is not running$/m,
      'a plugin that is down is not silence',
    );
    assert.match(shown, /^webhooks +none$/m, 'a plugin that is absent is');
    assert.match(shown, /^traces +1$/m);
    assert.match(shown, new RegExp(`^AT +PART +WHAT +TRACE\n${at(1)} +order +created · customer anna +${trace}$`, 'm'));
    const json = JSON.parse(await run('show', orderId, '--json')) as { timeline: unknown[]; unavailable: object };
    assert.equal(json.timeline.length, 8);
    assert.deepEqual(json.unavailable, { notifications: 'notifications is not running' });
  });

  it('show: says when there is no such order', async () => {
    await assert.rejects(run('show', 'nobody'), { code: 'NOT_FOUND', message: 'Cannot find "/orders/nobody"' });
  });

  it('find: by an id, and by words, page after page', async () => {
    assert.match(await run('find', orderId), /^ID +STATUS +CREATED +CUSTOMER +DRIVER +REFERENCE +PICKUP\n01a204f9-/);
    more['GET /orders?text=main+street&limit=20&status=assigned'] = { body: { orders: [order], nextCursor: 'c' } };
    more['GET /orders?text=main+street&limit=19&status=assigned&cursor=c'] = {
      body: { orders: [{ ...order, orderId: 'second' }], nextCursor: null },
    };
    const found = JSON.parse(await run('find', 'main street', '--status', 'assigned', '--json')) as {
      orderId: string;
    }[];
    assert.deepEqual(
      found.map((each) => each.orderId),
      [orderId, 'second'],
    );
    more['GET /orders?text=nothing&limit=20'] = { body: { orders: [], nextCursor: null } };
    assert.equal(await run('find', 'nothing'), 'There is no such order\n');
  });

  it('hold, release, reassign, cancel: ask the plugin, each once', async () => {
    const assignments = `/drivers/assignments/${orderId}`;
    for (const verb of ['hold', 'release', 'reassign', 'assign']) {
      more[`POST ${assignments}/${verb}`] = { body: { status: `${verb} done`, driverId: null } };
    }
    more[`POST /orders/${orderId}/cancel`] = { body: { status: 'cancelled' } };
    assert.equal(await run('hold', orderId, '--reason', 'address unclear'), `${orderId} is hold done\n`);
    await run('release', orderId);
    await run('reassign', orderId);
    await run('reassign', orderId, '--driver', 'd3');
    more[`GET ${assignments}`] = { body: { status: 'waiting', driverId: null } };
    await run('reassign', orderId, '--driver', 'd3');
    assert.equal(await run('cancel', orderId, '--reason', 'asked to'), `${orderId} is cancelled\n`);
    assert.deepEqual(posted(), [
      [`POST ${assignments}/hold`, { reason: 'address unclear' }],
      [`POST ${assignments}/release`, {}],
      [`POST ${assignments}/release`, {}],
      [`POST ${assignments}/reassign`, { driverId: 'd3' }],
      [`POST ${assignments}/assign`, { driverId: 'd3' }],
      [`POST /orders/${orderId}/cancel`, { reason: 'asked to' }],
    ]);
    const keys = asked
      .filter(({ request }) => request.startsWith('POST'))
      .map(({ headers }) => headers['idempotency-key']);
    assert.equal(new Set(keys).size, 6);
  });

  it('refund: of the one payment that has money', async () => {
    more['POST /payments/p1/refunds'] = { status: 201, body: { amountMinor: 500, currency: 'USD', status: 'pending' } };
    const done = await run('refund', orderId, '--amount', '500', '--reason', 'late');
    assert.equal(done, `refund of 5.00 USD of order ${orderId} is pending\n`);
    assert.deepEqual(posted(), [['POST /payments/p1/refunds', { amountMinor: 500, reason: 'late' }]]);
    more[`GET /payments?orderId=${orderId}`] = { body: { payments: [payment, { ...payment, paymentId: 'p2' }] } };
    await assert.rejects(run('refund', orderId, '--amount', '500', '--reason', 'late'), {
      message: `Cannot refund order "${orderId}": it has 2 payments, name one with --payment`,
    });
    more[`GET /payments?orderId=${orderId}`] = { body: { payments: [{ ...payment, capturedMinor: 0 }] } };
    await assert.rejects(run('refund', orderId, '--amount', '500', '--reason', 'late'), /nothing was captured/);
    await run('refund', orderId, '--amount', '500', '--reason', 'late', '--payment', 'p1');
    assert.equal(posted().length, 2);
  });

  it('tells a refusal in the words of the plugin', async () => {
    more[`POST /orders/${orderId}/cancel`] = {
      status: 409,
      body: { title: 'Conflict', detail: "Cannot cancel the order: it is 'completed'" },
    };
    await assert.rejects(run('cancel', orderId, '--reason', 'x'), {
      message: "Cannot cancel the order: it is 'completed'",
    });
  });
});
