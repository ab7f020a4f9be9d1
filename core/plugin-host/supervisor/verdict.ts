import { AppError } from '#core/errors/app-error.ts';
import type { WireError } from '#core/errors/wire-error.ts';
import type { EndFrame } from '../protocol/control-frame.ts';
import type { DeathReason } from './death.ts';

export interface Verdict {
  readonly reason: DeathReason;
  readonly message: string;
}

const traceIdsMax = 50;
const engineOutOfMemory = /heap out of memory|Reached heap limit|invalid table size|Allocation failed/i;

/** What a process died of, by how it ended and what it said last. */
export function judge(seen: {
  exitCode: number | null;
  signal: string | null;
  end: EndFrame | undefined;
  tail: string;
  wasReady: boolean;
}): Verdict {
  const { end, signal, exitCode, tail } = seen;
  if (end !== undefined) return toVerdict(end, seen.wasReady);
  const how = signal === null ? `its process ended with code ${exitCode}` : `its process was ended by ${signal}`;
  const message = tail === '' ? how : `${how}: ${tail.slice(-2000)}`;
  const aborted = signal === 'SIGABRT' || signal === 'SIGTRAP' || signal === 'SIGILL';
  return { reason: aborted && engineOutOfMemory.test(tail) ? 'oom-fatal' : 'crash', message };
}

export function toVerdict(end: EndFrame, wasReady: boolean): Verdict {
  const early = !wasReady && (end.reason === 'crash' || end.reason === 'exit');
  return { reason: early ? 'boot-failure' : end.reason, message: end.message };
}

/**
 * What a handler threw. Its own code stays visible in the details; the cause, with its stack, is for the log.
 * `details.because` tells that the plugin could do nothing about it, also where it threw an error of its own instead.
 */
export function toPluginFailure(plugin: string, wire: WireError): AppError {
  const cause = new Error(wire.message);
  if (wire.stack !== undefined) cause.stack = wire.stack;
  return new AppError('PLUGIN_FAILED', `Cannot finish call of ${plugin}: ${wire.message}`, {
    details: { plugin, code: wire.code, ...(isOutage(wire) ? { because: 'DATABASE_UNREACHABLE' } : {}) },
    cause,
  });
}

function isOutage({ code, cause }: WireError): boolean {
  return code === 'DATABASE_UNREACHABLE' || (cause !== undefined && isOutage(cause));
}

export function traceIdsOf(traceparents: readonly string[]): string[] {
  return [...new Set(traceparents.map((traceparent) => traceparent.split('-')[1] ?? ''))].slice(0, traceIdsMax);
}
