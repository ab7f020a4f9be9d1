import { integer, list, ratio, text, url, type Setting } from './setting.ts';
import { cacheSettings } from './settings-caches.ts';
import { accessSettings } from './settings-access.ts';
import { logSettings } from './settings-log.ts';
import { databaseSettings } from './settings-database.ts';
import { resourceSettings } from './settings-resources.ts';
import { liveSettings } from './settings-live.ts';
import { mqttSettings } from './settings-mqtt.ts';
import { mailSettings } from './settings-mail.ts';
import { traceSettings } from './settings-traces.ts';
import { uploadSettings } from './settings-uploads.ts';
import { thresholds } from './thresholds.ts';

/** Every number and address that matters: its variable, its default and what it means. README.md's table is tested against it. */
export const settings = {
  // addresses
  httpHost: text('HTTP_HOST', '127.0.0.1', { description: 'Address the API listens on; 0.0.0.0 for all' }),
  httpPort: integer('HTTP_PORT', 8080, {
    description: 'API, OpenAPI and live streams; 0 is any free port',
    max: 65_535,
  }),
  mqttHost: text('MQTT_HOST', '127.0.0.1', { description: 'Address the embedded broker listens on' }),
  mqttPort: integer('MQTT_PORT', 1883, { description: 'Embedded MQTT broker; 0 is any free port', max: 65_535 }),
  opsHost: text('OPS_HOST', '127.0.0.1', { description: 'Address of metrics and health' }),
  opsPort: integer('OPS_PORT', 9464, { description: 'Metrics and health; 0 is any free port', max: 65_535 }),
  dataDir: text('DATA_DIR', './data', { description: 'Embedded Postgres, keys, audit and death records' }),
  databaseUrl: url(
    'DATABASE_URL',
    ['postgres:', 'postgresql:'],
    'External Postgres 15 or newer; empty starts the embedded one',
  ),
  mqttUrl: url('MQTT_URL', ['mqtt:', 'mqtts:', 'ws:', 'wss:'], 'External MQTT broker; empty starts the embedded one'),
  environment: text('RETURNIT_ENVIRONMENT', 'development', {
    description: 'Name of the environment in metrics, logs and traces',
  }),
  region: text('RETURNIT_REGION', 'local', { description: 'Name of the region in metrics, logs and traces' }),
  ...logSettings,
  shutdownTimeoutMs: integer('SHUTDOWN_TIMEOUT_MS', 25_000, {
    description: 'Time to drain before what is left is cut off',
    min: 100,
    max: 28_000,
  }),

  // database
  ...databaseSettings,
  ...resourceSettings,

  // jobs and events
  outboxBatchMax: integer('OUTBOX_BATCH_MAX', 500, {
    description: 'Outbox rows moved to the queues in one transaction',
    min: 1,
    max: 10_000,
  }),
  outboxPollMs: integer('OUTBOX_POLL_MS', 1000, {
    description: 'Outbox poll, for what a node left behind that ended after its commit',
    min: 10,
  }),
  jobRetryLimit: integer('JOB_RETRY_LIMIT', 5, {
    description: 'Retries before a job goes to its dead-letter queue',
    max: 100,
  }),
  jobRetryDelayMs: integer('JOB_RETRY_DELAY_MS', 1000, {
    description: 'First retry delay; it doubles each time',
    min: 1000,
  }),
  jobBatchWaitMs: integer('JOB_BATCH_WAIT_MS', 20, {
    description:
      'How long jobs that are done, and rows of the outbox soon after others, wait for more to share a statement',
    max: 1000,
  }),
  jobPollMs: integer('JOB_POLL_MS', 2000, { description: 'Queue poll, should a notification be lost', min: 500 }),
  jobTimeoutMs: integer('JOB_TIMEOUT_MS', 60_000, {
    description: 'Longest run of one job, and of repeated work',
    min: 1000,
  }),
  jobHeartbeatSeconds: integer('JOB_HEARTBEAT_SECONDS', 10, {
    description: 'A job whose node gives no sign for this long comes again, on any node',
    min: 10,
    max: 3600,
  }),
  eventConcurrency: integer('EVENT_CONCURRENCY', 4, {
    description:
      'Events that one plugin process handles at the same time; each request that waits for its answer takes a place, down to one',
    min: 1,
    max: 100,
  }),
  inboxRetentionMs: integer('INBOX_RETENTION_MS', 1_209_600_000, {
    description: 'How long an event id is remembered (14 days)',
    min: 60_000,
  }),

  // http
  httpBodyMaxBytes: integer('HTTP_BODY_MAX_BYTES', 1_048_576, { description: 'Largest request body', min: 1 }),
  httpRequestTimeoutMs: integer('HTTP_REQUEST_TIMEOUT_MS', 30_000, { description: 'Longest request', min: 1 }),
  httpSlowRequestMs: integer('HTTP_SLOW_REQUEST_MS', thresholds.slowRequestMs.value, {
    description: 'A slower request is logged as a warning',
    min: 1,
  }),
  httpActiveUserMs: integer('HTTP_ACTIVE_USER_MS', 300_000, {
    description: 'A user counts as active for so long after a request',
    min: 1000,
  }),
  httpConnectionsMax: integer('HTTP_CONNECTIONS_MAX', 10_000, { description: 'Open connections', min: 1 }),
  httpHeadersMaxBytes: integer('HTTP_HEADERS_MAX_BYTES', 16_384, {
    description: 'Largest headers of a request',
    min: 1024,
    max: 1_048_576,
  }),
  httpKeepAliveMs: integer('HTTP_KEEP_ALIVE_MS', 65_000, {
    description: 'An idle connection is closed after this; longer than the load balancer keeps it',
    min: 1,
  }),
  httpRoutesPerPluginMax: integer('HTTP_ROUTES_PER_PLUGIN_MAX', 200, {
    description: 'Routes that one plugin may register',
    min: 1,
  }),
  httpTrustedProxies: list(
    'HTTP_TRUSTED_PROXIES',
    'Addresses of proxies in front, comma-separated: theirs is the word (`X-Forwarded-For`) on where a device calls from',
  ),
  httpStreamMaxBytes: integer('HTTP_STREAM_MAX_BYTES', 134_217_728, {
    description: 'Largest streamed answer of a plugin',
    min: 1,
  }),
  httpStreamStallMs: integer('HTTP_STREAM_STALL_MS', 30_000, {
    description: 'A client that takes nothing of a streamed answer for this long is cut off',
    min: 1,
    max: 60_000,
  }),
  httpStreamsPerPluginMax: integer('HTTP_STREAMS_PER_PLUGIN_MAX', 32, {
    description: 'Streamed answers of one plugin at the same time',
    min: 1,
    max: 128,
  }),
  ...uploadSettings,
  httpTokensCachedMax: integer('HTTP_TOKENS_CACHED_MAX', 10_000, {
    description: 'Verified tokens remembered, for a minute at most',
    min: 1,
  }),
  jwtJwksUrl: url(
    'JWT_JWKS_URL',
    ['https:', 'http:'],
    'Keys that sign tokens; empty uses a local key made at first start',
  ),
  jwtIssuer: text('JWT_ISSUER', 'returnit', { description: 'Required `iss` of tokens' }),
  jwtAudience: text('JWT_AUDIENCE', 'returnit-api', { description: 'Required `aud` of tokens' }),
  ...accessSettings,

  // caches
  ...cacheSettings,

  // mqtt
  ...mqttSettings,

  // live
  ...liveSettings,

  // plugins
  plugins: list('PLUGINS', 'Plugins to start, comma-separated; empty starts all'),
  pluginPaths: list('PLUGIN_PATHS', 'More folders of plugins, comma-separated'),
  pluginBootTimeoutMs: integer('PLUGIN_BOOT_TIMEOUT_MS', 15_000, {
    description: 'Longest setup of a plugin',
    min: 100,
  }),
  pluginCallTimeoutMs: integer('PLUGIN_CALL_TIMEOUT_MS', 10_000, {
    description: 'Longest call in either direction',
    min: 10,
  }),
  pluginCallsInFlightMax: integer('PLUGIN_CALLS_IN_FLIGHT_MAX', 256, {
    description: 'Calls in flight in each direction before reading pauses',
    min: 1,
  }),
  pluginNotesPerSecondMax: integer('PLUGIN_NOTES_PER_SECOND_MAX', 20_000, {
    description: 'Log lines and metric records that are taken of a plugin in a second; more are dropped and counted',
    min: 1,
  }),
  pluginFrameMaxBytes: integer('PLUGIN_FRAME_MAX_BYTES', 4_194_304, {
    description: 'Largest frame; a larger one ends the plugin',
    min: 1024,
  }),
  pluginHeapMiB: integer('PLUGIN_HEAP_MIB', 128, {
    description: 'Heap of a plugin unless its manifest asks for less',
    min: 16,
  }),
  pluginRssMiB: integer('PLUGIN_RSS_MIB', 320, { description: 'Resident memory of a plugin process', min: 64 }),
  pluginHeartbeatMs: integer('PLUGIN_HEARTBEAT_MS', 1000, {
    description: 'Interval of heartbeats and samples',
    min: 50,
  }),
  pluginHeartbeatTimeoutMs: integer('PLUGIN_HEARTBEAT_TIMEOUT_MS', 10_000, {
    description: 'Silence after which a plugin is killed',
    min: 100,
  }),
  pluginLoopRatio: ratio('PLUGIN_LOOP_RATIO', 0.98, 'Event-loop utilisation that counts as an endless loop'),
  pluginLoopMs: integer('PLUGIN_LOOP_MS', 3000, { description: 'How long it must last', min: 100 }),
  pluginProfileMs: integer('PLUGIN_PROFILE_MS', 1000, {
    description: 'CPU profile taken of a loop before it is ended',
    min: 10,
  }),
  pluginRestartDelayMs: integer('PLUGIN_RESTART_DELAY_MS', 500, {
    description: 'First restart delay; it doubles up to 30 s, with jitter',
    min: 1,
  }),
  pluginQuarantineDeaths: integer('PLUGIN_QUARANTINE_DEATHS', 3, {
    description: 'Deaths within the window that quarantine a plugin',
    min: 1,
  }),
  pluginQuarantineWindowMs: integer('PLUGIN_QUARANTINE_WINDOW_MS', 300_000, { description: 'That window', min: 1000 }),
  pluginDeathsKept: integer('PLUGIN_DEATHS_KEPT', 20, { description: 'Death records kept per plugin', min: 1 }),
  pluginLogLinesPerSecondMax: integer('PLUGIN_LOG_LINES_PER_SECOND_MAX', 200, {
    description: 'Log lines of a plugin in a second; more are dropped and counted',
    min: 1,
  }),
  pluginLogLineMaxBytes: integer('PLUGIN_LOG_LINE_MAX_BYTES', 8192, {
    description: 'Largest message, and largest fields, of a log line of a plugin',
    min: 64,
  }),
  pluginDenialsPerMinuteMax: integer('PLUGIN_DENIALS_PER_MINUTE_MAX', 600, {
    description: 'Denials in a minute after which a plugin is ended',
    min: 1,
  }),

  pluginCallsPerSecondMax: integer('PLUGIN_CALLS_PER_SECOND_MAX', 50_000, {
    description: 'Calls that a plugin may make in a second',
    min: 1,
  }),
  netResponseMaxBytes: integer('NET_RESPONSE_MAX_BYTES', 1_048_576, {
    description: 'Largest response that a plugin may fetch',
    min: 1,
  }),
  netRedirectsMax: integer('NET_REDIRECTS_MAX', 5, { description: 'Redirects that a fetch of a plugin follows' }),

  // mail
  ...mailSettings,

  // telemetry
  ...traceSettings,
  metricLabelSetsMax: integer('METRIC_LABEL_SETS_MAX', 500, {
    description: 'Label sets of one metric; more count as `other`',
    min: 1,
  }),
  metricSeriesMax: integer('METRIC_SERIES_MAX', 10_000, {
    description: 'Series of a process; label sets that would make more count as `other`',
    min: 3000,
  }),
  auditFileMaxBytes: integer('AUDIT_FILE_MAX_BYTES', 67_108_864, {
    description: 'Size at which a new audit file is begun',
    min: 1024,
  }),
} as const satisfies Record<string, Setting<unknown>>;

export type Config = {
  readonly [Name in keyof typeof settings]: (typeof settings)[Name] extends Setting<infer T> ? T : never;
};
