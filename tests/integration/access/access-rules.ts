/**
 * Who may do what: one line a route. `own`: what the caller has to do with, everything else is as if it did not exist;
 * `all`: everything; a role that is not named is refused. The matrix tries each line on the running platform, and a route
 * without a line fails.
 */
import type { Role } from '#plugin-api';
import { toPng } from '../../plugins/orders/files.ts';
import { bookingAt, placeOf } from '../../support/journey.ts';
import type { Side } from './access-world.ts';

export type Reach = 'own' | 'all';
export type Roles = Readonly<Partial<Record<Role, Reach>>>;

/** What a request needs beside its path; where nothing is said, what the description has as example. */
export interface RequestParts {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** A body that is no JSON. */
  readonly file?: { readonly type: string; readonly content: string | Uint8Array<ArrayBuffer> };
}

export interface AccessRule {
  /** `signed`: public, and refused unless it is signed. */
  readonly kind: 'public' | 'signed' | 'device' | 'roles';
  readonly roles: Roles;
  /** The answer lists objects: with `own` none of another side is among them. */
  readonly isList: boolean;
  /** There may be none of these when the matrix runs, such as a dead letter: then ops are told so. */
  readonly mayBeMissing?: boolean;
  /** Nobody has to do with the order's driver afterwards: it is tried after all others. */
  readonly isEnd?: boolean;
  /** What a parameter of the path means here, where it means another thing elsewhere. */
  readonly ids?: Readonly<Record<string, string>>;
  /** Of this side's object. */
  readonly request: (side: Side) => RequestParts;
}

const nothing = (): RequestParts => ({});
const anyone: AccessRule = { kind: 'public', roles: {}, isList: false, request: nothing };
const devices: AccessRule = { ...anyone, kind: 'device' };
/** Of one object, which the path or the query names. */
const on = (roles: Roles, request: AccessRule['request'] = nothing): AccessRule => ({
  kind: 'roles',
  roles,
  isList: false,
  request,
});
const list = (roles: Roles, request: AccessRule['request'] = nothing): AccessRule => ({
  ...on(roles, request),
  isList: true,
});
const rare = (rule: AccessRule): AccessRule => ({ ...rule, mayBeMissing: true });
const end = (rule: AccessRule): AccessRule => ({ ...rule, isEnd: true });
const file =
  (
    type: string,
    content: Uint8Array<ArrayBuffer>,
    query: Readonly<Record<string, string>> = {},
  ): AccessRule['request'] =>
  () => ({ query, file: { type, content } });
const body =
  (value: unknown): AccessRule['request'] =>
  () => ({ body: value });

const everybody: Roles = { customer: 'own', partner: 'own', driver: 'own', ops: 'all' };
const payers: Roles = { customer: 'own', partner: 'own', ops: 'all' };
const partners: Roles = { partner: 'own', ops: 'all' };
const drivers: Roles = { driver: 'own', ops: 'all' };
const ops: Roles = { ops: 'all' };
const told: Roles = { customer: 'own', driver: 'own', partner: 'own' };

