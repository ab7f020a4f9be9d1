/** How much room an order takes: told by orders, and taken for it by the drivers' plugin. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { toFacts, type OrderEvent } from '../../../plugins/drivers/events.ts';
import { hasRoom } from '../../../plugins/drivers/ranking.ts';
import { capacityOf, sizeOf } from '../../../plugins/drivers/vehicle.ts';
import type { NewOrder } from '../../../plugins/orders/order.ts';
import { volumeOf } from '../../../plugins/orders/parcel.ts';
import { toBooking } from './booking-fixture.ts';
import { createOrdersRig, customer, driver, type OrdersRig } from './orders-rig.ts';

const box = (lengthCm: number | null, widthCm: number | null, heightCm: number | null) => ({
  lengthCm,
  widthCm,
  heightCm,
});

describe('volumeOf()', () => {
  it('adds up in litres, rounded up once, and knows nothing of an order with a parcel of no size', () => {
    assert.equal(volumeOf([box(10, 10, 10)]), 1);
    assert.equal(volumeOf([box(10, 10, 11)]), 2);
    assert.equal(volumeOf([box(30, 20, 10), box(30, 20, 10)]), 12);
    assert.equal(volumeOf(Array.from({ length: 50 }, () => box(500, 500, 500))), 6_250_000);
    assert.equal(volumeOf([box(30, 20, 10), box(null, null, null)]), null);
    assert.equal(volumeOf([]), null);
  });
});

describe('the volume of an order', () => {
  let rig: OrdersRig;
  before(async () => {
    rig = await createOrdersRig();
  });
  after(() => rig.stop());

  const { items: _items, ...bare } = toBooking();
  const size = { lengthCm: 100, widthCm: 50, heightCm: 40 };
  const book = async (parcels: NewOrder['parcels']): Promise<string> => {
    const { status, body } = await rig.post('/orders', { principal: customer, body: { ...bare, parcels } });
    assert.equal(status, 201);
    return String(body['orderId']);
  };
  const volumes = (orderId: string): unknown[] => rig.eventsOf(orderId).map(({ data }) => data['volumeL']);

  it('is told with each step, so that no vehicle is given more than it holds', async () => {
    const orderId = await book([{ description: 'Chair', size }]);
    await rig.running.deliver('payment.authorised', { orderId });
    await rig.running.deliver('driver.assigned', { orderId, driverId: 'd1', attempt: 1, sequence: 1 });
    await rig.act(driver, orderId, 'start');
    assert.deepEqual(volumes(orderId), [200, 200, 200, 200]);
    const scheduled = rig.eventsOf(orderId).find(({ name }) => name === 'order.scheduled');
    const facts = toFacts(scheduled?.data as unknown as OrderEvent);
    const fits = (vehicle: string): boolean => {
      const capacity = capacityOf({ vehicle, capacityParcels: null, capacityVolumeL: null });
      return hasRoom({ orders: 0, parcels: 0, volumeL: 0, capacity }, sizeOf(facts, { parcelVolumeL: 20 }), 5);
    };
    // One parcel of an unknown size would fit the bicycle.
    assert.deepEqual(['bicycle', 'cargo_bike', 'car'].map(fits), [false, true, true]);
  });

  it('is not known where the size of a parcel is not', async () => {
    assert.deepEqual(volumes(await book([{ description: 'Chair', size }, { description: 'Hat' }])), [null]);
  });
});
