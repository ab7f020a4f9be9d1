import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { AppError } from '#core/errors/app-error.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { Failure } from '#core/telemetry/follow.ts';
import { redactText } from '#core/telemetry/redaction.ts';
import type { HandlerTrace } from '#core/telemetry/handler-trace.ts';
import type { Invoke, Note } from '../invoke.ts';
import type { ControlFrame, EndFrame } from '../protocol/control-frame.ts';
import type { IncomingCall } from '../protocol/incoming-calls.ts';
import { createPeer, type Peer } from '../protocol/peer.ts';
import type { Sandbox, SandboxOptions, StartSandbox } from '../sandbox/sandbox.ts';
import { readControl } from './control-reader.ts';
import type { Death, DeathReason } from './death.ts';
import { lastWords } from './last-words.ts';
import { readOutputLines, type OutputLines } from './output-lines.ts';
import { createProcessMetrics, type ProcessMetrics, type ProcessTelemetry } from './process-metrics.ts';
import { watchProcess, type ProcessWatch } from './process-watch.ts';
import { setupCalls } from './setup-calls.ts';
import { judge, toPluginFailure, toVerdict, traceIdsOf, type Verdict } from './verdict.ts';

export interface PluginProcessOptions {
  readonly sandbox: SandboxOptions;
  readonly startSandbox: StartSandbox;
  /** There was a process of this plugin before. @default false */
  readonly isRestart?: boolean;
  readonly invoke: Invoke;
  readonly note: Note;
  readonly onNativeDenial: (instance: PluginInstance, denial: { permission: string; resource: string }) => void;
  readonly handlerTrace: () => Pick<HandlerTrace, 'traceparent' | 'continue' | 'end'> | undefined;
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

/** A thread that closed its channel must end soon; a process that lives on without it is of no use. */
const closedChannelGraceMs = 3000;

export async function startPluginProcess(options: PluginProcessOptions): Promise<PluginProcess> {
  const sandbox = await options.startSandbox(options.sandbox);
  return new SupervisedProcess(options, sandbox);
}

class SupervisedProcess implements PluginProcess {
  readonly instance: PluginInstance;
  readonly pid: number;
  readonly #options: PluginProcessOptions;
  readonly #sandbox: Sandbox;
  readonly #log: ProcessTelemetry['logger'];
  readonly #metrics: ProcessMetrics;
  readonly #peer: Peer;
  readonly #watch: ProcessWatch;
  readonly #output: readonly OutputLines[];
  readonly #startedAtMs: number;
  readonly #bootTimer: NodeJS.Timeout;
  readonly #ready = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<Death | null>();
  readonly #goneController = new AbortController();
  #state: 'booting' | 'ready' | 'stopping' | 'ending' = 'booting';
  #wasReady = false;
  #verdict: Verdict | undefined;
  #end: EndFrame | undefined;
  #profile: string | null = null;
  /** What was in flight when the end began: ending empties the peer. */
  #inFlight: Pick<Death, 'callsInFlight' | 'traceIds'> | undefined;

