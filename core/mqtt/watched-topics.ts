interface Level {
  readonly below: Map<string, Level>;
  /** Filters that end here. */
  count: number;
}

/** The filters that devices have subscribed to, as a tree of their levels: whether a topic is anybody's is asked per message. */
export interface WatchedTopics {
  add(filter: string): void;
  remove(filter: string): void;
  /** Whether one of the filters matches; a topic that begins with `$` is not asked about. */
  matches(topic: string): boolean;
}

export function createWatchedTopics(): WatchedTopics {
  const root: Level = { below: new Map(), count: 0 };
  let size = 0;

  return {
    add(filter) {
      let level = root;
      for (const name of filter.split('/')) {
        level = level.below.getOrInsertComputed(name, () => ({ below: new Map<string, Level>(), count: 0 }));
      }
      level.count += 1;
      size += 1;
    },
    remove(filter) {
      if (removeBelow(root, filter.split('/'))) size -= 1;
    },
    matches: (topic) => size > 0 && matchesBelow(root, topic.split('/'), 0),
  };
}

function removeBelow(level: Level, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) {
    if (level.count === 0) return false;
    level.count -= 1;
    return true;
  }
  const next = level.below.get(name);
  if (next === undefined || !removeBelow(next, rest)) return false;
  if (next.count === 0 && next.below.size === 0) level.below.delete(name);
  return true;
}

function matchesBelow(level: Level, topic: readonly string[], at: number): boolean {
  // "a/#" also matches "a" itself [MQTT-4.7.1-2].
  if ((level.below.get('#')?.count ?? 0) > 0) return true;
  const name = topic[at];
  if (name === undefined) return level.count > 0;
  return [level.below.get(name), level.below.get('+')].some(
    (next) => next !== undefined && matchesBelow(next, topic, at + 1),
  );
}
