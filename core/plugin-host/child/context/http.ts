import type { Http, HttpReply, HttpRequest, RegisterRoute, RouteOptions } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';
import type { Registrations } from './registrations.ts';

type Verb = keyof Http;
type Run = (request: HttpRequest) => HttpReply | Promise<HttpReply>;
type Route = [path: string, options: RouteOptions, run: Run];

export function createHttp(core: CoreConnection, registrations: Registrations): Http {
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
      handler: core.handler('http.route', (input, { signal }) => run({ ...input, signal })),
    }));
  }

  const on = (verb: Verb): RegisterRoute => ((...route: Route) => register(verb, route)) as RegisterRoute;
  return Object.freeze({ get: on('get'), post: on('post'), put: on('put'), patch: on('patch'), delete: on('delete') });
}
