import type { Http, HttpReply, HttpRequest, RegisterRoute, RouteOptions, StreamReply } from '#plugin-api';
import type { HandlerCalls, PluginCalls } from '../../protocol/calls.ts';
import type { CoreConnection, HandlerCall } from '../core-connection.ts';
import { newIdOf } from './new-id.ts';
import type { Registrations } from './registrations.ts';
import { createReplyStreams } from './reply-streams.ts';
import { createLines, readBytes, type FetchedBody } from './request-body.ts';

type Verb = keyof Http;
type Run = (request: HttpRequest) => HttpReply | Promise<HttpReply>;
type Route = [path: string, options: RouteOptions, run: Run];
interface Handled {
  readonly verb: Verb;
  readonly path: string;
  readonly run: Run;
  readonly options: RouteOptions;
}
type Input = HandlerCalls['http.route']['input'];
type Result = HandlerCalls['http.route']['result'];

export function createHttp(core: CoreConnection, registrations: Registrations): Http {
  const streams = createReplyStreams();
  let pieces: number | undefined;
  const nextPiece = (): number =>
    (pieces ??= core.handler('http.stream', ({ stream, end }, call) => {
      if (end !== true) return streams.next(stream, call);
      streams.end(stream);
      return { bytes: '', done: true };
    }));

  async function answer(handled: Handled, input: Input, request: HandlerCall): Promise<Result> {
    const { run, options } = handled;
    const { body, fetched } = await takeBody(core, options.bodyAs, { sent: input.body, signal: request.signal });
    const reply = await run(toRequest(handled, { ...input, body }, request));
    // What else it may have answered is for the core to refuse.
    return options.streams === undefined || (reply as Partial<StreamReply> | undefined)?.stream === undefined
      ? reply
      : streams.open(reply as StreamReply, { request, fetched });
  }

  /** A route of JSON costs no promise of ours. */
  function toHandler(handled: Handled): (input: Input, call: HandlerCall) => Result | Promise<Result> {
    const { run, options } = handled;
    const isPlain = options.streams === undefined && options.bodyAs !== 'bytes' && options.bodyAs !== 'lines';
    if (isPlain) return (input, call) => run(toRequest(handled, input, call));
    return (input, call) => answer(handled, input, call);
  }

  function register(verb: Verb, [path, options, run]: Route): void {
    registrations.add('http.route', `route ${verb.toUpperCase()} ${path}`, () => ({
      verb,
      path,
      ...toDeclaration(options),
      ...(options.streams === undefined ? {} : { streams: { contentTypes: options.streams, handler: nextPiece() } }),
      handler: core.handler('http.route', toHandler({ verb, path, run, options })),
    }));
  }

  const on = (verb: Verb): RegisterRoute => ((...route: Route) => register(verb, route)) as RegisterRoute;
  return Object.freeze({ get: on('get'), post: on('post'), put: on('put'), patch: on('patch'), delete: on('delete') });
}

function toRequest({ verb, path }: Handled, input: Input, { signal }: HandlerCall): HttpRequest {
  return { ...input, signal, newId: () => newIdOf(input, verb, path) };
}

type Declaration = Omit<PluginCalls['http.route']['args'], 'verb' | 'path' | 'streams' | 'handler'>;

/** What the plugin says of a route, as far as it says it. */
function toDeclaration(options: RouteOptions): Declaration {
  const { summary, roles, response, streams: _streams, ...others } = options;
  const entries = Object.entries(others).filter(([, value]) => value !== undefined);
  return { summary, roles, response, ...(Object.fromEntries(entries) as Partial<Declaration>) };
}

/** What the handler is given as body: what came with the request, or what is fetched. */
async function takeBody(
  core: CoreConnection,
  form: RouteOptions['bodyAs'],
  { sent, signal }: { readonly sent: unknown; readonly signal: AbortSignal },
): Promise<{ readonly body: unknown; readonly fetched?: FetchedBody }> {
  if (form === 'bytes') return { body: await readBytes(core, sent as number, signal) };
  if (form !== 'lines') return { body: sent };
  const { lines, fetched } = createLines(core, sent as number);
  return { body: lines, fetched };
}
