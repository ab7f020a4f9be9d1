import { randomUUID } from 'node:crypto';
import { AppError } from '#core/errors/app-error.ts';
import type { WireError } from '#core/errors/wire-error.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { ControlFrame, EndFrame } from '../protocol/control-frame.ts';
import type { NoteFrame } from '../protocol/frame.ts';
import type { IncomingCall } from '../protocol/incoming-calls.ts';
import { createPeer, type Peer } from '../protocol/peer.ts';
import type { Sandbox, SandboxOptions, StartSandbox } from '../sandbox.ts';
import { readControl } from './control-reader.ts';
import type { Death, DeathReason } from './death.ts';
import { readOutputLines } from './output-lines.ts';
import { createProcessMetrics, type ProcessTelemetry } from './process-metrics.ts';
import { watchProcess } from './process-watch.ts';

export interface InvokeRequest {
  readonly method: string;
  readonly args: unknown;
  readonly traceparent?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal: AbortSignal;
}

export interface PluginProcessOptions {
  readonly sandbox: SandboxOptions;
  readonly startSandbox: StartSandbox;
  readonly invoke: (instance: PluginInstance, request: InvokeRequest) => Promise<unknown>;
  readonly note: (instance: PluginInstance, request: Omit<InvokeRequest, 'signal' | 'timeoutMs'>) => void;
  readonly onNativeDenial: (instance: PluginInstance, denial: { permission: string; resource: string }) => void;
  readonly currentTraceparent: () => string | undefined;
  readonly telemetry: ProcessTelemetry;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface PluginProcess {
  readonly instance: PluginInstance;
  readonly pid: number;
  /** Resolves when setup() has finished; never when the process dies before. */
  readonly ready: Promise<void>;
  /** Resolves once, when the process is gone; null when it was asked to stop and did. */
  readonly gone: Promise<Death | null>;
  kill(reason: DeathReason, message: string): void;
  /** Lets handlers finish and the plugin stop, then ends the process; by force after the stop deadline. */
  stop(): Promise<void>;
}

/** Longest wait for what a dead process has left in its pipes. */
const lastWordsMs = 1000;
/** A thread that closed its channel must end soon; a process that lives on without it is of no use. */
const closedChannelGraceMs = 3000;
const traceIdsMax = 50;

export async function startPluginProcess(options: PluginProcessOptions): Promise<PluginProcess> {
  const sandbox = await options.startSandbox(options.sandbox);
  return superviseProcess(options, sandbox);
}

function superviseProcess(options: PluginProcessOptions, sandbox: Sandbox): PluginProcess {
  const { plugin, limits } = options.sandbox;
  const startedAtMs = options.now();
  const ready = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<Death | null>();
  const goneController = new AbortController();
  const metrics = createProcessMetrics(options.telemetry, plugin);
  const log = options.telemetry.logger.child({ component: 'plugin', plugin: plugin.name });
  let state: 'booting' | 'ready' | 'stopping' | 'ending' = 'booting';
  let wasReady = false;
  let verdict: { reason: DeathReason; message: string } | undefined;
  let end: EndFrame | undefined;
  let profile: string | null = null;
  /** What was in flight when the end began: ending empties the peer. */
  let inFlight: Pick<Death, 'callsInFlight' | 'traceIds'> | undefined;

  const instance: PluginInstance = Object.freeze({
    plugin: Object.freeze({ name: plugin.name, version: plugin.version }),
    id: randomUUID(),
    gone: goneController.signal,
    handle,
  });
  const unavailable = (what: string): AppError =>
    new AppError('PLUGIN_UNAVAILABLE', `Cannot reach ${plugin.name}: ${what}`, { details: { plugin: plugin.name } });

  const peer: Peer = createPeer({
    stream: sandbox.data,
    ...limits,
    onCall,
    onNote: (note) => onNote(note),
    toError: (wire) => toPluginFailure(plugin.name, wire),
    onViolation: (violation) => kill('protocol', violation.message),
    onClose: () => setTimeout(() => kill('protocol', 'it closed its channel'), closedChannelGraceMs).unref(),
  });
  const output = [sandbox.stdout, sandbox.stderr].map((stream, index) =>
    readOutputLines({
      stream,
      now: options.now,
      onLine: (line) => log.info({ stream: index === 0 ? 'stdout' : 'stderr' }, line),
      onDropped: (lines) => log.warn({ lines }, 'output of plugin dropped: more than 100 lines a second'),
    }),
  );
  readControl({
    socket: sandbox.control,
    now: options.now,
    onFrame: onControl,
    onViolation: (violation) => kill('protocol', `report of its supervisor: ${violation.message}`),
  });
  const watch = watchProcess({
    pid: sandbox.process.pid ?? 0,
    limits,
    onUsage: (usage) => metrics.usage(usage, peer, sandbox.data),
    onLimit: kill,
  });
  const bootTimer = setTimeout(
    () => kill('boot-timeout', `setup() did not finish within ${limits.bootTimeoutMs} ms`),
    limits.bootTimeoutMs,
  );
  sandbox.process.once('exit', (exitCode, signal) => void onExit(exitCode, signal));

  async function handle(
    handler: number,
    input: unknown,
    call: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<unknown> {
    if (goneController.signal.aborted) throw unavailable('its process is gone');
    if (state === 'stopping') throw unavailable('it is stopping');
    const traceparent = options.currentTraceparent();
    const trace = traceparent === undefined ? {} : { traceparent };
    return metrics.handled(() => peer.call('handle', { handler, input }, { ...call, ...trace }));
  }

  function onCall(call: IncomingCall): unknown {
    if (call.method !== 'plugin.ready') return options.invoke(instance, call);
    if (state === 'booting') {
      state = 'ready';
      wasReady = true;
      clearTimeout(bootTimer);
      metrics.booted(options.now() - startedAtMs);
      ready.resolve();
    }
    return null;
  }

  function onNote({ method, args, traceparent }: NoteFrame): void {
    options.note(instance, { method, args, traceparent });
  }

  function onControl(frame: ControlFrame): void {
    switch (frame.t) {
      case 'sample':
        watch.heard(frame);
        metrics.sample(frame);
        break;
      case 'native-denial':
        options.onNativeDenial(instance, { permission: frame.permission, resource: frame.resource });
        break;
      case 'profile':
        profile ??= frame.profile;
        break;
      case 'end':
        end ??= frame;
        // It says that it is over: if it stays, it is the teardown that hangs.
        setTimeout(() => kill(toVerdict(frame, wasReady).reason, frame.message), closedChannelGraceMs).unref();
        break;
    }
  }

  /** From here on nothing is sent to or taken from the process, and nobody waits for it. */
  function release(): void {
    if (state === 'ending') return;
    inFlight = {
      callsInFlight: { toCore: peer.incoming.size, toPlugin: peer.outgoing.inFlight },
      traceIds: traceIdsOf([...peer.incoming.traceparents(), ...peer.outgoing.traceparents()]),
    };
    state = 'ending';
    clearTimeout(bootTimer);
    watch.stop();
    const error = unavailable('its process ended');
    goneController.abort(error);
    peer.close(error);
  }

  function kill(reason: DeathReason, message: string): void {
    if (state === 'ending') return;
    verdict ??= { reason, message };
    release();
    sandbox.process.kill('SIGKILL');
  }

  async function onExit(exitCode: number | null, signal: string | null): Promise<void> {
    const stopped = state === 'stopping';
    release();
    await lastWords(sandbox);
    sandbox.data.destroy();
    sandbox.control.destroy();
    if (stopped && verdict === undefined) {
      gone.resolve(null);
      return;
    }
    const tail = output.map((lines) => lines.tail()).join('\n');
    gone.resolve({
      plugin: instance.plugin,
      ...(verdict ?? judge({ exitCode, signal, end, tail, wasReady })),
      at: new Date(options.now()).toISOString(),
      uptimeMs: options.now() - startedAtMs,
      wasReady,
      // After its last report the child ends itself by a signal; the code is that of the plugin's thread.
      exitCode: end === undefined ? exitCode : end.exitCode,
      signal: end === undefined ? signal : null,
      callsInFlight: inFlight?.callsInFlight ?? { toCore: 0, toPlugin: 0 },
      traceIds: inFlight?.traceIds ?? [],
      sample: watch.sample,
      profile,
    });
  }

  async function stop(): Promise<void> {
    if (state !== 'ending' && state !== 'stopping') {
      state = 'stopping';
      clearTimeout(bootTimer);
      const force = setTimeout(() => sandbox.process.kill('SIGKILL'), limits.stopTimeoutMs);
      try {
        if (wasReady) await peer.call('stop', {}, { timeoutMs: limits.stopTimeoutMs });
      } catch (error) {
        log.warn({ err: error }, `plugin ${plugin.name} did not stop in order`);
      }
      sandbox.control.end();
      await gone.promise;
      clearTimeout(force);
    }
    await gone.promise;
  }

  return { instance, pid: sandbox.process.pid ?? 0, ready: ready.promise, gone: gone.promise, kill, stop };
}

/** The pipes may hold what explains the death: the supervisor's last frame, the engine's last words. */
async function lastWords(sandbox: Sandbox): Promise<void> {
  const closed = [sandbox.control, sandbox.stdout, sandbox.stderr].map(
    (stream) => new Promise<void>((resolve) => (stream.closed ? resolve() : stream.once('close', resolve))),
  );
  const timeout = Promise.withResolvers<void>();
  const timer = setTimeout(timeout.resolve, lastWordsMs);
  await Promise.race([Promise.all(closed), timeout.promise]);
  clearTimeout(timer);
}

const engineOutOfMemory = /heap out of memory|Reached heap limit|invalid table size|Allocation failed/i;

function judge(seen: {
  exitCode: number | null;
  signal: string | null;
  end: EndFrame | undefined;
  tail: string;
  wasReady: boolean;
}): { reason: DeathReason; message: string } {
  const { end, signal, exitCode, tail } = seen;
  if (end !== undefined) return toVerdict(end, seen.wasReady);
  const how = signal === null ? `its process ended with code ${exitCode}` : `its process was ended by ${signal}`;
  const message = tail === '' ? how : `${how}: ${tail.slice(-2000)}`;
  const aborted = signal === 'SIGABRT' || signal === 'SIGTRAP' || signal === 'SIGILL';
  return { reason: aborted && engineOutOfMemory.test(tail) ? 'oom-fatal' : 'crash', message };
}

function toVerdict(end: EndFrame, wasReady: boolean): { reason: DeathReason; message: string } {
  const early = !wasReady && (end.reason === 'crash' || end.reason === 'exit');
  return { reason: early ? 'boot-failure' : end.reason, message: end.message };
}

/** What a handler threw. Its own code stays visible in the details; the cause, with its stack, is for the log. */
function toPluginFailure(plugin: string, wire: WireError): AppError {
  const cause = new Error(wire.message);
  if (wire.stack !== undefined) cause.stack = wire.stack;
  return new AppError('PLUGIN_FAILED', `Cannot finish call of ${plugin}: ${wire.message}`, {
    details: { plugin, code: wire.code },
    cause,
  });
}

function traceIdsOf(traceparents: readonly string[]): string[] {
  return [...new Set(traceparents.map((traceparent) => traceparent.split('-')[1] ?? ''))].slice(0, traceIdsMax);
}
