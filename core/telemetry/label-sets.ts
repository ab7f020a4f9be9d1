import type { Labels } from './recorder.ts';
import type { SeriesBudget } from './series-budget.ts';

/** Longer values are counted as `other`: label values are kept for the life of the process. */
const valueLengthMax = 256;

type Level<Child> = Map<string, Level<Child> | Child>;

export interface LabelSetsOptions<Child> {
  readonly metric: string;
  readonly labels: readonly string[];
  /** Label sets of this metric; more count as `other`. */
  readonly max: number;
  /** Label whose values may fill half of `max` each, and that is kept on overflow. */
  readonly partition?: string | undefined;
  /** What each label set takes of the budget. */
  readonly series: number;
  readonly budget: SeriesBudget;
  create(labels: Labels): Child;
  onOverflow(): void;
}

export interface LabelSets<Child> {
  /** The child of this label set, made when it is new. Runs on every recording. */
  of(labels: Labels): Child;
  /** The child of its own that this label set has. */
  find(labels: Labels): Child | undefined;
  remove(labels: Labels): void;
  /** How many were removed since the start. */
  readonly removals: number;
  values(): IterableIterator<Child>;
}

/**
 * One child (a value, or buckets) per label set of a metric.
 *
 * A map per label, one inside the other: strings keep their hash, so finding a child costs one lookup per label and no
 * allocation, where one joined key would cost a new string on every recording.
 */
export function createLabelSets<Child extends object>(options: LabelSetsOptions<Child>): LabelSets<Child> {
  const { labels: names, partition, series, budget } = options;
  const root: Level<Child> = new Map();
  const children = new Set<Child>();
  const places = createPlaces<Child>(options);
  const partOf = (labels: Labels): string => (partition === undefined ? '' : (labels[partition] ?? ''));
  const single = names.length === 0 ? options.create({}) : undefined;
  // The only set, or the last resort: `other` for all labels.
  budget.reserve(series);
  let lastResort: Child | undefined;

  function add(values: readonly string[]): Child {
    const child = options.create(withoutEmpty(names, values));
    insert(root, values, child);
    children.add(child);
    return child;
  }

  function addOrOverflow(labels: Labels): Child {
    assertLabels(options, labels);
    const values = valuesOf(names, labels);
    const part = partOf(labels);
    const isShort = values.every((value) => value.length <= valueLengthMax);
    if (isShort && places.hasRoom(part) && budget.take(series)) {
      const child = add(values);
      places.take(child, part);
      return child;
    }
    options.onOverflow();
    return partition === undefined || part.length > valueLengthMax ? resort() : ofPartition(part);
  }

  /** What a partition has too much of, under its name as long as there is room for that. */
  function ofPartition(part: string): Child {
    const values = names.map((name) => (name === partition ? part : 'other'));
    return find(root, values) ?? (budget.take(series) ? add(values) : resort());
  }

  function resort(): Child {
    const values = names.map(() => 'other');
    lastResort ??= find(root, values) ?? add(values);
    return lastResort;
  }

  function remove(labels: Labels): void {
    const values = valuesOf(names, labels);
    const child = find(root, values);
    if (child === undefined || !children.delete(child)) return;
    sets.removals += 1;
    // Of the last resort, the series are reserved.
    if (places.free(child) || child !== lastResort) budget.give(series);
    if (child === lastResort) lastResort = undefined;
    prune(root, values);
  }

  const look = (labels: Labels): Child | undefined => single ?? lookUp(root, names, labels);
  const sets = {
    of: (labels: Labels) => look(labels) ?? addOrOverflow(labels),
    find: look,
    remove,
    removals: 0,
    values: () => (single === undefined ? children.values() : [single].values()),
  };
  return sets;
}

/** Finds the same child again and again, looking for it anew only when one was removed. */
export function createFinder<Child>(sets: LabelSets<Child>, labels: Labels): () => Child {
  let found: Child | undefined;
  let foundAt = 0;
  return () => {
    if (found !== undefined && foundAt === sets.removals) return found;
    const child = sets.of(labels);
    // Of what has overflowed each is counted, and there may be room for it later.
    found = child === sets.find(labels) ? child : undefined;
    foundAt = sets.removals;
    return child;
  };
}

interface Places<Child> {
  /** For one more of this part. */
  hasRoom(part: string): boolean;
  take(child: Child, part: string): void;
  /** @returns whether it had a place: what stands for others has none */
  free(child: Child): boolean;
}

/** Who has a place, of all and of each value of the partition's label. */
function createPlaces<Child>({ max, partition }: Pick<LabelSetsOptions<Child>, 'max' | 'partition'>): Places<Child> {
  const partMax = partition === undefined ? max : Math.max(1, Math.floor(max / 2));
  const partOf = new Map<Child, string>();
  const sizes = new Map<string, number>();
  const change = (part: string, by: number): void => void sizes.set(part, (sizes.get(part) ?? 0) + by);
  return {
    hasRoom: (part) => partOf.size < max && (sizes.get(part) ?? 0) < partMax,
    take(child, part) {
      partOf.set(child, part);
      change(part, 1);
    },
    free(child) {
      const part = partOf.get(child);
      if (part === undefined) return false;
      partOf.delete(child);
      change(part, -1);
      return true;
    },
  };
}

function assertLabels(
  { metric, labels: names }: Pick<LabelSetsOptions<unknown>, 'metric' | 'labels'>,
  labels: Labels,
): void {
  const unknown = Object.keys(labels).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new TypeError(`Cannot record metric "${metric}": it has no label "${unknown}", only ${names.join(', ')}`);
}

function valuesOf(names: readonly string[], labels: Labels): readonly string[] {
  return names.map((name) => labels[name] ?? '');
}

function withoutEmpty(names: readonly string[], values: readonly string[]): Labels {
  return Object.fromEntries(
    names.map((name, index) => [name, values[index] ?? '']).filter(([, value]) => value !== ''),
  );
}

function insert<Child>(root: Level<Child>, values: readonly string[], child: Child): void {
  let level = root;
  for (const value of values.slice(0, -1)) {
    const next = (level.get(value) as Level<Child> | undefined) ?? new Map();
    level.set(value, next);
    level = next;
  }
  level.set(values.at(-1) ?? '', child);
}

/** As `find()`, without a list of values to be made: it runs on every recording. */
function lookUp<Child>(root: Level<Child>, names: readonly string[], labels: Labels): Child | undefined {
  let level: Level<Child> | Child = root;
  for (let index = 0; index < names.length; index += 1) {
    const next: Level<Child> | Child | undefined = (level as Level<Child>).get(labels[names[index] as string] ?? '');
    if (next === undefined) return undefined;
    level = next;
  }
  return level as Child;
}

function find<Child>(root: Level<Child>, values: readonly string[]): Child | undefined {
  let level: Level<Child> | Child | undefined = root;
  for (const value of values) level = (level as Level<Child> | undefined)?.get(value);
  return level as Child | undefined;
}

/** Removes the path to a child and what is empty above it. */
function prune<Child>(level: Level<Child>, [value, ...rest]: readonly string[]): void {
  if (value === undefined) return;
  if (rest.length > 0) {
    const next = level.get(value) as Level<Child>;
    prune(next, rest);
    if (next.size > 0) return;
  }
  level.delete(value);
}
