import type { Context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';

/**
 * OpenTelemetry's context in Node's AsyncLocalStorage, which makes a map for each call. Work that is over when its
 * function returns leaves nothing behind that could ask for the context later, and is spared it.
 */
export class TraceContext extends AsyncLocalStorageContextManager {
  #during: Context | undefined;

  override active(): Context {
    return this.#during ?? super.active();
  }

  // eslint-disable-next-line max-params -- OpenTelemetry's own signature
  override with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    if (this.#during === undefined) return super.with(context, fn, thisArg, ...args);
    return this.during(undefined, () => super.with(context, fn, thisArg, ...args));
  }

  /** As `with()`, for what needs nothing else. */
  run<T>(context: Context, fn: () => T): T {
    return this.#during === undefined ? super.with(context, fn) : this.with(context, fn);
  }

  /** For `fn` that neither waits nor starts what does. */
  during<T>(context: Context | undefined, fn: () => T): T {
    const outer = this.#during;
    this.#during = context;
    try {
      return fn();
    } finally {
      this.#during = outer;
    }
  }
}
