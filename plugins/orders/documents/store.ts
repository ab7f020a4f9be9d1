import type { Queryable, Statement } from '#plugin-api';
import type { Document } from './document.ts';

const columns = `document_id as "documentId", order_id as "orderId", kind, stage, attempt, content_type as "contentType",
  bytes, width, height, sha256, json_build_object('kind', uploaded_by_kind, 'id', uploaded_by) as "uploadedBy",
  uploaded_at as "uploadedAt", '/orders/' || order_id || '/documents/' || document_id || '/content' as content`;

export type NewDocument = Omit<Document, 'uploadedAt' | 'content'>;

const insertDocumentStatement: Statement = {
  name: 'insert_document',
  text: `insert into order_documents (document_id, order_id, kind, stage, attempt, content_type, bytes, width, height,
      sha256, uploaded_by_kind, uploaded_by)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    returning ${columns}`,
};

export async function insertDocument(tx: Queryable, document: NewDocument): Promise<Document> {
  const { rows } = await tx.query<Document>(insertDocumentStatement, [
    document.documentId,
    document.orderId,
    document.kind,
    document.stage,
    document.attempt,
    document.contentType,
    document.bytes,
    document.width,
    document.height,
    document.sha256,
    document.uploadedBy.kind,
    document.uploadedBy.id,
  ]);
  const [row] = rows;
  if (row === undefined) throw new TypeError('An insert without a condition returned no row');
  return row;
}

const insertPartStatement: Statement = {
  name: 'insert_document_part',
  text: `insert into order_document_parts (document_id, part, content) values ($1, $2, decode($3, 'base64'))`,
};

export interface Part {
  readonly documentId: string;
  readonly part: number;
  /** Base64. */
  readonly content: string;
}

export async function insertPart(tx: Queryable, { documentId, part, content }: Part): Promise<void> {
  await tx.query(insertPartStatement, [documentId, part, content]);
}

const listDocumentsStatement: Statement = {
  name: 'list_documents',
  text: `select ${columns} from order_documents where order_id = $1 order by uploaded_at, document_id limit 1000`,
};

/** Oldest first. What an order may have of them is bounded when they are put in. */
export async function listDocuments(db: Queryable, orderId: string): Promise<readonly Document[]> {
  const { rows } = await db.query<Document>(listDocumentsStatement, [orderId]);
  return rows;
}

const findDocumentStatement: Statement = {
  name: 'find_document',
  text: `select ${columns} from order_documents where order_id = $1 and document_id = $2`,
};

export async function findDocument(db: Queryable, orderId: string, documentId: string): Promise<Document | undefined> {
  const { rows } = await db.query<Document>(findDocumentStatement, [orderId, documentId]);
  return rows[0];
}

const readPartStatement: Statement = {
  name: 'read_document_part',
  text: `select content from order_document_parts where document_id = $1 and part = $2`,
};

/** @returns base64; undefined behind the last part */
export async function readPart(db: Queryable, documentId: string, part: number): Promise<string | undefined> {
  const { rows } = await db.query<{ readonly content: string }>(readPartStatement, [documentId, part]);
  return rows[0]?.content;
}

const deleteDocumentStatement: Statement = {
  name: 'delete_document',
  text: `delete from order_documents where document_id = $1`,
};

/** With its parts. */
export async function deleteDocument(tx: Queryable, documentId: string): Promise<void> {
  await tx.query(deleteDocumentStatement, [documentId]);
}
