import { randomUUID } from 'node:crypto';
import type { HttpReply, HttpRequest, PluginContext, Transaction } from '#plugin-api';
import { checkUrl, hostOf, resourceOf } from './endpoint-url.ts';
import {
  eventTypesDefault,
  matches,
  scopeOf,
  toEndpoint,
  toETag,
  type EndpointPatch,
  type NewEndpoint,
} from './endpoint.ts';
import { refuse, type Refusal } from './errors.ts';
import type { SecretBox } from './secret-box.ts';
import type { Settings } from './settings.ts';
import { createSecret } from './signature.ts';
import { cancelDeliveries } from './store/deliveries.ts';
import {
  countEndpoints,
  deleteEndpoint,
  disableEndpoint,
  enableEndpoint,
  findEndpoint,
  insertEndpoint,
  lockEndpoint,
  lockPartner,
  updateEndpoint,
  type StoredEndpoint,
} from './store/endpoints.ts';
import { deleteSecrets, expireCurrentSecret, findSealed, insertSecret, listSealedSecrets } from './store/secrets.ts';
import { wakeSender } from './wake.ts';

export interface EndpointDeps {
  readonly settings: Settings;
  readonly secretBox: SecretBox;
}

/** Signatures of one delivery: its header stays small, and nobody collects secrets. */
const secretsMax = 5;

type Place = { readonly endpointId: string };
type EndpointRequest<Body = unknown> = HttpRequest<Place, unknown, Body>;

export async function makeEndpoint(
  ctx: PluginContext,
  request: HttpRequest<unknown, unknown, NewEndpoint>,
  { settings, secretBox }: EndpointDeps,
): Promise<HttpReply> {
  const { principal, body } = request;
  const partnerId = principal.role === 'ops' ? body.partnerId : principal.id;
  if (partnerId === undefined || (body.partnerId !== undefined && body.partnerId !== partnerId)) {
    return refuse('WEBHOOK_PARTNER_REQUIRED', "'partnerId' must say whose endpoint it is; a partner's is its own");
  }
  if (!secretBox.usable) return keyMissing();
  const refused = await refuseUrl(ctx, body.url, settings);
  if (refused !== undefined) return refused;
  const endpointId = request.newId();
  return ctx.db.transaction(async (tx) => {
    await lockPartner(tx, partnerId);
    const known = await findEndpoint(tx, endpointId, partnerId);
    // The same request again: the first answer may never have arrived, and who has its key has made it.
    if (known !== undefined) return withSecret(known, await currentSecret(tx, endpointId, secretBox));
    if ((await countEndpoints(tx, partnerId)) >= settings.endpointsMax) {
      const what = `Cannot make an endpoint: there are ${settings.endpointsMax}, which is the most that a partner may have`;
      return refuse('WEBHOOK_ENDPOINTS_TOO_MANY', what);
    }
    const { url, description = '', eventTypes = eventTypesDefault } = body;
    await insertEndpoint(tx, { endpointId, partnerId, url, description, eventTypes });
    const secret = createSecret();
    await insertSecret(tx, { secretId: randomUUID(), endpointId, sealed: secretBox.seal(secret, endpointId) });
    ctx.log.info('webhook endpoint made', { endpointId, partnerId, host: hostOf(url) });
    return withSecret(await findEndpoint(tx, endpointId, partnerId), secret);
  });
}

export function changeEndpoint(
  ctx: PluginContext,
  request: EndpointRequest<EndpointPatch>,
  { settings }: EndpointDeps,
): Promise<HttpReply> {
  const { url, description, eventTypes, enabled } = request.body;
  return changing(ctx, request, async (tx, endpointId) => {
    // Inside, so that a stranger learns nothing of what it may be.
    const refused = url === undefined ? undefined : await refuseUrl(ctx, url, settings);
    if (refused !== undefined) return refused;
    await updateEndpoint(tx, endpointId, { url, description, eventTypes });
    if (enabled === true) await enableEndpoint(tx, endpointId);
    if (enabled === false) await disableEndpoint(tx, endpointId, 'partner');
    await wakeSender(tx);
    const changed = await findEndpoint(tx, endpointId, null);
    if (changed === undefined) throw new Error(`Cannot find endpoint '${endpointId}', which is locked`);
    ctx.log.info('webhook endpoint changed', { endpointId, state: changed.state, host: hostOf(changed.url) });
    return { status: 200, body: toEndpoint(changed), headers: { etag: toETag(changed.version) } };
  });
}

