import type { Counter, Gauge } from '#core/telemetry/metrics.ts';

export interface OpenCountsOptions<Outcome extends string> {
  readonly open: Gauge;
  readonly ends: Counter;
  readonly outcomes: readonly Outcome[];
}

/** Streams or uploads: how many each plugin has open, and how they ended. */
export class OpenCounts<Outcome extends string> {
  readonly #options: OpenCountsOptions<Outcome>;
  readonly #counts = new Map<string, number>();

  constructor(options: OpenCountsOptions<Outcome>) {
    this.#options = options;
  }

  of(plugin: string): number {
    return this.#counts.getOrInsertComputed(plugin, () => this.#begin(plugin));
  }

  opened(plugin: string): void {
    this.#add(plugin, 1);
  }

  /** One that was open. */
  ended(plugin: string, outcome: Outcome): void {
    this.#add(plugin, -1);
    this.#options.ends.inc({ plugin, outcome });
  }

  /** One that was not opened. */
  refused(plugin: string, outcome: Outcome): void {
    this.of(plugin);
    this.#options.ends.inc({ plugin, outcome });
  }

  #add(plugin: string, by: number): void {
    this.#counts.set(plugin, this.of(plugin) + by);
    this.#options.open.add({ plugin }, by);
  }

  /** At 0, each: an increase does not show what a series begins with. */
  #begin(plugin: string): number {
    const { open, ends, outcomes } = this.#options;
    open.add({ plugin }, 0);
    for (const outcome of outcomes) ends.inc({ plugin, outcome }, 0);
    return 0;
  }
}
