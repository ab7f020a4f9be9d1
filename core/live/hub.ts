import type { Principal } from '#plugin-api';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { createChannelTable, type ChannelOwner } from './channel-table.ts';
import { createConnection, type LiveConnection } from './connection.ts';
import type { LiveTransport } from './watcher.ts';

export interface LiveHub {
  /** A plugin's later declaration of the same pattern replaces its earlier one. @throws {AppError} INVALID_CALL */
  declare(pattern: string, owner: ChannelOwner): void;
  publish(channel: string, data: object, version?: number): void;
  close(channel: string, reason: string): void;
  /** @throws {AppError} OVERLOADED when there are too many connections, SHUTTING_DOWN */
  connect(principal: Principal, transport: LiveTransport): LiveConnection;
  /** Ends every connection, telling the clients. */
  stop(): void;
}

/** Brings live values to the clients that may see them. It keeps no values: the snapshot comes from the channel's owner. */
export function createLiveHub(options: { readonly config: Config; readonly telemetry: Telemetry }): LiveHub {
  const { config, telemetry } = options;
  const channels = createChannelTable(telemetry);
  const connections = new Map<LiveTransport, string>();
  const published = telemetry.metrics.counter('returnit_live_messages_published_total');
  const sent = telemetry.metrics.counter('returnit_live_messages_sent_total');
  const superseded = telemetry.metrics.counter('returnit_live_messages_superseded_total');
  const refused = telemetry.metrics.counter('returnit_live_connections_refused_total');
  const open = telemetry.metrics.gauge('returnit_live_connections');
  const openMax = telemetry.metrics.gauge('returnit_live_connections_max');
  for (const transport of ['ws', 'sse']) openMax.set({ transport }, config.liveConnectionsMax);
  let stopping = false;

  function admit(principal: Principal): void {
    if (stopping) {
      refused.inc({ reason: 'stopping' });
      throw new AppError('SHUTTING_DOWN', 'Cannot open a live connection: the server is shutting down');
    }
    const own = connections.values().reduce((count, id) => count + (id === principal.id ? 1 : 0), 0);
    const { liveConnectionsMax, liveConnectionsPerPrincipalMax } = config;
    if (connections.size < liveConnectionsMax && own < liveConnectionsPerPrincipalMax) return;
    refused.inc({ reason: 'overloaded' });
    const limit = own < liveConnectionsPerPrincipalMax ? liveConnectionsMax : liveConnectionsPerPrincipalMax;
    throw new AppError('OVERLOADED', `Cannot open a live connection: ${limit} are open already`, {
      details: { limit },
    });
  }

  return {
    declare: (pattern, owner) => channels.declare(pattern, owner),
    publish(channel, data, version) {
      const watchers = channels.watchersOf(channel);
      for (const watcher of watchers) watcher.change(data, version);
      published.inc();
    },
    close(channel, reason) {
      const watchers = channels.watchersOf(channel);
      channels.removeAll(channel);
      for (const watcher of watchers) watcher.closed(reason);
    },
    connect(principal, transport) {
      admit(principal);
      connections.set(transport, principal.id);
      open.add({ transport: transport.name }, 1);
      return createConnection({
        principal,
        transport,
        channels,
        bufferMaxBytes: config.liveBufferMaxBytes,
        onSent: () => sent.inc({ transport: transport.name }),
        onSuperseded: () => superseded.inc({ transport: transport.name }),
        onEnd() {
          connections.delete(transport);
          open.add({ transport: transport.name }, -1);
        },
      });
    },
    stop() {
      stopping = true;
      for (const transport of connections.keys()) transport.close('the server is shutting down');
    },
  };
}
