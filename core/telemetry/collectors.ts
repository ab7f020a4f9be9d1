export interface Collectors {
  add(collect: () => void | Promise<void>): () => void;
  run(): Promise<void>;
}

/** What must be read anew before a scrape. Two scrapes at the same time share one run. */
export function createCollectors(timeoutMs: number, onError: (error: unknown) => void): Collectors {
  const collectors = new Set<() => void | Promise<void>>();
  let running: Promise<void> | undefined;

  async function runOne(collect: () => void | Promise<void>): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`Cannot collect metrics: a collector took over ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      await Promise.race([collect(), promise]);
    } catch (error) {
      onError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async function runAll(): Promise<void> {
    await Promise.all([...collectors].map(runOne));
    running = undefined;
  }

  return {
    add(collect) {
      // A wrapper of its own: the same function added twice is two registrations.
      const registered = (): void | Promise<void> => collect();
      collectors.add(registered);
      return () => void collectors.delete(registered);
    },
    async run() {
      running ??= runAll();
      await running;
    },
  };
}
