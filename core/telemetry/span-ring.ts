/** What a ring keeps in a place of its own. */
export interface Keepable<S> {
  /** A new one with all that this one has. */
  copy(): S;
  /** Takes over all that another one has. */
  become(other: S): void;
}

/**
 * The newest of many, oldest first. It keeps copies, each in the place of an earlier one: what was made for a request dies
 * young with it, and the collector has nothing to move.
 */
export class SpanRing<S extends Keepable<S>> {
  readonly #max: number;
  readonly #kept: S[] = [];
  #added = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get added(): number {
    return this.#added;
  }

  add(span: S): void {
    const place = this.#added % this.#max;
    this.#added += 1;
    if (this.#max === 0) return;
    const earlier = this.#kept[place];
    if (earlier === undefined) this.#kept.push(span.copy());
    else earlier.become(span);
  }

  all(): readonly S[] {
    const split = this.#added > this.#max && this.#max > 0 ? this.#added % this.#max : 0;
    return [...this.#kept.slice(split), ...this.#kept.slice(0, split)];
  }
}
