/** How many things may run at once; shared by several workers where their sum is what counts. */
export interface Slots {
  /** Takes up to `wanted`; returns how many it got. */
  take(wanted: number): number;
  give(count: number): void;
  /** Called when slots have become free; returns how to unsubscribe. */
  onFree(listener: () => void): () => void;
}

/** @param limit how many of them may be taken now, at least one; read at each `take`. @default all */
export function createSlots(max: number, limit: () => number = () => max): Slots {
  let used = 0;
  const listeners = new Set<() => void>();
  return {
    take(wanted) {
      const taken = Math.max(0, Math.min(wanted, limit() - used));
      used += taken;
      return taken;
    },
    give(count) {
      used -= count;
      if (count === 0) return;
      // The first one asked may take them all, so it is the last one asked the next time.
      const [first] = listeners;
      for (const listener of listeners) listener();
      if (first !== undefined && listeners.delete(first)) listeners.add(first);
    },
    onFree(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
