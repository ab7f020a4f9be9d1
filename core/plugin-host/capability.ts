import type { TSchema } from 'typebox';
import type { Span } from '@opentelemetry/api';
import type { PluginIdentity, PluginInstance } from '#core/plugin-instance.ts';
import type { PermissionName } from '#plugin-api';

/** What a call asks for: one permission on one resource. */
export interface Access {
  readonly permission: PermissionName;
  /** `db` read of a view, `net` "host:port", a queue, an event, a topic filter, a route prefix, a variable, a channel. */
  readonly resource: string;
}

/** What a capability's method gets beside its arguments. */
export interface Call {
  readonly instance: PluginInstance;
  readonly span: Span;
  /** Aborted at the deadline, on cancellation and when the plugin's process is gone. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly deadlineMs: number;
  /** For what is only known while the call runs: a redirect's host, an event's queue. Throws NotCapable, and is audited as every check is. */
  check(access: Access): void;
}

export interface CapabilityMethod {
  /** JSON Schema of the arguments; a call that does not match never reaches `run`. */
  readonly args: TSchema;
  /** What the arguments ask for; empty when every plugin may. */
  access(args: never, plugin: PluginIdentity): readonly Access[];
  /** There are arguments that ask for something, so it can be denied. */
  readonly guarded?: boolean;
  run(args: never, call: Call): unknown;
  /** True for notes (`log.write`): no span, no answer. */
  readonly oneWay?: boolean;
  /** `run` neither waits nor starts what does. */
  readonly immediate?: boolean;
  readonly audited?: Audited<never>;
}

/**
 * For what gives somebody outside access, or takes it back. It is recorded before the call is answered: what cannot be
 * recorded is not handed out.
 */
export interface Audited<Args> {
  readonly decision: 'issue' | 'withdraw';
  /** Who or what it is for; no secret. */
  readonly resource: (args: Args) => string;
}

export interface Capability {
  readonly name: string;
  readonly methods: Readonly<Record<string, CapabilityMethod>>;
  /** Stops what the capability itself runs (workers, sockets). */
  stop?(): Promise<void>;
}

/** Types the arguments of a method from its schema: `method(Args, { access, run })`. */
export function method<Args>(definition: {
  readonly args: TSchema;
  readonly access?: (args: Args, plugin: PluginIdentity) => readonly Access[];
  readonly run: (args: Args, call: Call) => unknown;
  readonly oneWay?: boolean;
  readonly immediate?: boolean;
  readonly audited?: Audited<Args>;
}): CapabilityMethod {
  return {
    args: definition.args,
    access: definition.access ?? (() => []),
    run: definition.run,
    ...(definition.access === undefined ? {} : { guarded: true }),
    ...(definition.oneWay === true ? { oneWay: true } : {}),
    ...(definition.immediate === true ? { immediate: true } : {}),
    ...(definition.audited === undefined ? {} : { audited: definition.audited }),
  };
}
