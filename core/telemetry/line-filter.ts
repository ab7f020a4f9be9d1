import pino from 'pino';
import type { LogLevel } from '#core/config/settings-log.ts';
import type { LogLevels, LogTarget } from './log-levels.ts';
import { createLogRepeats, type LineKind, type LogRepeats } from './log-repeats.ts';
import type { Metrics } from './metrics.ts';
import { isWideEvent, wideEvent } from './wide-event.ts';

type LogMethod = NonNullable<NonNullable<pino.LoggerOptions['hooks']>['logMethod']>;
type Arguments = Parameters<LogMethod>[0];

export interface LineFilterOptions {
  readonly levels: LogLevels;
  readonly repeats: { readonly max: number; readonly windowMs: number } | undefined;
  /** Counts lines in returnit_log_messages_total, and those left out. */
  readonly metrics: Metrics | undefined;
}

/** Stands before each line: whether its level is written, and whether it has been said often enough. */
export interface LineFilter {
  readonly logMethod: LogMethod;
  /** Where it is told how many repeats were left out. */
  writeTo(logger: pino.Logger): void;
  /** Remembers whose lines this logger writes. */
  aim(logger: pino.Logger, target: LogTarget): pino.Logger;
  /** Tells what was left out so far. */
  flush(): void;
}

const targetKey = Symbol('target');
const names = new Map(Object.entries(pino.levels.labels).map(([value, name]) => [Number(value), name as LogLevel]));

/** Whose lines: of a logger that was aimed, or what fields say. */
export function targetOf(from: object): LogTarget {
  const { [targetKey]: aimed, plugin, component } = from as { [targetKey]?: LogTarget } & Record<string, unknown>;
  if (aimed !== undefined) return aimed;
  return {
    ...(typeof plugin === 'string' ? { plugin } : {}),
    ...(typeof component === 'string' ? { component } : {}),
  };
}

export function createLineFilter({ levels, repeats: limits, metrics }: LineFilterOptions): LineFilter {
  const written = metrics?.counter('returnit_log_messages_total');
  const labels = new Map([...names.values()].map((level) => [level, { level }]));
  let root: pino.Logger | undefined;
  const repeats =
    limits === undefined
      ? undefined
      : createLogRepeats({
          ...limits,
          onWindowEnd({ level, message, code, ...target }, leftOut) {
            const fields = { ...target, code, of: message, repeats: leftOut, windowMs: limits.windowMs };
            root?.[level as 'warn' | 'error'](wideEvent(fields), 'Repeats of a line were left out');
          },
        });
  const limit = repeats === undefined ? undefined : createLimit(repeats, metrics);

  return {
    logMethod(args, method, severity) {
      const level = names.get(severity) ?? 'info';
      const verdict = levels.isEnabledForAll(level);
      if (verdict === false) return;
      const own = targetOf(this);
      const target = withFields(own, args);
      if (verdict === undefined && !levels.isEnabled(level, target)) return;
      const admitted = limit === undefined ? args : limit(args, level, { own, target });
      if (admitted === undefined) return;
      written?.inc(labels.get(level));
      method.apply(this, admitted);
    },
    writeTo(logger) {
      root = logger;
    },
    aim: (logger, target) => Object.assign(logger, { [targetKey]: target }),
    flush: () => repeats?.flush(),
  };
}

/** A logger's own target, unless the fields of a line name another. */
function withFields(own: LogTarget, [fields]: readonly unknown[]): LogTarget {
  return typeof fields === 'object' && fields !== null ? { ...own, ...targetOf(fields) } : own;
}

/**
 * Warnings and errors alone are the same again and again: what is below says that something happened, once each time, and
 * a fatal line is the last. A line about one request, job or batch is always written; what repeats of it is the stack.
 */
function createLimit(
  repeats: LogRepeats,
  metrics: Metrics | undefined,
): (args: Arguments, level: LogLevel, of: { own: LogTarget; target: LogTarget }) => Arguments | undefined {
  const suppressed = metrics?.counter('returnit_log_messages_suppressed_total');
  // By the logger's plugin: what fields say is no bounded set.
  const count = (level: string, part: string, { plugin = 'core' }: LogTarget): void =>
    suppressed?.inc({ level, part, plugin });
  return (args, level, { own, target }) => {
    if (level !== 'warn' && level !== 'error') return args;
    const [fields, message] = args as readonly unknown[];
    const isWide = isWideEvent(fields);
    const error = errorOf(fields);
    // What says how many were left out is a wide event as well, and has no error.
    if (isWide && error === undefined) return args;
    if (repeats.take(toKind({ fields, message, error }, level, target), { isWritten: isWide })) return args;
    count(level, isWide ? 'stack' : 'line', own);
    return isWide ? ([{ ...fields, err: withoutStack(error) }, ...args.slice(1)] as Arguments) : undefined;
  };
}

function errorOf(fields: unknown): unknown {
  if (fields instanceof Error) return fields;
  return typeof fields === 'object' && fields !== null ? (fields as { err?: unknown }).err : undefined;
}

function toKind(
  line: { readonly fields: unknown; readonly message: unknown; readonly error: unknown },
  level: string,
  { plugin, component }: LogTarget,
): LineKind {
  const { fields, message, error } = line;
  const text = typeof fields === 'string' ? fields : (message ?? messageOf(error));
  return { level, plugin, component, message: typeof text === 'string' ? text : '', code: codeOf(fields, error) };
}

function messageOf(error: unknown): unknown {
  return error instanceof Error ? error.message : undefined;
}

function codeOf(fields: unknown, error: unknown): string | undefined {
  for (const from of [fields, error]) {
    const code = typeof from === 'object' && from !== null ? (from as { code?: unknown }).code : undefined;
    if (typeof code === 'string') return code.slice(0, 64);
  }
  return error instanceof Error ? error.name : undefined;
}

function withoutStack(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    message: error.message,
    stackLeftOut: true,
  };
}
