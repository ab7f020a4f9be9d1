/** How many series may be exported: a scrape blocks the event loop for as long as it takes to write them. */
export interface SeriesBudget {
  /** Takes so many, or none when there is no room for all of them. @returns whether there was */
  take(series: number): boolean;
  /** Takes so many, room or not: what must be there in any case, and is bounded otherwise. */
  reserve(series: number): void;
  give(series: number): void;
}

/** @param whole - what it is a part of: both must have room */
export function createSeriesBudget(max: number, whole?: SeriesBudget): SeriesBudget {
  let used = 0;
  return {
    take(series) {
      if (used + series > max || whole?.take(series) === false) return false;
      used += series;
      return true;
    },
    reserve(series) {
      used += series;
      whole?.reserve(series);
    },
    give(series) {
      used -= series;
      whole?.give(series);
    },
  };
}

/** Of the same budget, for what must have room. */
export function always(budget: SeriesBudget): SeriesBudget {
  return {
    ...budget,
    take(series) {
      budget.reserve(series);
      return true;
    },
  };
}
