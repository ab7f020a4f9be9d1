/** Part of the plugin API: what may be kept, and until when it is true. */
/** How long something may be kept, and which events say that it is no longer true. */
export interface CacheOptions {
  /** Shorter than the cache's own (5 minutes of answers, 2 of query results), never longer. */
  readonly ttlMs?: number;
  /**
   * Names of events, or `order.*`: each removes what is kept, on every node, when the transaction that published it
   * commits. What changes without an event is seen when the time is over.
   */
  readonly invalidatedBy: readonly string[];
}

export interface QueryCacheOptions extends CacheOptions {
  /**
   * What the result is about, `{ orderId }`: an event whose data names another `orderId` leaves it alone. The field ends
   * in `Id`, its value is a string. @default an event removes the results of all values
   */
  readonly keyedBy?: Readonly<Record<string, string>>;
}
