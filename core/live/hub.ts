import type { IncomingMessage } from 'node:http';
import type { Principal } from '#plugin-api';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { createChannelTable, type ChannelOwner } from './channel-table.ts';
import { createConnection, type LiveConnection } from './connection.ts';
import { createLiveMetrics } from './live-metrics.ts';
import { tokenOf } from './live-request.ts';
import type { LiveTransport } from './watcher.ts';

export interface LiveHubOptions {
  readonly config: Config;
  readonly telemetry: Telemetry;
  /** Rejects with UNAUTHENTICATED when the token is wrong. */
  readonly verify: (token: string) => Promise<LiveSession>;
}

/** Who watches, and until when the token allows it. */
export interface LiveSession {
  readonly principal: Principal;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

export interface LiveHub {
  /** A plugin's later declaration of the same pattern replaces its earlier one. @throws {AppError} INVALID_CALL */
  declare(pattern: string, owner: ChannelOwner): void;
  publish(channel: string, data: object, version?: number): void;
  close(channel: string, reason: string): void;
  /** @throws {AppError} UNAUTHENTICATED */
  authenticate(request: IncomingMessage): Promise<LiveSession>;
  /**
   * The connection ends with the session.
   *
   * @throws {AppError} OVERLOADED when there are too many connections, SHUTTING_DOWN
   */
  connect(session: LiveSession, transport: LiveTransport): LiveConnection;
  /** Ends every connection, telling the clients. */
  stop(): void;
}

/** Brings live values to the clients that may see them. It keeps no values: the snapshot comes from the channel's owner. */
export function createLiveHub(options: LiveHubOptions): LiveHub {
  const { config, telemetry } = options;
  const channels = createChannelTable(telemetry);
  const metrics = createLiveMetrics(telemetry.metrics, config);
  const connections = new Map<LiveTransport, string>();
  let stopping = false;

  function connect({ principal, expiresAtMs }: LiveSession, transport: LiveTransport): LiveConnection {
    try {
      if (stopping) throw new AppError('SHUTTING_DOWN', 'Cannot open a live connection: the server is shutting down');
      assertRoom([...connections.values()], principal, config);
    } catch (error) {
      metrics.refused(error);
      throw error;
    }
    const { name } = transport;
    connections.set(transport, principal.id);
    metrics.open.add({ transport: name }, 1);
    return createConnection({
      endsAtMs: expiresAtMs + config.liveTokenGraceMs,
      principal,
      transport,
      channels,
      bufferMaxBytes: config.liveBufferMaxBytes,
      onSent: () => metrics.sent.inc({ transport: name }),
      onSuperseded: () => metrics.superseded.inc({ transport: name }),
      onEnd() {
        connections.delete(transport);
        metrics.open.add({ transport: name }, -1);
      },
    });
  }

  return {
    declare: (pattern, owner) => channels.declare(pattern, owner),
    publish(channel, data, version) {
      metrics.published.inc();
      for (const watcher of channels.watchersOf(channel)) watcher.change(data, version);
    },
    close(channel, reason) {
      const watchers = channels.watchersOf(channel);
      channels.removeAll(channel);
      for (const watcher of watchers) watcher.closed(reason);
    },
    async authenticate(request) {
      try {
        return await options.verify(tokenOf(request));
      } catch (error) {
        metrics.refused(error);
        if (!(error instanceof AppError))
          telemetry.logger.error({ err: error }, 'Cannot check the token of a live client');
        throw error;
      }
    },
    connect,
    stop() {
      stopping = true;
      for (const transport of connections.keys()) transport.close('stopping');
    },
  };
}

function assertRoom(open: readonly string[], principal: Principal, config: Config): void {
  const { liveConnectionsMax, liveConnectionsPerPrincipalMax } = config;
  const own = open.filter((id) => id === principal.id).length;
  if (open.length < liveConnectionsMax && own < liveConnectionsPerPrincipalMax) return;
  const limit = own < liveConnectionsPerPrincipalMax ? liveConnectionsMax : liveConnectionsPerPrincipalMax;
  throw new AppError('OVERLOADED', `Cannot open a live connection: ${limit} are open already`, { details: { limit } });
}
