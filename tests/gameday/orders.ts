/** Orders as faults need them, of one customer and one driver. */
import type { Api } from '../support/api-client.ts';
import { book, orderReached, type Device } from '../support/journey.ts';
import { addDriver, drivingPlace } from './devices.ts';
import type { System } from './system.ts';

/** What takes an order as far as a driver. */
export const orderPlugins = ['orders', 'payments', 'drivers', 'tracking'];

/** @returns its id; it is scheduled */
export async function bookOne({ core }: System): Promise<string> {
  const customer = await core.as('customer', 'customer-1');
  const { orderId } = await book(customer, drivingPlace);
  await orderReached(customer, orderId, 'scheduled');
  return orderId;
}

interface Assigned {
  readonly orderId: string;
  readonly driver: Api;
  /** Connected. */
  readonly device: Device;
}

export async function assignOne(system: System): Promise<Assigned> {
  const device = await addDriver(system, 'driver-1');
  const driver = await system.core.as('driver', 'driver-1');
  await driver.ok('POST', '/drivers/driver-1/shift', { onShift: true });
  await device.publish(drivingPlace);
  const orderId = await bookOne(system);
  // A driver does not see it before it is theirs.
  await orderReached(system.ops, orderId, 'assigned');
  return { orderId, driver, device };
}
