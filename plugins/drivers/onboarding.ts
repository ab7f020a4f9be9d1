import type { Transaction } from '#plugin-api';
import type { Actor } from './assignment.ts';
import { revokeDevicesOf } from './device-keeping.ts';
import { lackingDocuments, type DocumentKind } from './document.ts';
import { tryNow } from './dispatch.ts';
import { changeStatus } from './driver.ts';
import { pushClosed } from './pushing.ts';
import { listActive } from './store/assignments.ts';
import { listDocuments } from './store/documents.ts';
import { findDriver, insertStatusChange, lockDriver, setStatus, type StoredDriver } from './store/drivers.ts';
import { withdrawOffersOfDriver } from './store/offers.ts';
import { endShifts } from './store/shifts.ts';
import { unassign } from './unassigning.ts';

export type OnboardingOutcome =
  | { readonly kind: 'moved' | 'unchanged'; readonly driver: StoredDriver }
  | { readonly kind: 'missing' }
  | { readonly kind: 'changed' }
  | { readonly kind: 'lacking'; readonly documents: readonly DocumentKind[] };

export interface Approval {
  readonly driverId: string;
  readonly by: Actor;
  readonly required: readonly DocumentKind[];
  readonly today: string;
  /** Looked at once the driver is locked: whether who asks knows it as it is. */
  readonly isCurrent: (driver: StoredDriver) => boolean;
}

/** From then on the driver may go on shift; its devices get new credentials when it had been suspended. */
export async function approve(tx: Transaction, approval: Approval): Promise<OnboardingOutcome> {
  const { driverId, by, required, today } = approval;
  const driver = await lockDriver(tx, driverId);
  if (driver === undefined) return { kind: 'missing' };
  if (!approval.isCurrent(driver)) return { kind: 'changed' };
  if (changeStatus(driver.status, 'approve').kind === 'unchanged') return { kind: 'unchanged', driver };
  const documents = lackingDocuments(await listDocuments(tx, driverId), required, today);
  if (documents.length > 0) return { kind: 'lacking', documents };
  await setStatus(tx, driverId, { status: 'approved', reason: null });
  await insertStatusChange(tx, { driverId, status: 'approved', reason: null, byKind: by.kind, byId: by.id });
  await tx.events.publish('driver.approved', { driverId });
  return moved(tx, driverId);
}

export interface Suspension {
  readonly driverId: string;
  readonly by: Actor;
  readonly reason: string;
  readonly isCurrent: (driver: StoredDriver) => boolean;
}

/**
 * The driver goes off shift, its offers are withdrawn, what it has not picked up goes to others, and its devices are cut off.
 * What it has picked up stays its own: somebody has to go and get it, and `carrying` of the event says so.
 */
export async function suspend(tx: Transaction, suspension: Suspension): Promise<OnboardingOutcome> {
  const { driverId, by, reason } = suspension;
  const driver = await lockDriver(tx, driverId);
  if (driver === undefined) return { kind: 'missing' };
  if (!suspension.isCurrent(driver)) return { kind: 'changed' };
  if (changeStatus(driver.status, 'suspend').kind === 'unchanged') return { kind: 'unchanged', driver };
  await setStatus(tx, driverId, { status: 'suspended', reason });
  await insertStatusChange(tx, { driverId, status: 'suspended', reason, byKind: by.kind, byId: by.id });
  await endShifts(tx, { driverId, kinds: ['shift', 'break'], by: by.id });
  await withdrawFrom(tx, driverId, 'suspended');
  const carrying: string[] = [];
  for (const { orderId } of await listActive(tx, driverId)) {
    const isFree = await unassign(tx, { orderId, driverId, reason: 'suspended', by, note: reason });
    if (!isFree) carrying.push(orderId);
  }
  await tx.events.publish('driver.suspended', { driverId, reason, carrying });
  await revokeDevicesOf(tx, driverId);
  return moved(tx, driverId);
}

async function moved(tx: Transaction, driverId: string): Promise<OnboardingOutcome> {
  const driver = await findDriver(tx, driverId);
  return driver === undefined ? { kind: 'missing' } : { kind: 'moved', driver };
}

/** What a driver was asked goes to others at once. To be called with the driver locked. */
export async function withdrawFrom(
  tx: Transaction,
  driverId: string,
  reason: 'suspended' | 'off_shift',
): Promise<void> {
  const closed = await withdrawOffersOfDriver(tx, driverId, reason);
  await pushClosed(tx, closed, reason);
  for (const { orderId, offerId } of closed) await tryNow(tx, orderId, offerId);
}