  constructor(options: PluginProcessOptions, sandbox: Sandbox) {
    const { plugin, limits } = options.sandbox;
    this.#options = options;
    this.#sandbox = sandbox;
    this.#startedAtMs = options.now();
    this.pid = sandbox.process.pid;
    this.#log = options.telemetry.logger.child({ component: 'plugin', plugin: plugin.name });
    this.#metrics = createProcessMetrics(options.telemetry, plugin);
    this.instance = Object.freeze({
      plugin: Object.freeze({ name: plugin.name, version: plugin.version }),
      id: randomUUID(),
      gone: this.#goneController.signal,
      handle: this.#handle.bind(this),
    });
    this.#peer = this.#connect();
    this.#output = this.#readOutput();
    this.#watch = watchProcess({
      pid: this.pid,
      limits,
      isRestart: options.isRestart === true,
      onUsage: (usage) => this.#metrics.usage(usage, this.#peer, sandbox.data),
      onLimit: (reason, message) => this.kill(reason, message),
    });
    this.#bootTimer = setTimeout(
      () => this.kill('boot-timeout', `setup() did not finish within ${limits.bootTimeoutMs} ms`),
      limits.bootTimeoutMs,
    );
    void sandbox.process.exited.then(({ exitCode, signal }) => this.#onExit(exitCode, signal));
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get gone(): Promise<Death | null> {
    return this.#gone.promise;
  }

  kill(reason: DeathReason, message: string): void {
    if (this.#state === 'ending') return;
    this.#verdict ??= { reason, message };
    this.#release();
    this.#sandbox.process.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    if (this.#state !== 'ending' && this.#state !== 'stopping') await this.#stopInOrder();
    await this.#gone.promise;
  }

  #connect(): Peer {
    const { data, control } = this.#sandbox;
    const { limits } = this.#options.sandbox;
    readControl({
      socket: control,
      now: this.#options.now,
      onFrame: (frame) => this.#onControl(frame),
      onViolation: (violation) => this.kill('protocol', `report of its supervisor: ${violation.message}`),
    });
    return createPeer({
      stream: data,
      ...limits,
      onCall: (call) => this.#onCall(call),
      onNote: ({ method, args, traceparent }) => this.#options.note(this.instance, { method, args, traceparent }),
      toError: (wire) => toPluginFailure(this.instance.plugin.name, wire),
      onViolation: (violation) => this.kill('protocol', violation.message),
      onFlood: (dropped) => this.kill('flood', `${dropped} of its notes had to be dropped within seconds`),
      onClose: () => setTimeout(() => this.kill('protocol', 'it closed its channel'), closedChannelGraceMs).unref(),
    });
  }

  #readOutput(): OutputLines[] {
    const { stdout, stderr } = this.#sandbox;
    const read = (name: string, stream: Readable): OutputLines =>
      readOutputLines({
        stream,
        now: this.#options.now,
        onLine: (line) => this.#log.info({ stream: name }, line),
        onDropped: (lines) => this.#log.warn({ lines }, 'output of plugin dropped: more than 100 lines a second'),
      });
    return [read('stdout', stdout), read('stderr', stderr)];
  }

  #unavailable(what: string): AppError {
    const { name } = this.#options.sandbox.plugin;
    return new AppError('PLUGIN_UNAVAILABLE', `Cannot reach ${name}: ${what}`, { details: { plugin: name } });
  }

  async #handle(
    handler: number,
    input: unknown,
    call: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<unknown> {
    if (this.#goneController.signal.aborted) throw this.#unavailable('its process is gone');
    if (this.#state === 'stopping') throw this.#unavailable('it is stopping');
    const trace = this.#options.handlerTrace();
    const asked = { traceparent: trace?.traceparent, trace };
    let failure: Failure = null;
    try {
      return await this.#metrics.handled(() => this.#peer.call('handle', { handler, input }, { ...call, ...asked }));
    } catch (error) {
      failure = { error };
      throw error;
    } finally {
      trace?.end(failure);
    }
  }

  #onCall(call: IncomingCall): unknown {
    if (call.method === 'plugin.ready') return this.#onReady();
    // The plugin's own context refuses this too, but the plugin need not use its context.
    if (this.#wasReady && setupCalls.has(call.method)) {
      throw new AppError('INVALID_CALL', `Cannot call ${call.method}: setup() has finished, register all in it`);
    }
    return this.#options.invoke(this.instance, call);
  }

  #onReady(): null {
    if (this.#state !== 'booting') return null;
    this.#state = 'ready';
    this.#wasReady = true;
    this.#watch.booted();
    clearTimeout(this.#bootTimer);
    this.#metrics.booted(this.#options.now() - this.#startedAtMs);
    this.#ready.resolve();
    return null;
  }

  #onControl(frame: ControlFrame): void {
    switch (frame.t) {
      case 'sample':
        this.#watch.heard(frame);
        this.#metrics.sample(frame);
        break;
      case 'native-denial':
        this.#options.onNativeDenial(this.instance, { permission: frame.permission, resource: frame.resource });
        break;
      case 'profile':
        this.#profile ??= frame.profile;
        break;
      case 'end':
        this.#end ??= frame;
        // It says that it is over: if it stays, it is the teardown that hangs.
        setTimeout(
          () => this.kill(toVerdict(frame, this.#wasReady).reason, frame.message),
          closedChannelGraceMs,
        ).unref();
        break;
    }
  }

  /** From here on nothing is sent to or taken from the process, and nobody waits for it. */
  #release(): void {
    if (this.#state === 'ending') return;
    const { incoming, outgoing } = this.#peer;
    this.#inFlight = {
      callsInFlight: { toCore: incoming.size, toPlugin: outgoing.inFlight },
      traceIds: traceIdsOf([...incoming.traceparents(), ...outgoing.traceparents()]),
    };
    this.#state = 'ending';
    clearTimeout(this.#bootTimer);
    this.#watch.stop();
    const error = this.#unavailable('its process ended');
    this.#goneController.abort(error);
    this.#peer.close(error);
  }

  async #onExit(exitCode: number | null, signal: string | null): Promise<void> {
    const stopped = this.#state === 'stopping';
    this.#release();
    await lastWords(this.#sandbox);
    this.#sandbox.data.destroy();
    this.#sandbox.control.destroy();
    this.#gone.resolve(stopped && this.#verdict === undefined ? null : this.#toDeath(exitCode, signal));
  }

  #toDeath(exitCode: number | null, signal: string | null): Death {
    const nowMs = this.#options.now();
    const end = this.#end;
    const tail = this.#output.map((lines) => lines.tail()).join('\n');
    const { reason, message } = this.#verdict ?? judge({ exitCode, signal, end, tail, wasReady: this.#wasReady });
    return {
      plugin: this.instance.plugin,
      reason,
      // It is kept, and readiness shows it: what the plugin said last may hold anything.
      message: redactText(message),
      at: new Date(nowMs).toISOString(),
      uptimeMs: nowMs - this.#startedAtMs,
      wasReady: this.#wasReady,
      // After its last report the child ends itself by a signal; the code is that of the plugin's thread.
      exitCode: end === undefined ? exitCode : end.exitCode,
      signal: end === undefined ? signal : null,
      callsInFlight: this.#inFlight?.callsInFlight ?? { toCore: 0, toPlugin: 0 },
      traceIds: this.#inFlight?.traceIds ?? [],
      sample: this.#watch.sample,
      profile: this.#profile,
    };
  }

  async #stopInOrder(): Promise<void> {
    const { stopTimeoutMs } = this.#options.sandbox.limits;
    this.#state = 'stopping';
    clearTimeout(this.#bootTimer);
    const force = setTimeout(() => this.#sandbox.process.kill('SIGKILL'), stopTimeoutMs);
    try {
      if (this.#wasReady) await this.#peer.call('stop', {}, { timeoutMs: stopTimeoutMs });
    } catch (error) {
      this.#log.warn({ err: error }, `plugin ${this.instance.plugin.name} did not stop in order`);
    }
    this.#sandbox.control.end();
    await this.#gone.promise;
    clearTimeout(force);
  }
}
