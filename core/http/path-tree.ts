/** Paths are split at `/`; `{name}` stands for one segment. A literal segment wins over a parameter, whatever came first. */

export interface PathMatch<Value> {
  /** The value stored under each verb of this path. */
  readonly verbs: ReadonlyMap<string, Value>;
  /** The raw (still percent-encoded) segments that the parameters stand for, in the order of the path. */
  readonly segments: readonly string[];
}

export interface PathTree<Value> {
  /** Replaces what stood there under the same verb. */
  set(verb: string, path: string, value: Value): void;
  find(path: string): PathMatch<Value> | undefined;
}

interface Node<Value> {
  readonly literals: Map<string, Node<Value>>;
  parameter: Node<Value> | undefined;
  readonly verbs: Map<string, Value>;
}

const segmentsMax = 16;

/** Finding costs one map look-up per segment, however many paths there are. */
export function createPathTree<Value>(): PathTree<Value> {
  const root = createNode<Value>();
  return {
    set(verb, path, value) {
      let node = root;
      for (const segment of path.slice(1).split('/')) {
        node = segment.startsWith('{') ? (node.parameter ??= createNode()) : childOf(node, segment);
      }
      node.verbs.set(verb, value);
    },
    find(path) {
      if (!path.startsWith('/')) return undefined;
      const parts = path.slice(1).split('/', segmentsMax + 1);
      if (parts.length > segmentsMax) return undefined;
      const segments: string[] = [];
      const node = descend(root, { parts, segments }, 0);
      return node === undefined ? undefined : { verbs: node.verbs, segments };
    },
  };
}

function createNode<Value>(): Node<Value> {
  return { literals: new Map(), parameter: undefined, verbs: new Map() };
}

function childOf<Value>(node: Node<Value>, segment: string): Node<Value> {
  let child = node.literals.get(segment);
  if (child === undefined) {
    child = createNode();
    node.literals.set(segment, child);
  }
  return child;
}

/** Where a search is: the parts of the path, and the segments taken by parameters so far. */
interface Search {
  readonly parts: readonly string[];
  readonly segments: string[];
}

function descend<Value>(node: Node<Value>, search: Search, at: number): Node<Value> | undefined {
  const part = search.parts[at];
  if (part === undefined) return node.verbs.size > 0 ? node : undefined;
  const literal = node.literals.get(part);
  if (literal !== undefined) {
    const found = descend(literal, search, at + 1);
    if (found !== undefined) return found;
  }
  if (node.parameter === undefined || part === '') return undefined;
  search.segments.push(part);
  const found = descend(node.parameter, search, at + 1);
  if (found === undefined) search.segments.pop();
  return found;
}
