import type { DestinationStream } from 'pino';
import type { Config } from '#core/config/settings.ts';
import { collectContainer } from './container-collector.ts';
import { createLogFile, type LogFile, type LogFileOptions } from './log-file.ts';
import { createLogLevels, type LogLevels } from './log-levels.ts';
import { createLogger, flushLogger, type Logger } from './logger.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { startRuntimeCollector } from './runtime-collector.ts';
import { startTracing, type Tracing } from './tracing.ts';

/** What every part of the core is given. */
export interface Telemetry {
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export interface RunningTelemetry extends Telemetry {
  readonly tracing: Tracing;
  /** Of the log. */
  readonly logLevels: LogLevels;
  /** Sends and writes what is buffered. Logging still works afterwards, unbuffered spans are lost. */
  stop(): Promise<void>;
}

export interface TelemetryOptions {
  /** Of the platform. */
  readonly version: string;
  /** Where log lines go. @default the log file, or standard output when there is none */
  readonly logDestination?: DestinationStream;
  readonly logFile?: Omit<LogFileOptions, 'onDropped'>;
}

type TelemetryConfig = Pick<
  Config,
  | 'environment'
  | 'region'
  | 'logLevel'
  | 'logRepeatsMax'
  | 'logRepeatsWindowMs'
  | 'otlpEndpoint'
  | 'tracesKept'
  | 'metricLabelSetsMax'
> &
  Partial<
    Pick<
      Config,
      | 'metricSeriesMax'
      | 'tracesTailKept'
      | 'tracesSampleRatio'
      | 'tracesSlowMs'
      | 'tracesHeldMax'
      | 'tracesQueueMax'
      | 'tracesStopMs'
    >
  >;

/** Metrics, logs and traces of this process. */
export async function createTelemetry(config: TelemetryConfig, options: TelemetryOptions): Promise<RunningTelemetry> {
  const { environment, region } = config;
  const metrics = createMetrics({
    labelSetsMax: config.metricLabelSetsMax,
    ...(config.metricSeriesMax === undefined ? {} : { seriesMax: config.metricSeriesMax }),
    onCollectError: (error) => logger.error({ component: 'telemetry', err: error }, 'Cannot collect metrics'),
  });
  const logFile = options.logFile === undefined ? undefined : openLogFile(options.logFile, metrics);
  const destination = options.logDestination ?? logFile;
  const logLevels = createLogLevels({ configured: config.logLevel, metrics });
  const logger = createLogger({
    level: config.logLevel,
    levels: logLevels,
    repeats: { max: config.logRepeatsMax, windowMs: config.logRepeatsWindowMs },
    fields: { environment, region },
    metrics,
    ...(destination === undefined ? {} : { destination }),
  });
  const tracing = await startTracing({ ...config, version: options.version, logger });
  metrics
    .gauge('returnit_build_info')
    .set({ version: options.version, node_version: process.version, environment, region }, 1);
  const stopRuntime = startRuntimeCollector(metrics);
  const stopContainer = collectContainer(metrics);
  const spans = metrics.counter('returnit_traces_spans_total');
  const countSpans = (): void => {
    for (const { outcome, reason, total } of tracing.counts()) spans.advanceTo({ outcome, reason }, total);
  };
  const stopSpans = metrics.onCollect(countSpans);

  return {
    metrics,
    logger,
    logLevels,
    tracing,
    async stop() {
      stopRuntime();
      stopContainer();
      await tracing.stop();
      stopSpans();
      countSpans();
      await flushLogger(logger);
      logFile?.close();
    },
  };
}

function openLogFile(file: NonNullable<TelemetryOptions['logFile']>, metrics: Metrics): LogFile {
  const dropped = metrics.counter('returnit_log_messages_dropped_total');
  return createLogFile({ ...file, onDropped: () => dropped.inc() });
}
