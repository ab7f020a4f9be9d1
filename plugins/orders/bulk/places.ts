/** So many at a time. */
export interface Places {
  /** Gives the place back, and may be called twice; undefined when none is free. */
  take(signal: AbortSignal): (() => void) | undefined;
}

/** A stream that never begins has no `finally`, but its signal. */
export function createPlaces(max: number): Places {
  const taken = new Set<object>();
  return {
    take(signal) {
      if (taken.size >= max || signal.aborted) return undefined;
      const place = {};
      taken.add(place);
      const release = (): void => void taken.delete(place);
      signal.addEventListener('abort', release, { once: true });
      return release;
    },
  };
}
