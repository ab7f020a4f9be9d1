/** Two of everything: what the caller has to do with, and what it has not. */
import type { Role } from '#plugin-api';
import type { Api } from '../../support/api-client.ts';
import { book, connectDriver, near, orderReached, placeOf, type Device } from '../../support/journey.ts';
import { toPng } from '../../plugins/orders/files.ts';
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

/** Parameters of paths that choose from a list. */
const words = {
  stage: 'pickup',
  kind: 'licence',
  destinationKind: 'store',
  provider: 'sandbox',
  role: 'customer',
  personId: 'nobody',
} as const;

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
  jobId: '01900000-0000-7000-8000-000000000002',
  endpointId: '01900000-0000-7000-8000-000000000003',
  deliveryId: '01900000-0000-7000-8000-000000000004',
  documentId: '01900000-0000-7000-8000-000000000005',
  paymentId: '01900000-0000-7000-8000-000000000006',
  payoutId: '01900000-0000-7000-8000-000000000007',
  differenceId: '01900000-0000-7000-8000-000000000008',
  offerId: '01900000-0000-7000-8000-000000000009',
  file: 'nothing',
  ...words,
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
  const { documentId } = await upload(partnerApi, orderId);
  const { endpointId } = await partnerApi.ok<{ endpointId: string }>('POST', '/webhooks/endpoints', {
    url: `https://${name}.example/hooks`,
  });
  const { deliveryId } = await partnerApi.ok<{ deliveryId: string }>('POST', `/webhooks/endpoints/${endpointId}/test`);
  const { payments } = await ops.ok<{ payments: { paymentId: string }[] }>('GET', `/payments?orderId=${orderId}`);
  const { offers } = await ops.ok<{ offers: { offerId: string }[] }>('GET', `/drivers/offers?orderId=${orderId}`);
  const page = await platform.anonymous().request<string>('GET', '/docs');
  const ids = {
    ...missing,
    file: /\/assets\/([^"']+)/.exec(page.body)?.[1] ?? '',
    orderId,
    documentId,
    endpointId,
    deliveryId,
    paymentId: payments[0]?.paymentId ?? '',
    offerId: offers[0]?.offerId ?? '',
    personId: customer,
    shareId,
    driverId: driver,
    deviceId: 'phone',
    keyId,
    partnerId: partner,
    // A plugin, and a template of messages.
    name: 'orders',
    code: 'not-found',
  };
  return {
    side: { customer, partner, driver, orderId, ids: { ...ids, id: await rejectedMessage(ops, device) } },
    device,
  };
}

async function upload(api: Api, orderId: string): Promise<{ readonly documentId: string }> {
  const { body, status } = await api.request<{ documentId: string }>(
    'POST',
    `/orders/${orderId}/documents?kind=label`,
    {
      raw: toPng(),
      headers: { 'content-type': 'image/png' },
    },
  );
  if (status !== 201) throw new Error(`Cannot upload a label: ${JSON.stringify(body)}`);
  return body;
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
