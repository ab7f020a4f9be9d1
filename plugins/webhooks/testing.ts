import { Type } from 'typebox';
import type { HttpReply, HttpRequest, PluginContext } from '#plugin-api';
import { scopeOf } from './endpoint.ts';
import { refuse } from './errors.ts';
import { testEvent, toTestBody } from './payload.ts';
import type { Settings } from './settings.ts';
import { countBacklog } from './store/deliveries.ts';
import { findEndpoint, lockEndpoint } from './store/endpoints.ts';
import { insertTestMessage, queueTest } from './store/messages.ts';
import { wakeSender } from './wake.ts';

export const TestAnswer = Type.Object(
  {
    deliveryId: Type.String({
      format: 'uuid',
      description: 'What became of it: GET /webhooks/deliveries/{deliveryId}',
    }),
  },
  { additionalProperties: false },
);

/** A test is a delivery like any other: signed, tried again, and in the log. */
export function requestTest(
  ctx: PluginContext,
  request: HttpRequest<{ readonly endpointId: string }>,
  settings: Settings,
): Promise<HttpReply> {
  const { endpointId } = request.params;
  const scope = scopeOf(request.principal);
  return ctx.db.transaction(async (tx) => {
    await lockEndpoint(tx, endpointId, scope);
    const endpoint = await findEndpoint(tx, endpointId, scope);
    if (endpoint === undefined) return refuse('WEBHOOK_ENDPOINT_NOT_FOUND', `You have no endpoint '${endpointId}'`);
    if (endpoint.state === 'disabled') {
      return refuse('WEBHOOK_ENDPOINT_DISABLED', 'Cannot send a test: the endpoint is disabled; enable it first');
    }
    if ((await countBacklog(tx, endpointId, settings.backlogMax)) >= settings.backlogMax) {
      return refuse('WEBHOOK_BACKLOG_FULL', `Cannot send a test: ${settings.backlogMax} deliveries wait already`);
    }
    const messageId = `msg_${request.newId()}`;
    const body = toTestBody(endpointId, new Date());
    await insertTestMessage(tx, { messageId, partnerId: endpoint.partnerId, type: testEvent, body });
    const deliveryId = await queueTest(tx, { messageId, endpointId, retrySeconds: settings.retrySeconds });
    await wakeSender(tx);
    return { status: 202, body: { deliveryId } };
  });
}
