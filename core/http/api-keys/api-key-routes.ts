import type { Principal } from '#plugin-api';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { RequestRefusal } from '../request-refusal.ts';
import type { RouteTable } from '../route-table.ts';
import type { RouteDefinition, RouteRequest, RouteResponse } from '../route.ts';
import { createApiKey, shownApiKey, toKeyId } from './api-key.ts';
import { IssuedKey, Key, KeyParams, KeyQuery, Keys, NewKey } from './api-key-schemas.ts';
import type { ApiKeyRecord, ApiKeyStore } from './api-key-store.ts';
import type { ApiKeys } from './api-keys.ts';
import { coversScope } from './scopes.ts';

export interface ApiKeyRoutesOptions {
  readonly routes: RouteTable;
  readonly store: ApiKeyStore;
  readonly apiKeys: Pick<ApiKeys, 'changed'>;
  readonly config: Pick<Config, 'apiKeyRotationOverlapMs' | 'apiKeysPerPartnerMax'>;
  /** Written before the caller is told. @throws when it cannot be written */
  readonly audit: (change: {
    readonly decision: 'issue' | 'withdraw';
    /** Of the key. */
    readonly resource: string;
    /** Who. */
    readonly rule: string;
  }) => void;
  /** @default Date.now */
  readonly now?: () => number;
}

const owner = { name: 'core', id: 'core' };
const dayMs = 86_400_000;

/** What ops do with any partner's API keys, and a partner with its own. */
export function addApiKeyRoutes(options: ApiKeyRoutesOptions): void {
  const { now = Date.now } = options;
  const add = (definition: Omit<RouteDefinition, 'owner' | 'roles'>): void => {
    options.routes.add({ owner, roles: ['partner', 'ops'], ...definition });
  };
  add({
    verb: 'POST',
    path: '/api-keys',
    summary: 'Issues an API key; the answer shows it this once',
    body: NewKey,
    response: { 201: IssuedKey },
    idempotency: 'own',
    run: (request) => issue(request, options, now()),
  });
  add({
    verb: 'GET',
    path: '/api-keys',
    summary: 'The API keys, newest first, without their secrets',
    query: KeyQuery,
    response: { 200: Keys },
    run: (request) => list(request, options, now()),
  });
  add({
    verb: 'GET',
    path: '/api-keys/{keyId}',
    summary: 'One API key without its secret',
    params: KeyParams,
    response: { 200: Key },
    run: async (request) => toJson(200, toKey(await findOwn(request, options), now())),
  });
  add({
    verb: 'POST',
    path: '/api-keys/{keyId}/rotate',
    summary: 'A new API key in place of this one, which is taken for API_KEY_ROTATION_OVERLAP_MS yet',
    params: KeyParams,
    response: { 201: IssuedKey },
    idempotency: 'own',
    run: (request) => rotate(request, options, now()),
  });
  add({
    verb: 'DELETE',
    path: '/api-keys/{keyId}',
    summary: 'Revokes an API key: it is refused from now on',
    params: KeyParams,
    response: { 204: {} },
    run: (request) => revoke(request, options),
  });
}

async function issue(request: RouteRequest, options: ApiKeyRoutesOptions, nowMs: number): Promise<RouteResponse> {
  const { name, scopes, expiresInDays, partnerId = ownId(request.principal) } = request.body as NewKey;
  if (partnerId === undefined) throw invalid('#/partnerId', 'is missing: ops must say whose key it is');
  if (request.principal.role === 'partner' && partnerId !== request.principal.id) {
    throw invalid('#/partnerId', "must be the caller's own id, or be left out");
  }
  assertMayGive(request, scopes);
  const { keyId, secret, secretHash } = createApiKey(newKeyId(request, 'POST /api-keys'));
  const record = await options.store.insert({
    keyId,
    secretHash,
    partnerId,
    name,
    scopes,
    createdBy: request.principal,
    expiresAt: expiresInDays === undefined ? null : new Date(nowMs + expiresInDays * dayMs),
    activeMax: options.config.apiKeysPerPartnerMax,
  });
  if (record === undefined) {
    if ((await options.store.find(keyId)) !== undefined) throw issuedBefore(keyId);
    const message = `Cannot issue an API key: the partner has ${options.config.apiKeysPerPartnerMax} that are active`;
    throw new AppError('API_KEYS_EXHAUSTED', message);
  }
  return issued(record, secret, { request, options, nowMs });
}

async function rotate(request: RouteRequest, options: ApiKeyRoutesOptions, nowMs: number): Promise<RouteResponse> {
  const old = await findOwn(request, options);
  assertMayGive(request, old.scopes);
  const { keyId, secret, secretHash } = createApiKey(newKeyId(request, `POST /api-keys/${old.keyId}/rotate`));
  const record = await options.store.rotate({
    replaces: old.keyId,
    keyId,
    secretHash,
    createdBy: request.principal,
    overlapMs: options.config.apiKeyRotationOverlapMs,
  });
  if (record === undefined) {
    if ((await options.store.find(keyId)) !== undefined) throw issuedBefore(keyId);
    const reason = old.replacedBy === null ? `it is ${stateOf(old, nowMs)}` : `"${old.replacedBy}" has replaced it`;
    throw new AppError('API_KEY_NOT_ACTIVE', `Cannot rotate API key "${old.keyId}": ${reason}`);
  }
  // What it has replaced before ends with this: which one that was, this node need not know.
  options.apiKeys.changed(null);
  return issued(record, secret, { request, options, nowMs });
}

