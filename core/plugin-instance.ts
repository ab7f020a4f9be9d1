/** A running plugin as the rest of the core sees it: types only, so that database, jobs and mqtt need nothing of the host. */

/** The plugin as the core knows it: never taken from what the plugin sends. */
export interface PluginIdentity {
  readonly name: string;
  readonly version: string;
}

/** One running process of a plugin. Whoever holds something for it keeps it under this object. */
export interface PluginInstance {
  readonly plugin: PluginIdentity;
  /** Unique per process start. */
  readonly id: string;
  /** Aborted when this process is gone; whatever is held for it must then be released. */
  readonly gone: AbortSignal;
  /**
   * Runs a handler that the plugin registered, in the current trace context.
   *
   * @throws {AppError} PLUGIN_UNAVAILABLE when the process is gone or dies meanwhile, TIMEOUT, PLUGIN_FAILED when the handler threw
   */
  handle(
    handler: number,
    input: unknown,
    options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<unknown>;
}
