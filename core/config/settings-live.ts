import { integer } from './setting.ts';

/** Live streams: their limits and their times. */
export const liveSettings = {
  liveConnectionsMax: integer('LIVE_CONNECTIONS_MAX', 1000, { description: 'Live connections in total', min: 1 }),
  liveConnectionsPerPrincipalMax: integer('LIVE_CONNECTIONS_PER_PRINCIPAL_MAX', 20, {
    description: 'Live connections of one principal, or with one share link',
    min: 1,
  }),
  liveChannelsPerConnectionMax: integer('LIVE_CHANNELS_PER_CONNECTION_MAX', 50, {
    description: 'Channels that one live connection may watch',
    min: 1,
  }),
  liveWatchesMax: integer('LIVE_WATCHES_MAX', 20_000, {
    description: 'Channels watched, of all live connections together',
    min: 1,
  }),
  liveTokenGraceMs: integer('LIVE_TOKEN_GRACE_MS', 0, {
    description: 'A live connection may outlive its token by this; then it is closed',
    max: 86_400_000,
  }),
  liveHeartbeatMs: integer('LIVE_HEARTBEAT_MS', 15_000, {
    description: 'Interval of live heartbeats; a client that has not answered one by the next is cut off',
    min: 100,
  }),
  liveIdleTimeoutMs: integer('LIVE_IDLE_TIMEOUT_MS', 60_000, {
    description: 'A live connection that watches nothing is closed after this',
    min: 10,
  }),
  liveBufferMaxBytes: integer('LIVE_BUFFER_MAX_BYTES', 65_536, {
    description: 'Unsent bytes above which a slow client gets only the newest value',
    min: 1,
  }),
  liveRecheckMs: integer('LIVE_RECHECK_MS', 60_000, {
    description:
      'How often is asked again whether those who watch still may, spread over half of it; also makes up for what the broker lost',
    min: 50,
  }),
  liveReconnectSpreadMs: integer('LIVE_RECONNECT_SPREAD_MS', 5000, {
    description: 'At a stop, clients are told to come back at different times within this',
    max: 600_000,
  }),
} as const;
