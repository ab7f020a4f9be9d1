/** A module with all that it imports, and the URL by which its errors name it. */
export interface ChildCode {
  readonly url: string;
  /** Emptied when it is loaded: the engine keeps its own copy. */
  code: string;
}

/**
 * What the core hands to the child before anything of it runs. All code comes from here, bundled by the core: the child
 * needs no compiler (18 MB a thread), reads no file, and runs exactly what the core saw.
 */
export interface ChildBoot {
  /** JavaScript of entry.ts: the plugin's thread starts with it too. */
  readonly entry: string;
  readonly supervisor: ChildCode;
  readonly thread: ChildCode;
  /** The plugin's main module. */
  readonly main: ChildCode;
  /** Why the plugin could not be bundled: its thread fails with it. */
  readonly broken: string | null;
  readonly plugin: { readonly name: string; readonly version: string };
  /** Whether files outside its folder were granted: then it may import Node's file modules, which the flags confine. */
  readonly files: boolean;
  /** Permission flags of the plugin's thread. */
  readonly threadFlags: readonly string[];
  /** The granted variables. */
  readonly env: Readonly<Record<string, string>>;
  readonly limits: ChildLimits;
}

export interface ChildLimits {
  readonly heapMiB: number;
  readonly frameMaxBytes: number;
  readonly callsInFlightMax: number;
  readonly callsQueuedMax: number;
  readonly callTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly loopRatio: number;
  readonly loopMs: number;
  readonly profileMs: number;
  readonly profileMaxBytes: number;
}

/** What the plugin's thread is started with. */
export interface ThreadBoot extends Omit<ChildBoot, 'supervisor'> {
  /** See thread-pulse.ts. */
  readonly pulse: SharedArrayBuffer;
}

/** What the plugin's thread tells its supervisor; everything else goes to the core on descriptor 3. */
export interface ThreadReport {
  readonly t: 'native-denial';
  readonly permission: string;
  readonly resource: string;
}