export function removeEndpoint(ctx: PluginContext, request: EndpointRequest): Promise<HttpReply> {
  return changing(ctx, request, async (tx, endpointId) => {
    await deleteEndpoint(tx, endpointId);
    await deleteSecrets(tx, endpointId);
    const cancelled = await cancelDeliveries(tx, endpointId);
    if (cancelled > 0) ctx.metrics.increment('returnit_webhooks_deliveries_total', { outcome: 'cancelled' }, cancelled);
    ctx.log.info('webhook endpoint deleted', { endpointId, cancelled });
    return { status: 204, body: null };
  });
}

export async function rotateSecret(
  ctx: PluginContext,
  request: EndpointRequest,
  { settings, secretBox }: EndpointDeps,
): Promise<HttpReply> {
  if (!secretBox.usable) return keyMissing();
  return changing(ctx, request, async (tx, endpointId) => {
    const secretId = request.newId();
    const known = await findSealed(tx, { secretId, endpointId });
    // The same request again: nothing is rotated twice.
    if (known !== undefined) {
      return withSecret(await findEndpoint(tx, endpointId, null), secretBox.open(known, endpointId), 200);
    }
    if ((await listSealedSecrets(tx, endpointId)).length >= secretsMax) {
      const what = `Cannot rotate: ${secretsMax} secrets are in use; wait until the oldest has expired`;
      return refuse('WEBHOOK_SECRETS_TOO_MANY', what);
    }
    const secret = createSecret();
    await expireCurrentSecret(tx, endpointId, settings.secretOverlapSeconds);
    await insertSecret(tx, { secretId, endpointId, sealed: secretBox.seal(secret, endpointId) });
    await updateEndpoint(tx, endpointId, {});
    ctx.log.info('webhook secret rotated', { endpointId });
    return withSecret(await findEndpoint(tx, endpointId, null), secret, 200);
  });
}

/** The endpoint of the caller's, locked, and as the caller believes it to be. */
function changing(
  ctx: PluginContext,
  { principal, params: { endpointId }, headers }: EndpointRequest,
  change: (tx: Transaction, endpointId: string) => Promise<HttpReply>,
): Promise<HttpReply> {
  return ctx.db.transaction(async (tx) => {
    const version = await lockEndpoint(tx, endpointId, scopeOf(principal));
    if (version === undefined) return refuse('WEBHOOK_ENDPOINT_NOT_FOUND', `You have no endpoint '${endpointId}'`);
    if (!matches(headers['if-match'], version)) {
      return refuse('WEBHOOK_ENDPOINT_CHANGED', `The endpoint is at version ${toETag(version)}: read it again`);
    }
    return change(tx, endpointId);
  });
}

/** What it is called by must be granted: the operator decides, and this says it before an event is lost on it. */
async function refuseUrl(ctx: PluginContext, url: string, settings: Settings): Promise<Refusal | undefined> {
  const problem = checkUrl(url, settings);
  if (problem !== undefined) return refuse('WEBHOOK_URL_INVALID', `Cannot use 'url': ${problem}`);
  const resource = resourceOf(url);
  if ((await ctx.permissions.query({ name: 'net', resource })) === 'granted') return undefined;
  const what = `the platform may not call "${resource}": webhooks has no grant for it`;
  return refuse('WEBHOOK_URL_NOT_ALLOWED', `Cannot use 'url': ${what}`);
}

async function currentSecret(tx: Transaction, endpointId: string, secretBox: SecretBox): Promise<string> {
  const [sealed] = await listSealedSecrets(tx, endpointId);
  if (sealed === undefined) throw new Error(`Cannot find the secret of endpoint '${endpointId}'`);
  return secretBox.open(sealed, endpointId);
}

function withSecret(endpoint: StoredEndpoint | undefined, secret: string, status: 200 | 201 = 201): HttpReply {
  if (endpoint === undefined) throw new Error('Cannot find an endpoint that was just written');
  return { status, body: { ...toEndpoint(endpoint), secret }, headers: { etag: toETag(endpoint.version) } };
}

function keyMissing(): Refusal {
  const what = 'set it to 32 random bytes in base64, as `openssl rand -base64 32` prints them, and start again';
  return refuse('WEBHOOK_KEY_MISSING', `Cannot keep a secret: WEBHOOKS_SECRET_KEY is not set; ${what}`);
}
