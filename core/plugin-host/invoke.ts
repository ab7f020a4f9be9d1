/**
 * The one door. Whatever a plugin does passes through here, in this order:
 * method → arguments → permission → budget → span → capability → metric, and every refusal is audited, as is every access
 * that is given to somebody outside.
 * There is no second way: capabilities are reachable only from this file, and the plugin's process has nothing else.
 */
import type { Span } from '@opentelemetry/api';
import { AppError } from '#core/errors/app-error.ts';
import type { Failure } from '#core/telemetry/follow.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { inSpan, withTraceparent } from '#core/telemetry/tracing.ts';
import type { Audit } from './audit/audit.ts';
import { compileArguments, type ArgumentCheck } from './call-arguments.ts';
import type { CallBudget } from './call-budget.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { Access, Call, Capability, CapabilityMethod } from './capability.ts';
import { NotCapable } from './permissions/not-capable.ts';
import { OpenCall, type Caller } from './open-call.ts';
import type { Permissions } from './permissions/permissions.ts';

export type Outcome = 'ok' | 'error' | 'timeout' | 'denied' | 'budget' | 'cancelled';

export interface InvokeRequest extends Caller {
  /** `capability.method`, as in protocol/calls.ts. */
  readonly method: string;
  readonly args: unknown;
  readonly traceparent?: string | undefined;
  readonly timeoutMs?: number | undefined;
}

/**
 * What the capability answers, or a promise of it.
 *
 * @throws {AppError} INVALID_CALL, NOT_CAPABLE, BUDGET_EXCEEDED, TIMEOUT, CANCELLED, or what the capability throws
 */
export type Invoke = (instance: PluginInstance, request: InvokeRequest) => unknown;

/** One-way calls pass the same checks; a refusal is counted and audited, and nobody is told. */
export type Note = (instance: PluginInstance, request: Omit<InvokeRequest, 'onCancel' | 'timeoutMs'>) => void;

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
  /** `capability.method`. */
  readonly name: string;
  readonly method: CapabilityMethod;
  readonly checkArguments: ArgumentCheck;
}

/** What every call passes before it may run. */
interface Gate {
  /** @throws {AppError} INVALID_CALL, NOT_CAPABLE, BUDGET_EXCEEDED */
  admit(instance: PluginInstance, request: Pick<InvokeRequest, 'method' | 'args'>, door: Door | undefined): Door;
  /** The only place where a permission is decided, and where each denial is recorded. */
  readonly authorize: (instance: PluginInstance, access: Access) => void;
  /** Undefined for anything but the core's own methods. */
  doorOf(method: string): Door | undefined;
}

/** A plugin cannot invent label values. */
const unknownMethod = 'unknown';

function createGate(options: InvokeOptions): Gate {
  const { permissions, audit } = options;
  const doors = openDoors(options.capabilities);

  function authorize(instance: PluginInstance, access: Access): void {
    const decision = permissions.check(instance.plugin.name, access);
    if (decision.state === 'granted') return;
    audit.denied({ plugin: instance.plugin, access, rule: decision.rule, source: 'door' });
    options.onDenied(instance);
    throw new NotCapable(instance.plugin, access, decision);
  }

  return {
    authorize,
    doorOf: (method) => doors.get(method),
    admit(instance, { method, args }, door) {
      if (door === undefined) {
        throw new AppError('INVALID_CALL', `Cannot call "${method.slice(0, 80)}": the core has no such method`);
      }
      door.checkArguments(args);
      for (const access of door.method.access(args as never, instance.plugin)) authorize(instance, access);
      const { name } = instance.plugin;
      if (!options.budgetOf(name).take(Date.now())) {
        audit.budgetSpent({ plugin: instance.plugin, capability: door.name });
        throw new AppError('BUDGET_EXCEEDED', `Cannot call ${door.name}: ${name} has spent its calls of this second`);
      }
      return door;
    },
  };
}

export function createInvoke(options: InvokeOptions): { readonly invoke: Invoke; readonly note: Note } {
  const { metrics, logger } = options.telemetry;
  const gate = createGate(options);
  const calls = metrics.counter('returnit_plugin_capability_calls_total');
  const durations = metrics.histogram('returnit_plugin_capability_call_duration_seconds');

  function run(
    instance: PluginInstance,
    request: InvokeRequest,
    { door, span }: { door: Door | undefined; span: Span },
  ): unknown {
    const { method, name } = gate.admit(instance, request, door);
    const timeoutMs = Math.min(request.timeoutMs ?? options.callTimeoutMs, options.callTimeoutMs);
    const { authorize } = gate;
    const call = new OpenCall({ capability: name, instance, span, timeoutMs, caller: request, authorize });
    if (method.audited === undefined) return call.settle((open) => method.run(request.args as never, open));
    return call.settle((open) => runAudited({ name, method, audit: options.audit }, request.args as never, open));
  }

  const outcomeOf = (error: unknown, { plugin }: PluginInstance, method: string): Outcome =>
    toOutcome(error, logger.child({ plugin: plugin.name, method }));

  return {
    invoke(instance, request) {
      const { name, version } = instance.plugin;
      const door = gate.doorOf(request.method);
      const labels = { plugin: name, capability: door?.name ?? unknownMethod };
      const attributes = { 'plugin.name': name, 'plugin.version': version };
      const spanOptions = {
        attributes,
        parent: request.traceparent,
        immediate: door?.method.immediate === true,
        measured(failure: Failure, seconds: number) {
          const outcome = failure === null ? 'ok' : outcomeOf(failure.error, instance, request.method);
          calls.inc({ ...labels, outcome });
          durations.observe(labels, seconds);
        },
      };
      return inSpan(labels.capability, spanOptions, (span) => run(instance, request, { door, span }));
    },

    note(instance, request) {
      const door = gate.doorOf(request.method);
      let outcome: Outcome = 'ok';
      try {
        withTraceparent(request.traceparent, () => {
          const { method, name } = gate.admit(instance, request, door);
          if (method.oneWay !== true)
            throw new AppError('INVALID_CALL', `Cannot send ${name} as a note: it has an answer`);
          method.run(request.args as never, { instance } as Call);
        });
      } catch (error) {
        outcome = outcomeOf(error, instance, request.method);
      } finally {
        calls.inc({
          plugin: instance.plugin.name,
          capability: door?.name ?? unknownMethod,
          outcome,
        });
      }
    },
  };
}

async function runAudited(
  { name, method, audit }: Pick<Door, 'name' | 'method'> & { readonly audit: Audit },
  args: never,
  call: Call,
): Promise<unknown> {
  const result: unknown = await method.run(args, call);
  const { plugin } = call.instance;
  if (method.audited !== undefined) {
    const { decision, resource } = method.audited;
    audit.accessChanged({ plugin, method: name, decision, resource: resource(args) });
  }
  return result;
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

function toOutcome(error: unknown, logger: Logger): Outcome {
  if (!(error instanceof AppError)) {
    // What no capability means to throw is the core's own fault: the plugin is told no more than that it failed.
    logger.error({ err: error }, 'A call of a plugin failed in the core');
    return 'error';
  }
  logger.debug({ code: error.code }, error.message);
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
