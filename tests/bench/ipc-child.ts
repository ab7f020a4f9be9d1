/** The baseline of `capability`: the same call over the IPC channel of child_process, as Node ships it. */
interface Run {
  readonly calls: number;
  readonly inFlight: number;
}

const waiting = new Map<number, () => void>();

async function run({ calls, inFlight }: Run): Promise<void> {
  const latencies = new Float64Array(calls);
  let next = 0;
  async function work(): Promise<void> {
    for (let call = next; call < calls; call = next) {
      next += 1;
      const startedAt = performance.now();
      await new Promise<void>((resolve) => {
        waiting.set(call, resolve);
        process.send?.({ id: call, method: 'cache.get', args: { key: 'nothing' } });
      });
      latencies[call] = performance.now() - startedAt;
    }
  }
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: inFlight }, work));
  const seconds = (performance.now() - startedAt) / 1000;
  latencies.sort();
  process.send?.({ seconds, p50Us: (latencies[Math.floor(calls / 2)] ?? 0) * 1000 });
}

process.on('message', (message: Run | { readonly id: number }) => {
  if ('calls' in message) {
    void run(message);
    return;
  }
  waiting.get(message.id)?.();
  waiting.delete(message.id);
});
