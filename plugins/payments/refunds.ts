import { createHash, randomUUID } from 'node:crypto';
import type { Database, Principal } from '#plugin-api';
import type { PaymentErrorCode } from './errors.ts';
import type { NewRefund, ShownOperation } from './payment.ts';
import { sendOperation } from './progress.ts';
import { insertOperation, listOperations } from './store/operations.ts';
import { findPayment, showOperation, type RefundOperation } from './store/payment-views.ts';
import { reserveRefund } from './store/payments.ts';

export interface RefundRequest {
  readonly paymentId: string;
  readonly refund: NewRefund;
  readonly principal: Principal;
  readonly idempotencyKey: string | undefined;
  /** That the caller has read; null: whatever it is. */
  readonly version: number | null;
}

export type RefundOutcome =
  | { readonly kind: 'accepted' | 'repeated'; readonly operation: ShownOperation }
  | { readonly kind: 'refused'; readonly code: PaymentErrorCode; readonly detail: string };

/**
 * Sets the amount aside by one conditional statement, and has the provider asked for it by a job. A request that is
 * repeated, also after a crash, is the same refund: its id comes from the caller's key.
 */
export async function requestRefund(db: Database, request: RefundRequest): Promise<RefundOutcome> {
  const operationId = refundId(request);
  const known = await showOperation(db, operationId);
  if (known !== undefined) return repeat(known, request);
  try {
    const isReserved = await db.transaction(async (tx) => {
      const { paymentId, refund, version } = request;
      const facts = await reserveRefund(tx, { paymentId, amountMinor: refund.amountMinor, version });
      if (facts === undefined) return false;
      // The statement has locked the payment: nobody else numbers its operations now.
      const operations = await listOperations(tx, paymentId);
      if (operations.some((operation) => operation.operationId === operationId)) throw new Repeated();
      const operation = await insertOperation(tx, {
        facts,
        operationId,
        kind: 'refund',
        number: operations.filter(({ kind }) => kind === 'refund').length + 1,
        amountMinor: refund.amountMinor,
        requestedBy: 'ops',
        reason: refund.reason ?? null,
      });
      await sendOperation(tx, operation);
      return true;
    });
    if (!isReserved) return explain(db, request);
  } catch (error) {
    if (!(error instanceof Repeated)) throw error;
    return repeat(await readRefund(db, operationId), request);
  }
  return { kind: 'accepted', operation: withoutPayment(await readRefund(db, operationId)) };
}

async function readRefund(db: Database, operationId: string): Promise<RefundOperation> {
  const operation = await showOperation(db, operationId);
  if (operation === undefined) throw new Error(`Cannot read refund ${operationId}: it is gone`);
  return operation;
}

/** The same request was faster: what this one has set aside is set free. */
class Repeated extends Error {}

function repeat(known: RefundOperation, { paymentId, refund }: RefundRequest): RefundOutcome {
  if (known.paymentId === paymentId && known.amountMinor === refund.amountMinor) {
    return { kind: 'repeated', operation: withoutPayment(known) };
  }
  const detail = 'The idempotency key stands for a refund of another amount or payment';
  return { kind: 'refused', code: 'PAYMENT_REFUND_CONFLICT', detail };
}

function withoutPayment({ paymentId: _paymentId, ...operation }: RefundOperation): ShownOperation {
  return operation;
}

async function explain(db: Database, { paymentId, refund, version }: RefundRequest): Promise<RefundOutcome> {
  const payment = await findPayment(db, paymentId);
  const refused = (code: PaymentErrorCode, detail: string): RefundOutcome => ({ kind: 'refused', code, detail });
  if (payment === undefined) return refused('PAYMENT_NOT_FOUND', `There is no payment '${paymentId}'`);
  if (version !== null && payment.version !== version) {
    return refused('PAYMENT_CHANGED', `'If-Match' must be "${payment.version}": it is "${version}"`);
  }
  if (payment.capturedMinor === 0) {
    return refused('PAYMENT_NOT_CAPTURED', `Cannot refund the payment: it is '${payment.status}'`);
  }
  const detail = `Cannot refund ${refund.amountMinor}: ${payment.capturedMinor} were captured, refunds under way count`;
  return refused('PAYMENT_REFUND_TOO_LARGE', detail);
}

/** Version 8 of RFC 9562: the content is our own. */
function refundId({ principal, paymentId, idempotencyKey }: RefundRequest): string {
  if (idempotencyKey === undefined) return randomUUID();
  const source = JSON.stringify([principal.role, principal.id, `POST /payments/${paymentId}/refunds`, idempotencyKey]);
  const hex = createHash('sha256').update(source).digest('hex');
  const variant = ((Number.parseInt(hex[16] ?? '0', 16) & 3) | 8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
