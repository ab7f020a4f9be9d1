import { createEventStreams, type EventStreams } from '#core/live/event-stream.ts';
import { createLiveHub, type LiveHub } from '#core/live/hub.ts';
import { createShareLinks, isShareLink, type ShareLinks } from '#core/live/share-links.ts';
import { createLiveWebSocket, type LiveWebSocket } from '#core/live/websocket.ts';
import type { Backends } from './backends.ts';
import type { Foundation } from './foundation.ts';
import { createLiveRelay } from './live-relay.ts';
import { loadLinkSecret } from './link-secret.ts';

/** Live streams as the front wires them: what plugins publish on, and the two doors for clients. */
export interface Live {
  readonly hub: LiveHub;
  readonly links: ShareLinks;
  readonly streams: EventStreams;
  readonly sockets: LiveWebSocket;
}

export async function createLive(
  { config, telemetry }: Foundation,
  { authenticator, database, nodes }: Backends,
): Promise<Live> {
  const links = createShareLinks({ config, secret: await loadLinkSecret(database) });
  const hub = createLiveHub({
    config,
    telemetry,
    ...(nodes === undefined ? {} : { relay: createLiveRelay({ nodes, logger: telemetry.logger }) }),
    verify: (token) => (isShareLink(token) ? links.verify(token) : authenticator.verifySession(token)),
  });
  return {
    hub,
    links,
    streams: createEventStreams({ config, hub }),
    sockets: createLiveWebSocket({ config, hub }),
  };
}