async function revoke(request: RouteRequest, options: ApiKeyRoutesOptions): Promise<RouteResponse> {
  const record = await findOwn(request, options);
  await options.store.revoke(record.keyId);
  options.apiKeys.changed(record.keyId);
  options.audit({ decision: 'withdraw', resource: describe(record), rule: actorOf(request.principal) });
  return { status: 204 };
}

async function list(request: RouteRequest, options: ApiKeyRoutesOptions, nowMs: number): Promise<RouteResponse> {
  const { limit = 20, cursor, partnerId = null } = request.query as KeyQuery;
  const own = ownId(request.principal);
  // Another partner has no keys that this one may know of.
  if (own !== undefined && partnerId !== null && partnerId !== own) return toJson(200, { keys: [], nextCursor: null });
  const before = cursor === undefined ? null : Number(cursor);
  // One more than asked for tells whether there is a next page.
  const records = await options.store.list({ partnerId: own ?? partnerId, before, limit: limit + 1 });
  const page = records.slice(0, limit);
  return toJson(200, {
    keys: page.map((record) => toKey(record, nowMs)),
    nextCursor: records.length > limit ? String(page.at(-1)?.position) : null,
  });
}

function newKeyId({ principal, headers }: RouteRequest, route: string): string {
  const key = headers['idempotency-key'];
  return toKeyId(principal, route, typeof key === 'string' ? key : undefined);
}

/** The secret is kept nowhere, so the first answer cannot be given again; a second key would be one too many. */
function issuedBefore(keyId: string): RequestRefusal {
  return new RequestRefusal(
    'IDEMPOTENCY_ANSWER_NOT_KEPT',
    `Cannot repeat the answer: "${keyId}" was issued for this Idempotency-Key, and its secret is kept nowhere; revoke it and issue another`,
    { headers: { location: `/api-keys/${keyId}` } },
  );
}

interface Issuing {
  readonly request: RouteRequest;
  readonly options: ApiKeyRoutesOptions;
  readonly nowMs: number;
}

/** Should the audit fail, nobody is told the secret, and the key is worth nothing. */
function issued(record: ApiKeyRecord, secret: string, { request, options, nowMs }: Issuing): RouteResponse {
  options.apiKeys.changed(record.keyId);
  options.audit({ decision: 'issue', resource: describe(record), rule: actorOf(request.principal) });
  const location = `/api-keys/${record.keyId}`;
  return { ...toJson(201, { ...toKey(record, nowMs), secret }), headers: { location } };
}

/** @throws {AppError} API_KEY_NOT_FOUND, also for another partner's */
async function findOwn({ principal, params }: RouteRequest, { store }: ApiKeyRoutesOptions): Promise<ApiKeyRecord> {
  const { keyId } = params as { readonly keyId: string };
  const record = await store.find(keyId);
  const own = ownId(principal);
  if (record === undefined || (own !== undefined && record.partnerId !== own)) {
    throw new AppError('API_KEY_NOT_FOUND', `Cannot find API key "${keyId}": no such key of yours exists`);
  }
  return record;
}

/** An API key cannot give what it does not have. */
function assertMayGive({ scopes: owned }: RouteRequest, given: readonly string[]): void {
  if (owned === undefined) return;
  const more = given.find((scope) => !coversScope(owned, scope) && !owned.includes(scope));
  if (more === undefined) return;
  throw new RequestRefusal(
    'API_KEY_SCOPE_MISSING',
    `Cannot give the scope "${more}": the calling key does not have it`,
  );
}

/** Undefined for ops, who have to do with all. */
function ownId({ id, role }: Principal): string | undefined {
  return role === 'partner' ? id : undefined;
}

const actorOf = ({ id, role }: Principal): string => `${role} "${id}"`;

function describe({ keyId, partnerId, name, scopes }: ApiKeyRecord): string {
  return `${shownApiKey(keyId)} "${name}" of partner "${partnerId}" for ${scopes.join(', ')}`;
}

function stateOf({ revokedAt, expiresAt }: ApiKeyRecord, nowMs: number): Key['state'] {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && expiresAt.getTime() <= nowMs ? 'expired' : 'active';
}

function toKey(record: ApiKeyRecord, nowMs: number): Key {
  const { keyId, partnerId, name, scopes, createdBy, replacedBy } = record;
  return {
    keyId,
    shown: shownApiKey(keyId),
    partnerId,
    name,
    scopes: [...scopes],
    state: stateOf(record, nowMs),
    createdAt: record.createdAt.toISOString(),
    createdBy: { role: createdBy.role, id: createdBy.id },
    expiresAt: record.expiresAt?.toISOString() ?? null,
    revokedAt: record.revokedAt?.toISOString() ?? null,
    replacedBy,
    lastUsedAt: record.lastUsedAt?.toISOString() ?? null,
  };
}

const toJson = (status: number, body: object): RouteResponse => ({ status, text: JSON.stringify(body) });

function invalid(pointer: string, detail: string): RequestRefusal {
  return new RequestRefusal('VALIDATION_FAILED', `Cannot POST /api-keys: body ${pointer} ${detail}`, {
    errors: [{ in: 'body', pointer, detail }],
  });
}
