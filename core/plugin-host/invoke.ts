/**
 * The one door. Whatever a plugin does passes through here, in this order:
 * method → arguments → permission → budget → span → capability → metric, and every refusal is audited.
 * There is no second way: capabilities are reachable only from this file, and the plugin's process has nothing else.
 */
import type { Span } from '@opentelemetry/api';
import { AppError } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { withSpan, withTraceparent } from '#core/telemetry/tracing.ts';
import type { Audit } from './audit.ts';
import { compileArguments, type ArgumentCheck } from './call-arguments.ts';
import type { CallBudget } from './call-budget.ts';
import { startCallDeadline } from './call-deadline.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { Access, Call, Capability, CapabilityMethod } from './capability.ts';
import { NotCapable } from './not-capable.ts';
import type { Permissions } from './permissions.ts';

export type Outcome = 'ok' | 'error' | 'timeout' | 'denied' | 'budget' | 'cancelled';

export interface InvokeRequest {
  /** `capability.method`, as in protocol/calls.ts. */
  readonly method: string;
  readonly args: unknown;
  readonly traceparent?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal: AbortSignal;
}

/** @throws {AppError} INVALID_CALL, NOT_CAPABLE, BUDGET_EXCEEDED, TIMEOUT, CANCELLED, or what the capability throws */
export type Invoke = (instance: PluginInstance, request: InvokeRequest) => Promise<unknown>;

/** One-way calls pass the same checks; a refusal is counted and audited, and nobody is told. */
export type Note = (instance: PluginInstance, request: Omit<InvokeRequest, 'signal' | 'timeoutMs'>) => void;

export interface InvokeOptions {
  readonly capabilities: readonly Capability[];
  readonly permissions: Permissions;
  readonly audit: Audit;
  readonly telemetry: Telemetry;
  /** Longest call, in milliseconds; a plugin may ask for less, never for more. */
  readonly callTimeoutMs: number;
  /** The budget of each plugin, by its name. */
  readonly budgetOf: (plugin: string) => CallBudget;
  /** Told of each denial, so that a plugin that hammers at the door can be ended. */
  readonly onDenied: (instance: PluginInstance) => void;
}

interface Door {
  /** `capability.method`; `unknown` for anything else, so that a plugin cannot invent label values. */
  readonly name: string;
  readonly method: CapabilityMethod;
  readonly checkArguments: ArgumentCheck;
}

export function createInvoke(options: InvokeOptions): { readonly invoke: Invoke; readonly note: Note } {
  const { permissions, audit, telemetry } = options;
  const doors = openDoors(options.capabilities);
  const calls = telemetry.metrics.counter('returnit_plugin_capability_calls_total');
  const durations = telemetry.metrics.histogram('returnit_plugin_capability_call_duration_seconds');

  /** The only place where a permission is decided, and where each denial is recorded. */
  function authorize(instance: PluginInstance, access: Access): void {
    const decision = permissions.check(instance.plugin.name, access);
    if (decision.state === 'granted') return;
    audit.denied({ plugin: instance.plugin, access, rule: decision.rule, source: 'door' });
    options.onDenied(instance);
    throw new NotCapable(instance.plugin, access, decision);
  }

  /** What every call passes before it may run. */
  function admit(instance: PluginInstance, door: Door | undefined, request: { method: string; args: unknown }): Door {
    if (door === undefined) {
      throw new AppError('INVALID_CALL', `Cannot call "${request.method.slice(0, 80)}": the core has no such method`);
    }
    door.checkArguments(request.args);
    for (const access of door.method.access(request.args as never, instance.plugin)) authorize(instance, access);
    if (!options.budgetOf(instance.plugin.name).take(Date.now())) {
      audit.budgetSpent({ plugin: instance.plugin, capability: door.name });
      throw new AppError(
        'BUDGET_EXCEEDED',
        `Cannot call ${door.name}: ${instance.plugin.name} has spent its calls of this second`,
      );
    }
    return door;
  }

  async function run(instance: PluginInstance, door: Door, request: InvokeRequest, span: Span): Promise<unknown> {
    const timeoutMs = Math.min(request.timeoutMs ?? options.callTimeoutMs, options.callTimeoutMs);
    const deadline = startCallDeadline(door.name, timeoutMs, request.signal);
    const call: Call = {
      instance,
      span,
      signal: deadline.signal,
      deadlineMs: Date.now() + timeoutMs,
      check: (access) => authorize(instance, access),
    };
    try {
      return await Promise.race([door.method.run(request.args as never, call), deadline.expired]);
    } finally {
      deadline.clear();
    }
  }

  async function invoke(instance: PluginInstance, request: InvokeRequest): Promise<unknown> {
    const door = doors.get(request.method);
    const labels = { plugin: instance.plugin.name, capability: door?.name ?? 'unknown' };
    const startedAtMs = performance.now();
    let outcome: Outcome = 'ok';
    try {
      return await withSpan(
        labels.capability,
        {
          attributes: { 'plugin.name': instance.plugin.name, 'plugin.version': instance.plugin.version },
          parent: request.traceparent,
        },
        (span) => run(instance, admit(instance, door, request), request, span),
      );
    } catch (error) {
      outcome = toOutcome(error);
      if (!(error instanceof AppError)) reportFault(instance, request.method, error);
      throw error;
    } finally {
      calls.inc({ ...labels, outcome });
      durations.observe(labels, (performance.now() - startedAtMs) / 1000);
    }
  }

  /** What no capability means to throw is the core's own fault: the plugin is not told more, so the log must be. */
  function reportFault(instance: PluginInstance, method: string, error: unknown): void {
    telemetry.logger.error(
      { err: error, plugin: instance.plugin.name, method },
      'A call of a plugin failed in the core',
    );
  }

  function note(instance: PluginInstance, request: Omit<InvokeRequest, 'signal' | 'timeoutMs'>): void {
    const door = doors.get(request.method);
    let outcome: Outcome = 'ok';
    try {
      withTraceparent(request.traceparent, () => {
        const { method, name } = admit(instance, door, request);
        if (method.oneWay !== true)
          throw new AppError('INVALID_CALL', `Cannot send ${name} as a note: it has an answer`);
        method.run(request.args as never, { instance } as Call);
      });
    } catch (error) {
      outcome = toOutcome(error);
      if (error instanceof AppError)
        telemetry.logger.debug({ plugin: instance.plugin.name, code: error.code }, error.message);
      else reportFault(instance, request.method, error);
    } finally {
      calls.inc({ plugin: instance.plugin.name, capability: door?.name ?? 'unknown', outcome });
    }
  }

  return { invoke, note };
}

function openDoors(capabilities: readonly Capability[]): ReadonlyMap<string, Door> {
  const doors = new Map<string, Door>();
  for (const capability of capabilities) {
    for (const [methodName, method] of Object.entries(capability.methods)) {
      const name = `${capability.name}.${methodName}`;
      doors.set(name, { name, method, checkArguments: compileArguments(name, method.args) });
    }
  }
  return doors;
}

function toOutcome(error: unknown): Outcome {
  if (!(error instanceof AppError)) return 'error';
  switch (error.code) {
    case 'NOT_CAPABLE':
      return 'denied';
    case 'BUDGET_EXCEEDED':
      return 'budget';
    case 'TIMEOUT':
      return 'timeout';
    case 'CANCELLED':
      return 'cancelled';
    default:
      return 'error';
  }
}
