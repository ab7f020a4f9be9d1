import { context, trace } from '@opentelemetry/api';
import pino from 'pino';
import type { Metrics } from './metrics.ts';
import { redactFields, redactText } from './redaction.ts';

export type Logger = pino.Logger;

/** Lines of this many bytes wait for a slow reader of stdout; more are dropped and counted. */
const bufferMaxBytes = 16 * 1024 * 1024;

export interface LoggerOptions {
  readonly level: string;
  /** @default standard output, written in this process: a transport's worker can lose the last lines */
  readonly destination?: pino.DestinationStream;
  /** Stand on every line, such as the environment and the region. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Counts lines in returnit_log_messages_total. */
  readonly metrics?: Metrics;
}

/**
 * NDJSON: one object a line with `level`, `time` (ISO 8601), `msg`, and `trace_id`, `span_id`, `trace_flags` of the active
 * span. Secrets and exact positions are replaced at any depth, in fields, bindings, errors and texts.
 */
export function createLogger(options: LoggerOptions): Logger {
  const logger = pino(
    {
      level: options.level,
      base: { service: 'returnit', ...options.fields },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: redactFields },
      // Errors are described by redactFields, before pino would.
      serializers: {
        err: (value: unknown) => value,
        msg: (text: unknown) => (typeof text === 'string' ? redactText(text) : text),
      },
      mixin: traceFields,
      ...(options.metrics === undefined ? {} : { hooks: { logMethod: countingMethod(options.metrics) } }),
    },
    options.destination ?? createStdout(options.metrics),
  );
  return redactBindings(logger);
}

/** Writes what is buffered; to be awaited before the process ends. */
export function flushLogger(logger: Logger): Promise<void> {
  return new Promise((resolve, reject) => {
    logger.flush((error) => (error === undefined || error === null ? resolve() : reject(error)));
  });
}

function createStdout(metrics: Metrics | undefined): pino.DestinationStream {
  const destination = pino.destination({ fd: 1, sync: false, maxLength: bufferMaxBytes });
  const dropped = metrics?.counter('returnit_log_messages_dropped_total');
  destination.on('drop', () => dropped?.inc());
  return destination;
}

function traceFields(): Record<string, string> {
  const span = trace.getSpan(context.active())?.spanContext();
  if (span === undefined) return {};
  return { trace_id: span.traceId, span_id: span.spanId, trace_flags: `0${span.traceFlags.toString(16)}`.slice(-2) };
}

function countingMethod(metrics: Metrics): NonNullable<NonNullable<pino.LoggerOptions['hooks']>['logMethod']> {
  const counter = metrics.counter('returnit_log_messages_total');
  const labels = new Map(Object.entries(pino.levels.labels).map(([value, level]) => [Number(value), { level }]));
  return function count(args, method, level) {
    counter.inc(labels.get(level));
    method.apply(this, args);
  };
}

/** pino writes a child's bindings once, past the formatters; so they are redacted on their way in. */
function redactBindings(logger: Logger): Logger {
  const prototype = Object.getPrototypeOf(logger) as Logger;
  return Object.assign(logger, {
    child(this: Logger, bindings: pino.Bindings, options?: pino.ChildLoggerOptions) {
      // oxlint-disable-next-line typescript/unbound-method -- called on `this` right here
      return Reflect.apply(prototype.child, this, [redactFields(bindings), options]) as Logger;
    },
    setBindings(this: Logger, bindings: pino.Bindings) {
      prototype.setBindings.call(this, redactFields(bindings));
    },
  });
}
