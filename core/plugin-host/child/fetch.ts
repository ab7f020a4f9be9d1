import { AppError } from '#core/errors/app-error.ts';
import type { CoreConnection } from './core-connection.ts';

/** Answers that must not have a body (Fetch standard, "null body status"). */
const bodyless: ReadonlySet<number> = new Set([101, 103, 204, 205, 304]);
/** Denials and spent budgets are the plugin's affair, not the network's: they are thrown as they are. */
const passedOn: ReadonlySet<string> = new Set(['NOT_CAPABLE', 'BUDGET_EXCEEDED', 'INVALID_CALL']);

/** The global `fetch` of a plugin: standard Request, Response and Headers, but the core makes the request. */
export function createFetch(core: CoreConnection): typeof globalThis.fetch {
  return async function fetch(input, init) {
    const request = new Request(input, init);
    const body = request.body === null ? undefined : Buffer.from(await request.arrayBuffer()).toString('base64');
    const reply = await send(core, request, { body, responseMaxBytes: init?.responseMaxBytes });
    const content = bodyless.has(reply.status) ? null : Buffer.from(reply.body, 'base64');
    const response = new Response(content, {
      status: reply.status,
      statusText: reply.statusText,
      headers: reply.headers.map(([name, value]): [string, string] => [name, value]),
    });
    Object.defineProperty(response, 'url', { value: reply.url });
    Object.defineProperty(response, 'redirected', { value: reply.redirected });
    return response;
  };
}

async function send(
  core: CoreConnection,
  request: Request,
  given: { readonly body: string | undefined; readonly responseMaxBytes: number | undefined },
): ReturnType<typeof core.call<'net.fetch'>> {
  const { url, method, headers, redirect, signal } = request;
  const { body, responseMaxBytes } = given;
  signal.throwIfAborted();
  try {
    return await core.call(
      'net.fetch',
      {
        url,
        method,
        headers: [...headers],
        redirect,
        ...(body === undefined ? {} : { body }),
        ...(responseMaxBytes === undefined ? {} : { responseMaxBytes }),
      },
      { signal },
    );
  } catch (error) {
    if (!(error instanceof AppError) || passedOn.has(error.code)) throw error;
    throw new TypeError('fetch failed', { cause: error });
  }
}
