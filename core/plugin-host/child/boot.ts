/**
 * What the core hands to the child before anything of it runs. All code comes from here, with its types already
 * stripped: the child needs no compiler (18 MB a thread), reads no file of the core, and runs exactly the sources that
 * the core saw.
 */
export interface ChildBoot {
  /** Source of entry.ts: the plugin's thread starts with it too. */
  readonly entry: string;
  /** JavaScript by URL: the child's own modules and the plugin's TypeScript. */
  readonly sources: Readonly<Record<string, string>>;
  /** TypeScript of the plugin that could not be read, by URL: an error only if it is imported. */
  readonly broken: Readonly<Record<string, string>>;
  /** URL of the core's folder; `#core/…` resolves to it. */
  readonly coreUrl: string;
  readonly plugin: { readonly name: string; readonly version: string };
  /** URL of plugin.ts. */
  readonly mainUrl: string;
  /** Packages that the plugin's own folder does not have are looked up from here. */
  readonly packagesUrl: string;
  /** Folders that modules may be imported from, as URLs. Node's loader reads past the permission model. */
  readonly importable: readonly string[];
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
export interface ThreadBoot extends ChildBoot {
  /** See thread-pulse.ts. */
  readonly pulse: SharedArrayBuffer;
}

/** What the plugin's thread tells its supervisor; everything else goes to the core on descriptor 3. */
export interface ThreadReport {
  readonly t: 'native-denial';
  readonly permission: string;
  readonly resource: string;
}
