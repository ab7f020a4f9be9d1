import { createHash, randomUUIDv7 } from 'node:crypto';
import type { Database, Transaction } from '#plugin-api';
import type { Refusal } from '../errors.ts';
import { maySee, type Actor, type OrderStatus } from '../lifecycle.ts';
import type { ProofStage } from '../requirement.ts';
import { lockOrder } from '../store/orders.ts';
import type { Document, DocumentKind } from './document.ts';
import { recognise, type ContentType } from './recognise.ts';
import { deleteDocument, findDocument, insertDocument, insertPart, listDocuments } from './store.ts';

export interface NewFile {
  readonly orderId: string;
  readonly actor: Actor;
  readonly kind: DocumentKind;
  /** Of what proves something. */
  readonly stage: ProofStage | null;
  readonly bytes: Uint8Array;
  /** What its sender says that it is. */
  readonly declared: string | undefined;
}

/** What may be put to an order, and when. */
export interface FileRules {
  readonly types: readonly ContentType[];
  readonly statuses: readonly OrderStatus[];
  /** Documents that count together, and how many and how large they may be. */
  readonly counts: (document: Document, attempt: number) => boolean;
  readonly max: number;
  readonly bytesMax: number;
  /** Of a picture. */
  readonly pixelsMin: number;
}

export type FileOutcome =
  | { readonly kind: 'stored'; readonly document: Document }
  /** The same file is there for the same purpose. */
  | { readonly kind: 'repeated'; readonly document: Document }
  | { readonly kind: 'missing' }
  | ({ readonly kind: 'refused' } & Refusal);

/** Bytes of a file in one row: a small part of a frame, as base64 too. */
export const partBytes = 262_144;

/** Keeps a file with an order, whole or not at all. Sent again, it is the same document. */
export async function storeFile(db: Database, file: NewFile, rules: FileRules): Promise<FileOutcome> {
  const found = checkFile(file, rules);
  if ('code' in found) return { kind: 'refused', ...found };
  const { orderId, actor, kind, stage, bytes } = file;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return db.transaction(async (tx) => {
    // Whoever sends at the same moment waits here, so that nobody gets past the limits.
    const stored = await lockOrder(tx, orderId);
    if (stored === undefined || !maySee(stored.order, actor)) return { kind: 'missing' };
    const { attempt, status } = stored.order;
    const documents = await listDocuments(tx, orderId);
    const isSame = (other: Document): boolean =>
      other.sha256 === sha256 &&
      other.kind === kind &&
      other.stage === stage &&
      (stage === null || other.attempt === attempt);
    const document = documents.find(isSame);
    if (document !== undefined) return { kind: 'repeated', document };
    if (!rules.statuses.includes(status)) return { kind: 'refused', ...tooLate(kind, status, rules.statuses) };
    const full = checkRoom(
      documents.filter((other) => rules.counts(other, attempt)),
      bytes.length,
      rules,
    );
    if (full !== undefined) return { kind: 'refused', ...full };
    const { type: contentType, width, height } = found;
    const documentId = randomUUIDv7();
    const uploadedBy = actor;
    const fields = { documentId, orderId, kind, stage, attempt, contentType, width, height, sha256, uploadedBy };
    const inserted = await insertDocument(tx, { ...fields, bytes: bytes.length });
    await insertParts(tx, documentId, bytes);
    return { kind: 'stored', document: inserted };
  });
}

async function insertParts(tx: Transaction, documentId: string, bytes: Uint8Array): Promise<void> {
  for (let part = 0; part * partBytes < bytes.length; part += 1) {
    const content = Buffer.from(bytes.buffer, bytes.byteOffset + part * partBytes, lengthOf(bytes, part));
    await insertPart(tx, { documentId, part, content: content.toString('base64') });
  }
}

const lengthOf = (bytes: Uint8Array, part: number): number => Math.min(partBytes, bytes.length - part * partBytes);

interface FoundFile {
  readonly type: ContentType;
  readonly width: number | null;
  readonly height: number | null;
}

function checkFile({ bytes, declared = '', kind }: NewFile, { types, pixelsMin }: FileRules): FoundFile | Refusal {
  const found = recognise(bytes);
  const invalid = (detail: string, extensions: object): Refusal => ({
    code: 'ORDER_DOCUMENT_INVALID',
    detail: `Cannot take the ${kind}: ${detail}`,
    extensions: { ...extensions },
  });
  if (found.kind === 'unknown')
    return invalid(`it looks like ${found.looksLike}; it must be ${types.join(', ')}`, { found: found.looksLike });
  if (found.kind === 'broken')
    return invalid(`it begins as ${found.type}, but ${found.what}; it may not have arrived whole`, {
      found: found.type,
    });
  const { type, width, height } = found;
  const said = declared.split(';', 1)[0]?.trim().toLowerCase();
  if (said !== type) {
    const detail = `Cannot take the ${kind}: it is said to be ${said}, and it is ${type}`;
    return { code: 'ORDER_DOCUMENT_TYPE_MISMATCH', detail, extensions: { found: type } };
  }
  if (!types.includes(type)) return invalid(`it is ${type}; it must be ${types.join(', ')}`, { found: type });
  if (width !== null && height !== null && width * height < pixelsMin)
    return invalid(`it has ${width} × ${height} pixels; it must have at least ${pixelsMin} in all`, { width, height });
  return { type, width, height };
}

function checkRoom(others: readonly Document[], bytes: number, { max, bytesMax }: FileRules): Refusal | undefined {
  const refused = (detail: string): Refusal => ({ code: 'ORDER_DOCUMENTS_FULL', detail });
  if (others.length >= max) return refused(`Cannot take another: the order has ${others.length}, ${max} at most`);
  const sum = others.reduce((total, other) => total + other.bytes, bytes);
  if (sum <= bytesMax) return undefined;
  return refused(`Cannot take another: they would have ${sum} bytes together, ${bytesMax} at most`);
}

function tooLate(kind: DocumentKind, status: OrderStatus, statuses: readonly OrderStatus[]): Refusal {
  const allowed = statuses.map((each) => `'${each}'`).join(', ');
  const detail = `Cannot put a ${kind} to the order: it is '${status}'; it must be one of ${allowed}`;
  return { code: 'ORDER_STATE_CONFLICT', detail };
}

export interface FileToDelete {
  readonly orderId: string;
  readonly documentId: string;
  readonly actor: Actor;
  readonly statuses: readonly OrderStatus[];
}

export type DeleteOutcome =
  | { readonly kind: 'deleted'; readonly document: Document }
  | { readonly kind: 'missing' }
  | { readonly kind: 'missing-document' }
  | ({ readonly kind: 'refused' } & Refusal);

/** Takes a file away again while it may be; never what proves something. */
export async function deleteFile(db: Database, file: FileToDelete): Promise<DeleteOutcome> {
  return db.transaction(async (tx) => {
    const stored = await lockOrder(tx, file.orderId);
    if (stored === undefined || !maySee(stored.order, file.actor)) return { kind: 'missing' };
    const document = await findDocument(tx, file.orderId, file.documentId);
    if (document === undefined) return { kind: 'missing-document' };
    const { status } = stored.order;
    if (document.stage !== null || !file.statuses.includes(status)) {
      const why = document.stage === null ? `the order is '${status}'` : 'it proves what was done';
      const detail = `Cannot delete the ${document.kind}: ${why}`;
      return { kind: 'refused', code: 'ORDER_STATE_CONFLICT', detail };
    }
    await deleteDocument(tx, document.documentId);
    return { kind: 'deleted', document };
  });
}
