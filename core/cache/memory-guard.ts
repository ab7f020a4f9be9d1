import { getHeapStatistics } from 'node:v8';
import type { Config } from '#core/config/settings.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';

export interface HeapReading {
  readonly usedBytes: number;
  /** Committed by V8. */
  readonly totalBytes: number;
  readonly limitBytes: number;
}

export interface MemoryGuardOptions {
  readonly config: Pick<
    Config,
    'cachePressureCheckMs' | 'cachePressureHeapRatio' | 'cachePressureLimitRatio' | 'cachePressureMinBytes'
  >;
  readonly telemetry: Telemetry;
  readonly clear: () => void;
  /** @default of this process */
  readonly readHeap?: () => HeapReading;
}

/**
 * Clears the caches when the heap is nearly full. The share of the committed heap alone says how lazily V8 commits, not
 * how full the heap is: an idle process sits at 0.89. So the share of the limit and a least size must be reached as well.
 *
 * @returns how to stop
 */
export function startMemoryGuard(options: MemoryGuardOptions): () => void {
  const { config, telemetry, readHeap = readOwnHeap } = options;
  const timer = setInterval(() => {
    const heap = readHeap();
    if (!isUnderPressure(heap, config)) return;
    const logger = telemetry.logger.child({ component: 'cache' });
    logger.warn({ ...heap }, 'The heap is nearly full: the caches are cleared');
    options.clear();
  }, config.cachePressureCheckMs);
  timer.unref();
  return () => clearInterval(timer);
}

export function isUnderPressure(
  { usedBytes, totalBytes, limitBytes }: HeapReading,
  config: Omit<MemoryGuardOptions['config'], 'cachePressureCheckMs'>,
): boolean {
  return (
    usedBytes / totalBytes > config.cachePressureHeapRatio &&
    usedBytes / limitBytes > config.cachePressureLimitRatio &&
    usedBytes > config.cachePressureMinBytes
  );
}

function readOwnHeap(): HeapReading {
  const heap = getHeapStatistics();
  return { usedBytes: heap.used_heap_size, totalBytes: heap.total_heap_size, limitBytes: heap.heap_size_limit };
}