export const accessRules: Readonly<Record<string, AccessRule>> = {
  // core
  'GET /.well-known/jwks.json': anyone,
  'GET /assets/{file}': anyone,
  'GET /docs': anyone,
  'GET /live-client.js': anyone,
  'GET /openapi.json': anyone,
  'GET /problems/{code}': anyone,
  'GET /jobs/queues': list(ops),
  'GET /jobs/overdue': list(ops),
  'GET /jobs/dead-letters': list(ops),
  'GET /jobs/{jobId}': rare(on(ops)),
  'POST /jobs/dead-letters/{jobId}/replay': rare(on(ops)),
  'DELETE /jobs/dead-letters/{jobId}': rare(on(ops)),
  'GET /ops/log-level': on(ops),
  'PUT /ops/log-level': on(ops, body({ level: null })),
  'GET /plugins': list(ops),
  'POST /plugins/{name}/release': on(ops),
  'GET /api-keys': list(partners),
  'POST /api-keys': on({ partner: 'all', ops: 'all' }, ({ partner }) => ({
    body: { partnerId: partner, name: 'matrix', scopes: ['api-keys:read'] },
  })),
  'GET /api-keys/{keyId}': on(partners),
  'DELETE /api-keys/{keyId}': on(partners),
  'POST /api-keys/{keyId}/rotate': on(partners),
  'GET /partners/{partnerId}/budgets': on(partners),
  'PUT /partners/{partnerId}/budgets': on(ops, body({ orders: 1000 })),
  // drivers
  'GET /drivers': list(ops),
  'POST /drivers': on({ driver: 'all', ops: 'all' }),
  'GET /drivers/{driverId}': on(drivers),
  'PATCH /drivers/{driverId}': on(ops),
  'POST /drivers/{driverId}/approve': on(ops),
  'POST /drivers/{driverId}/suspend': end(on(ops)),
  'GET /drivers/{driverId}/documents': on(drivers),
  'PUT /drivers/{driverId}/documents/{kind}': on(drivers),
  'POST /drivers/{driverId}/shift': on(drivers, body({ onShift: true })),
  'POST /drivers/{driverId}/break': on(drivers),
  'GET /drivers/{driverId}/shifts': on(drivers),
  'GET /drivers/{driverId}/devices': on(ops),
  'POST /drivers/{driverId}/devices': on(ops, body({ deviceId: 'matrix' })),
  'DELETE /drivers/{driverId}/devices/{deviceId}': on(ops),
  'POST /drivers/{driverId}/devices/{deviceId}/rotate': on(drivers),
  'GET /drivers/{driverId}/offers': on(drivers),
  'GET /drivers/offers': list(ops, ({ orderId }) => ({ query: { orderId } })),
  'POST /drivers/{driverId}/offers/{offerId}/accept': on({ driver: 'own' }),
  'POST /drivers/{driverId}/offers/{offerId}/decline': on({ driver: 'own' }, body({})),
  'POST /drivers/{driverId}/offers/{offerId}/withdraw': on(ops, body({})),
  'GET /drivers/{driverId}/assignments': on(drivers),
  'GET /drivers/{driverId}/route': on(drivers),
  'GET /drivers/assignments': list(ops),
  'GET /drivers/assignments/{orderId}': on(ops),
  'POST /drivers/assignments/{orderId}/assign': end(on(ops, ({ driver }) => ({ body: { driverId: driver } }))),
  'POST /drivers/assignments/{orderId}/reassign': end(on(ops)),
  'POST /drivers/assignments/{orderId}/hold': end(on(ops)),
  'POST /drivers/assignments/{orderId}/release': end(on(ops)),
  'POST /drivers/assignments/{orderId}/give-back': end(on({ driver: 'own' })),
  // notifications
  'GET /notifications': list(everybody),
  'GET /notifications/preferences': list(told),
  'PUT /notifications/preferences': list(told),
  'GET /notifications/preferences/{role}/{personId}': on(ops),
  'PUT /notifications/preferences/{role}/{personId}': on(ops),
  'GET /notifications/templates': list(ops),
  'GET /notifications/templates/{name}/preview': { ...on(ops), ids: { name: 'order.created' } },
  'POST /notifications/templates/{name}/preview': { ...on(ops), ids: { name: 'order.created' } },
  // orders
  'GET /orders': list(everybody),
  'POST /orders': on({ customer: 'all', partner: 'all' }, ({ customer }) => ({
    body: bookingAt(placeOf(9), { customerId: customer }),
  })),
  'POST /orders/bulk': on({ partner: 'all', ops: 'all' }, ({ partner }) => ({
    query: { partnerId: partner },
    file: { type: 'application/x-ndjson', content: '' },
  })),
  'POST /orders/quotes': on({ customer: 'all', partner: 'all' }),
  'GET /orders/windows': list(payers),
  'PUT /orders/windows': on(ops),
  'GET /orders/prices': list(ops),
  'PUT /orders/prices': on(ops),
  'GET /orders/proof-requirements': list(everybody),
  'PUT /orders/proof-requirements/{destinationKind}': on(ops, body({ pickup: [], dropOff: [] })),
  'GET /orders/{orderId}': on(everybody),
  'PATCH /orders/{orderId}': on(payers),
  'POST /orders/{orderId}/cancel': end(on(payers, body({}))),
  'POST /orders/{orderId}/reschedule': on(payers),
  'POST /orders/{orderId}/start': on(drivers),
  'POST /orders/{orderId}/arrive': on(drivers),
  'POST /orders/{orderId}/fail-pickup': end(on(drivers, body({ reason: 'nobody_home' }))),
  'POST /orders/{orderId}/pickup': on(drivers),
  'POST /orders/{orderId}/deliver': on(drivers),
  'POST /orders/{orderId}/complete': on(drivers),
  'GET /orders/{orderId}/documents': on(everybody),
  'POST /orders/{orderId}/documents': on(payers, file('image/png', toPng(), { kind: 'label' })),
  'GET /orders/{orderId}/documents/{documentId}': on(everybody),
  'GET /orders/{orderId}/documents/{documentId}/content': on(everybody),
  'DELETE /orders/{orderId}/documents/{documentId}': on(payers),
  'GET /orders/{orderId}/proofs': on(everybody),
  'POST /orders/{orderId}/proofs/{stage}': on(drivers),
  'POST /orders/{orderId}/proofs/{stage}/photos': on(drivers, file('image/png', toPng())),
  'POST /orders/{orderId}/proofs/{stage}/signatures': on(drivers, file('image/png', toPng())),
  // payments
  'GET /payments': on(payers, ({ orderId }) => ({ query: { orderId } })),
  'GET /payments/{paymentId}': on(ops),
  'POST /payments/{paymentId}/refunds': on(ops),
  'POST /payments/{paymentId}/retry': on(ops),
  'POST /payments/webhooks/{provider}': { ...anyone, kind: 'signed' },
  'GET /payments/ledger': list(ops),
  'GET /payments/ledger/balances': list(ops),
  'GET /payments/balance': list(drivers, ({ driver }) => ({ query: { driverId: driver } })),
  'GET /payments/payouts': list(drivers, ({ driver }) => ({ query: { driverId: driver } })),
  'POST /payments/payouts/{payoutId}/paid': rare(on(ops)),
  'GET /payments/reconciliations': list(ops),
  'GET /payments/differences': list(ops),
  'POST /payments/differences/{differenceId}/resolve': rare(on(ops)),
  // tracking
  'GET /tracking/orders/{orderId}/position': on(everybody),
  'GET /tracking/orders/{orderId}/shares': on(payers),
  'POST /tracking/orders/{orderId}/shares': on(payers, body({ expiresInSeconds: 60 })),
  'DELETE /tracking/orders/{orderId}/shares/{shareId}': on(payers),
  'GET /tracking/drivers': list(ops),
  'GET /tracking/drivers/{driverId}/history': on(drivers),
  'GET /tracking/dead-letters': list(ops),
  'GET /tracking/dead-letters/{id}': on(ops),
  'POST /tracking/dead-letters/{id}/replay': on(ops),
  'DELETE /tracking/dead-letters/{id}': on(ops),
  'POST /tracking/owntracks': devices,
  'GET /tracking/osmand': devices,
  'POST /tracking/osmand': devices,
  // webhooks
  'GET /webhooks/endpoints': list(partners),
  'POST /webhooks/endpoints': on({ partner: 'all', ops: 'all' }, ({ partner }) => ({
    body: { url: 'https://partner.example/hooks', partnerId: partner },
  })),
  'GET /webhooks/endpoints/{endpointId}': on(partners),
  'PATCH /webhooks/endpoints/{endpointId}': on(partners, body({ description: 'matrix' })),
  'DELETE /webhooks/endpoints/{endpointId}': on(partners),
  'POST /webhooks/endpoints/{endpointId}/rotate-secret': on(partners),
  'POST /webhooks/endpoints/{endpointId}/test': on(partners),
  'GET /webhooks/deliveries': list(partners),
  'GET /webhooks/deliveries/{deliveryId}': on(partners),
  'POST /webhooks/deliveries/{deliveryId}/redeliver': on(partners),
};
