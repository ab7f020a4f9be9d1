import type { Http, HttpReply, HttpRequest, RegisterRoute, RouteOptions, StreamReply } from '#plugin-api';
import type { HandlerCalls } from '../../protocol/calls.ts';
import type { CoreConnection } from '../core-connection.ts';
import type { Registrations } from './registrations.ts';
import { createReplyStreams, type StreamRequest } from './reply-streams.ts';

type Verb = keyof Http;
type Run = (request: HttpRequest) => HttpReply | Promise<HttpReply>;
type Route = [path: string, options: RouteOptions, run: Run];
type Input = HandlerCalls['http.route']['input'];
type Result = HandlerCalls['http.route']['result'];

export function createHttp(core: CoreConnection, registrations: Registrations): Http {
  const streams = createReplyStreams();
  let pieces: number | undefined;
  const nextPiece = (): number =>
    (pieces ??= core.handler('http.stream', ({ stream, end }, { signal }) => {
      if (end !== true) return streams.next(stream, signal);
      streams.end(stream);
      return { text: '', done: true };
    }));

  async function answerStreamed(run: Run, input: Input, request: StreamRequest): Promise<Result> {
    const reply = await run({ ...input, signal: request.signal });
    // What else it may have answered is for the core to refuse.
    return (reply as Partial<StreamReply> | undefined)?.stream === undefined
      ? reply
      : streams.open(reply as StreamReply, request);
  }

  function register(verb: Verb, [path, options, run]: Route): void {
    registrations.add('http.route', `route ${verb.toUpperCase()} ${path}`, () => ({
      verb,
      path,
      summary: options.summary,
      roles: options.roles,
      ...(options.credentialsInQuery === undefined ? {} : { credentialsInQuery: options.credentialsInQuery }),
      ...(options.params === undefined ? {} : { params: options.params }),
      ...(options.query === undefined ? {} : { query: options.query }),
      ...(options.body === undefined ? {} : { body: options.body }),
      ...(options.bodyAs === undefined ? {} : { bodyAs: options.bodyAs }),
      response: options.response,
      ...(options.idempotency === undefined ? {} : { idempotency: options.idempotency }),
      ...(options.requestsPerMinute === undefined ? {} : { requestsPerMinute: options.requestsPerMinute }),
      ...(options.budget === undefined ? {} : { budget: options.budget }),
      ...(options.streams === undefined ? {} : { streams: { contentTypes: options.streams, handler: nextPiece() } }),
      ...(options.cache === undefined ? {} : { cache: options.cache }),
      handler: core.handler('http.route', (input, call) =>
        options.streams === undefined ? run({ ...input, signal: call.signal }) : answerStreamed(run, input, call),
      ),
    }));
  }

  const on = (verb: Verb): RegisterRoute => ((...route: Route) => register(verb, route)) as RegisterRoute;
  return Object.freeze({ get: on('get'), post: on('post'), put: on('put'), patch: on('patch'), delete: on('delete') });
}
