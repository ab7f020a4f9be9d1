import { context, trace } from '@opentelemetry/api';
import pino from 'pino';
import type { LogLevel } from '#core/config/settings-log.ts';
import { createLineFilter, targetOf, type LineFilter } from './line-filter.ts';
import { createLogLevels, type LogLevels } from './log-levels.ts';
import type { Metrics } from './metrics.ts';
import { redactFields, redactText } from './redaction.ts';

export type Logger = pino.Logger;

/** Lines of this many bytes wait for a slow reader of stdout; more are dropped and counted. */
const bufferMaxBytes = 16 * 1024 * 1024;

export interface LoggerOptions {
  /** As long as `levels` says nothing else. */
  readonly level: LogLevel;
  /** Whose lines are written from which level on, also those of loggers that exist already. @default all as `level` says */
  readonly levels?: LogLevels;
  /** How often the same warning or error is written within a time. @default always */
  readonly repeats?: { readonly max: number; readonly windowMs: number };
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
  const { metrics, repeats, levels = createLogLevels({ configured: options.level }) } = options;
  const filter = createLineFilter({ levels, metrics, repeats });
  const logger = pino(
    {
      // What is written is decided line by line: a level of pino's own is copied to its children, and stays with them.
      level: 'trace',
      base: { service: 'returnit', ...options.fields },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: redactFields },
      // Errors are described by redactFields, before pino would.
      serializers: {
        err: (value: unknown) => value,
        msg: (text: unknown) => (typeof text === 'string' ? redactText(text) : text),
      },
      mixin: traceFields,
      hooks: { logMethod: filter.logMethod },
    },
    options.destination ?? createStdout(metrics),
  );
  filter.writeTo(logger);
  return withTargets(logger, levels, filter);
}

const filterOf = Symbol('filter');

/** Writes what is buffered, and how many repeats were left out; to be awaited before the process ends. */
export function flushLogger(logger: Logger): Promise<void> {
  (logger as Logger & { readonly [filterOf]?: LineFilter })[filterOf]?.flush();
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

/**
 * Children know whose lines they write, and ask the levels that all share. pino writes a child's bindings once, past the
 * formatters; so they are redacted on their way in.
 */
function withTargets(logger: Logger, levels: LogLevels, filter: LineFilter): Logger {
  const prototype = Object.getPrototypeOf(logger) as Logger;
  return Object.assign(logger, {
    [filterOf]: filter,
    isLevelEnabled(this: Logger, level: LogLevel) {
      return levels.isEnabledForAll(level) ?? levels.isEnabled(level, targetOf(this));
    },
    child(this: Logger, bindings: pino.Bindings, options?: pino.ChildLoggerOptions) {
      // oxlint-disable-next-line typescript/unbound-method -- called on `this` right here
      const child = Reflect.apply(prototype.child, this, [redactFields(bindings), options]) as Logger;
      return filter.aim(child, { ...targetOf(this), ...targetOf(bindings) });
    },
    setBindings(this: Logger, bindings: pino.Bindings) {
      prototype.setBindings.call(this, redactFields(bindings));
    },
  });
}
