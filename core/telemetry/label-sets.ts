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
  remove(labels: Labels): void;
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
  const partitionOf = new WeakMap<Child, string>();
  const partitionSizes = new Map<string, number>();
  const partitionMax = partition === undefined ? options.max : Math.max(1, Math.floor(options.max / 2));
  const single = names.length === 0 ? options.create({}) : undefined;
  // The only set, or the last resort: `other` for all labels.
  budget.reserve(series);
  let lastResort: Child | undefined;

  function add(labels: Labels, values: readonly string[]): Child {
    const child = options.create(withoutEmpty(names, values));
    const part = partition === undefined ? '' : (labels[partition] ?? '');
    insert(root, values, child);
    children.add(child);
    partitionOf.set(child, part);
    partitionSizes.set(part, (partitionSizes.get(part) ?? 0) + 1);
    return child;
  }

  function addOrOverflow(labels: Labels): Child {
    assertLabels(options, labels);
    const values = names.map((name) => labels[name] ?? '');
    const part = partition === undefined ? '' : (labels[partition] ?? '');
    const full = children.size >= options.max || (partitionSizes.get(part) ?? 0) >= partitionMax;
    const fits = !full && values.every((value) => value.length <= valueLengthMax) && budget.take(series);
    if (fits) return add(labels, values);
    options.onOverflow();
    return partition === undefined || part.length > valueLengthMax ? resort() : ofPartition(part);
  }

  /** What a partition has too much of, under its name as long as there is room for that. */
  function ofPartition(part: string): Child {
    const others = names.map((name) => (name === partition ? part : 'other'));
    return find(root, others) ?? (budget.take(series) ? add({ [partition as string]: part }, others) : resort());
  }

  function resort(): Child {
    const others = names.map(() => 'other');
    lastResort ??= find(root, others) ?? add({}, others);
    return lastResort;
  }

  function of(labels: Labels): Child {
    if (single !== undefined) return single;
    let level: Level<Child> | Child = root;
    for (let index = 0; index < names.length; index += 1) {
      const next: Level<Child> | Child | undefined = (level as Level<Child>).get(labels[names[index] as string] ?? '');
      if (next === undefined) return addOrOverflow(labels);
      level = next;
    }
    return level as Child;
  }

  function remove(labels: Labels): void {
    const values = names.map((name) => labels[name] ?? '');
    const child = find(root, values);
    if (child === undefined || !children.delete(child)) return;
    if (child === lastResort) lastResort = undefined;
    else budget.give(series);
    const part = partitionOf.get(child) ?? '';
    partitionSizes.set(part, (partitionSizes.get(part) ?? 1) - 1);
    prune(root, values);
  }

  return { of, remove, values: () => (single === undefined ? children.values() : [single].values()) };
}

function assertLabels(
  { metric, labels: names }: Pick<LabelSetsOptions<unknown>, 'metric' | 'labels'>,
  labels: Labels,
): void {
  const unknown = Object.keys(labels).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new TypeError(`Cannot record metric "${metric}": it has no label "${unknown}", only ${names.join(', ')}`);
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
