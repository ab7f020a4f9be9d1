import type { LiveRelay, RelayMessage, RelayReceiver } from '#core/live/relay.ts';
import type { NodeMessages } from '#core/mqtt/node-messages.ts';
import type { Logger } from '#core/telemetry/logger.ts';

export interface LiveRelayOptions {
  readonly nodes: NodeMessages;
  readonly logger: Logger;
}

/** Live channels over the broker: a channel is a topic, what is said of it a payload. */
export function createLiveRelay({ nodes, logger }: LiveRelayOptions): LiveRelay {
  return {
    send(channel, message) {
      // The next value makes up for one that was lost; an end must be heard.
      nodes.publish(channel, JSON.stringify(message), { mustArrive: message.kind !== 'value' });
    },
    listen(receiver: RelayReceiver) {
      nodes.listen({
        onMessage(channel, payload) {
          if (!receiver.isWatched(channel)) return;
          const message = parseMessage(payload);
          if (message === undefined) logger.warn('A message between nodes is of another form: dropped');
          else receiver.receive(channel, message);
        },
        onGap: () => receiver.onGap(),
      });
    },
  };
}

/** Of a node of another release it may be anything. */
function parseMessage(payload: Buffer): RelayMessage | undefined {
  try {
    const { kind, json, version, reason } = JSON.parse(payload.toString('utf8')) as Readonly<Record<string, unknown>>;
    if (kind === 'recheck') return { kind };
    if (kind === 'close') return typeof reason === 'string' ? { kind, reason } : undefined;
    if (kind !== 'value' || typeof json !== 'string') return undefined;
    // What goes to clients as it is must be JSON.
    JSON.parse(json);
    return { kind, json, version: typeof version === 'number' ? version : undefined };
  } catch {
    // Not JSON: told by whoever asked.
    return undefined;
  }
}
