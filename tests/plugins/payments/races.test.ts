/**
 * Everybody at once on one payment: 200 jobs, requests and events. Rounds: RETURNIT_PAYMENT_RACE_ROUNDS, 1 unless set; the
 * name of each tells what is raced.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { createPaymentsFixture, type PaymentsFixture } from './payments-fixture.ts';

const rounds = Number(process.env['RETURNIT_PAYMENT_RACE_ROUNDS'] ?? 1);
const atOnce = 200;

describe('200 at once on one payment', () => {
  let pay: PaymentsFixture;
  before(async () => {
    pay = await createPaymentsFixture({ PAYMENTS_SANDBOX_WEBHOOKS: '1' });
  });
  afterEach(async () => {
    await pay.checkBooks();
    await pay.agree();
  });
  after(() => pay.stop());

  const times = <T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: count }, (_, index) => work(index)));
  const jobOf = async (orderId: string, kind: string): Promise<object> => {
    const { operations } = await pay.paymentOf(orderId);
    const operation = operations.find((known) => known.kind === kind);
    assert.ok(operation !== undefined);
    return { operationId: operation.operationId };
  };
  async function booked(): Promise<string> {
    const orderId = await pay.book();
    await pay.drain();
    return orderId;
  }
  async function captured(): Promise<string> {
    const orderId = await booked();
    await pay.tell('order.delivered', orderId, { version: 7 });
    await pay.drain();
    return orderId;
  }
  const countOf = async (orderId: string, table: string): Promise<unknown> =>
    (
      await pay.data.sql(
        `select count(*)::integer as count from ${table} where operation_id in (select operation_id::text from operations where order_id = $1)`,
        [orderId],
      )
    )[0]?.['count'];

  for (let round = 1; round <= rounds; round += 1) {
    it(`captures: one (round ${round})`, async () => {
      pay.hold('payments.capture');
      const orderId = await booked();
      await times(10, () => pay.tell('order.delivered', orderId, { version: 7 }));
      const job = await jobOf(orderId, 'capture');
      await times(atOnce, () => pay.running.work('payments.capture', job));
      pay.hold();
      await pay.drain();
      const { status, capturedMinor, operations } = await pay.paymentOf(orderId);
      assert.deepEqual([status, capturedMinor, operations.length], ['captured', 590, 2]);
      assert.equal(pay.eventsOf(orderId).filter((name) => name === 'payment.captured').length, 1);
    });

    it(`refunds: as many as fit, and not one more (round ${round})`, async () => {
      const orderId = await captured();
      const replies = await times(atOnce, () => pay.refund(orderId, 100));
      assert.equal(replies.filter(({ status }) => status === 201).length, 5);
      assert.equal(replies.filter(({ code }) => code === 'PAYMENT_REFUND_TOO_LARGE').length, atOnce - 5);
      await pay.drain();
      const { refundedMinor } = await pay.paymentOf(orderId);
      assert.equal(refundedMinor, 500);
      assert.equal(await countOf(orderId, 'sandbox_refunds'), 5);
    });

    it(`the jobs of one refund: one (round ${round})`, async () => {
      const orderId = await captured();
      pay.hold('payments.refund');
      await pay.refund(orderId, 90);
      const job = await jobOf(orderId, 'refund');
      await times(atOnce, () => pay.running.work('payments.refund', job));
      pay.hold();
      await pay.drain();
      assert.equal((await pay.paymentOf(orderId)).refundedMinor, 90);
      assert.equal(await countOf(orderId, 'sandbox_refunds'), 1);
    });

    it(`a cancellation against the jobs of a capture: one of them (round ${round})`, async () => {
      pay.hold('payments.capture');
      const orderId = await booked();
      await pay.tell('order.cancelled', orderId, {
        from: 'arrived',
        by: { kind: 'customer' },
        driverId: 'd1',
        version: 5,
      });
      const job = await jobOf(orderId, 'capture');
      // The fee is being taken when somebody decides that it is to be free after all.
      await times(atOnce, (index) =>
        index === atOnce / 2
          ? pay.tell('order.cancelled', orderId, { from: 'arrived', by: { kind: 'ops' }, version: 6 })
          : pay.running.work('payments.capture', job),
      );
      pay.hold();
      await pay.drain();
      const { status, capturedMinor, refundedMinor } = await pay.paymentOf(orderId);
      assert.ok(status === 'voided' || (status === 'refunded' && capturedMinor === refundedMinor), status);
    });

    it(`a drop-off against a cancellation: the order's later step (round ${round})`, async () => {
      const orderId = await booked();
      await times(atOnce, (index) =>
        index % 2 === 0
          ? pay.tell('order.delivered', orderId, { version: 7 })
          : pay.tell('order.cancelled', orderId, {
              from: 'assigned',
              by: { kind: 'customer' },
              driverId: 'd1',
              version: 4,
            }),
      );
      await pay.drain();
      const { status, capturedMinor, refundedMinor } = await pay.paymentOf(orderId);
      assert.deepEqual([status, capturedMinor, refundedMinor], ['captured', 590, 0]);
    });
  }
});
