/** Two of everything: what the caller has to do with, and what it has not. */
import type { Role } from '#plugin-api';
import type { Api } from '../../support/api-client.ts';
import { book, connectDriver, near, orderReached, placeOf, type Device } from '../../support/journey.ts';
import type { TestPlatform } from '../../support/platform.ts';
import { until } from '../../support/until.ts';

/** One partner, its customer, their order, and the driver who is on the way to it. */
export interface Side {
  readonly customer: string;
  readonly partner: string;
  readonly driver: string;
  readonly orderId: string;
  /** By the name of each parameter of a path. */
  readonly ids: Readonly<Record<string, string>>;
}

export interface World {
  readonly own: Side;
  readonly other: Side;
  /** What does not exist, by the name of each parameter. */
  readonly missing: Readonly<Record<string, string>>;
  /** Of a driver's device that may report. */
  readonly deviceCredentials: { readonly username: string; readonly password: string };
  stop(): Promise<void>;
}

const missing: Readonly<Record<string, string>> = {
  orderId: '01900000-0000-7000-8000-000000000000',
  shareId: '01900000-0000-7000-8000-000000000001',
  driverId: 'nobody',
  deviceId: 'nothing',
  keyId: '0'.repeat(16),
  partnerId: 'nobody',
  id: '999999999',
  name: 'nothing',
  code: 'nothing',
};

export async function createWorld(platform: TestPlatform): Promise<World> {
  const ops = await platform.as('ops', 'dispatcher');
  const [own, other] = [
    await createSide(platform, ops, { name: 'own', place: 1 }),
    await createSide(platform, ops, { name: 'other', place: 4 }),
  ];
  return {
    own: own.side,
    other: other.side,
    missing,
    deviceCredentials: own.device,
    async stop() {
      for (const { device } of [own, other]) await device.close();
    },
  };
}

interface SideOptions {
  readonly name: string;
  readonly place: number;
}

async function createSide(
  platform: TestPlatform,
  ops: Api,
  { name, place: index }: SideOptions,
): Promise<{ readonly side: Side; readonly device: Device }> {
  const [customer, partner, driver] = [`${name}-customer`, `${name}-partner`, `${name}-driver`];
  const place = placeOf(index);
  const device = await connectDriver(platform, driver);
  await device.publish(near(place, 2));
  const partnerApi = await platform.as('partner', partner);
  const { orderId } = await book(partnerApi, place, { customerId: customer });
  await orderReached(ops, orderId, 'assigned');
  await (await platform.as('driver', driver)).ok('POST', `/orders/${orderId}/start`);
  const { shareId } = await until(`the order of ${name} may be shared`, async () => {
    const answer = await partnerApi.request<{ shareId: string }>('POST', `/tracking/orders/${orderId}/shares`, {
      body: { expiresInSeconds: 3600 },
    });
    return answer.status === 201 ? answer.body : undefined;
  });
  const { keyId } = await ops.ok<{ keyId: string }>('POST', '/api-keys', {
    partnerId: partner,
    name,
    scopes: ['api-keys:read'],
  });
  const ids = {
    orderId,
    shareId,
    driverId: driver,
    deviceId: 'phone',
    keyId,
    partnerId: partner,
    name: 'orders',
    code: 'not-found',
  };
  return {
    side: { customer, partner, driver, orderId, ids: { ...ids, id: await rejectedMessage(ops, device) } },
    device,
  };
}

/** The id of a message that was put aside. */
async function rejectedMessage(ops: Api, { client, driverId }: Device): Promise<string> {
  await client.publishAsync(`drivers/${driverId}/location`, 'no position', { qos: 1 });
  return until('the message is put aside', async () => {
    const { letters } = await ops.ok<{ letters: { id: string; topic: string }[] }>('GET', '/tracking/dead-letters');
    return letters.find(({ topic }) => topic.startsWith(`drivers/${driverId}/`))?.id;
  });
}

/** Who this side's principal of a role is. */
export function subjectOf(side: Side, role: Role): string {
  return role === 'ops' ? 'dispatcher' : side[role];
}
