/**
 * Who may do what: one line a route. `own`: what the caller has to do with, everything else is as if it did not exist;
 * `all`: everything; a role that is not named is refused. The matrix tries each line on the running platform, and a route
 * without a line fails.
 */
import type { Role } from '#plugin-api';
import { bookingAt, placeOf } from '../../support/journey.ts';
import type { Side } from './access-world.ts';

export type Reach = 'own' | 'all';
export type Roles = Readonly<Partial<Record<Role, Reach>>>;

/** What a request needs beside its path. */
export interface RequestParts {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface AccessRule {
  readonly kind: 'public' | 'device' | 'roles';
  readonly roles: Roles;
  /** The answer lists objects: with `own` none of another side is among them. */
  readonly isList: boolean;
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
const list = (roles: Roles): AccessRule => ({ ...on(roles), isList: true });
const body =
  (value: unknown): AccessRule['request'] =>
  () => ({ body: value });

const everybody: Roles = { customer: 'own', partner: 'own', driver: 'own', ops: 'all' };
const payers: Roles = { customer: 'own', partner: 'own', ops: 'all' };
const partners: Roles = { partner: 'own', ops: 'all' };
const drivers: Roles = { driver: 'own', ops: 'all' };
const ops: Roles = { ops: 'all' };

export const accessRules: Readonly<Record<string, AccessRule>> = {
  // core
  'GET /.well-known/jwks.json': anyone,
  'GET /docs': anyone,
  'GET /live-client.js': anyone,
  'GET /openapi.json': anyone,
  'GET /problems/{code}': anyone,
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
  'POST /drivers': on(ops, body({ name: 'Matrix', vehicle: 'van' })),
  'GET /drivers/{driverId}': on(drivers),
  'POST /drivers/{driverId}/shift': on(drivers, body({ onShift: true })),
  'GET /drivers/{driverId}/devices': on(ops),
  'POST /drivers/{driverId}/devices': on(ops, body({ deviceId: 'matrix' })),
  'DELETE /drivers/{driverId}/devices/{deviceId}': on(ops),
  // notifications
  'GET /notifications': list({ customer: 'own', driver: 'own' }),
  // orders
  'GET /orders': list(everybody),
  'POST /orders': on({ customer: 'all', partner: 'all' }, ({ customer }) => ({
    body: bookingAt(placeOf(9), { customerId: customer }),
  })),
  'GET /orders/{orderId}': on(everybody),
  'POST /orders/{orderId}/cancel': on(payers, body({})),
  'POST /orders/{orderId}/start': on(drivers),
  'POST /orders/{orderId}/pickup': on(drivers),
  'POST /orders/{orderId}/deliver': on(drivers),
  'POST /orders/{orderId}/complete': on(drivers),
  // payments
  'GET /payments': on(payers, ({ orderId }) => ({ query: { orderId } })),
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
};
