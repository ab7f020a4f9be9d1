/** The newest of many, oldest first. */
export class SpanRing<S> {
  readonly #max: number;
  readonly #spans: S[] = [];
  #added = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get added(): number {
    return this.#added;
  }

  add(span: S): void {
    if (this.#max > 0) this.#spans[this.#added % this.#max] = span;
    this.#added += 1;
  }

  all(): readonly S[] {
    const split = this.#added > this.#max && this.#max > 0 ? this.#added % this.#max : 0;
    return [...this.#spans.slice(split), ...this.#spans.slice(0, split)];
  }
}
