import assert from 'node:assert/strict';
import { createOpenApiCheck, type OpenApi, type OpenApiCheck } from './openapi-check.ts';

export interface ApiAnswer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

export interface ApiRequest {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls the API as one caller. Every answer is checked against /openapi.json. */
export interface Api {
  readonly token: string | undefined;
  request<Body = Problem>(verb: string, path: string, request?: ApiRequest): Promise<ApiAnswer<Body>>;
  /** The body of an answer that must be a success. */
  ok<Body>(verb: string, path: string, body?: unknown): Promise<Body>;
}

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly code: string;
  readonly trace_id: string;
  readonly errors?: readonly { readonly in: string; readonly pointer: string; readonly detail: string }[];
}

const timeoutMs = 90_000;

/** Reads the description once; a path that is not in it is looked up again, since plugins come and go. */
export function createApiChecks(url: string): {
  readonly check: (answer: Parameters<OpenApiCheck['check']>[0]) => Promise<void>;
  readonly document: () => Promise<OpenApi>;
} {
  let current: { readonly document: OpenApi; readonly check: OpenApiCheck } | undefined;
  async function load(): Promise<{ readonly document: OpenApi; readonly check: OpenApiCheck }> {
    const response = await fetch(`${url}/openapi.json`, { signal: AbortSignal.timeout(timeoutMs) });
    assert.equal(response.status, 200);
    const document = (await response.json()) as OpenApi;
    return { document, check: createOpenApiCheck(document) };
  }
  return {
    async check(answer) {
      current ??= await load();
      if (current.check.find(answer.verb, answer.path) === undefined) current = await load();
      current.check.check(answer);
    },
    document: async () => (await load()).document,
  };
}

export interface CreateApiOptions {
  readonly url: string;
  readonly token?: string | undefined;
  readonly check: (answer: Parameters<OpenApiCheck['check']>[0]) => Promise<void>;
}

export function createApi({ url, token, check }: CreateApiOptions): Api {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };

  async function request<Body>(verb: string, path: string, options: ApiRequest = {}): Promise<ApiAnswer<Body>> {
    const text = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
    const response = await fetch(`${url}${path}`, {
      method: verb,
      headers: {
        ...authorization,
        ...(text === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(text === undefined ? {} : { body: text }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const contentType = response.headers.get('content-type');
    const received = await response.text();
    const body: unknown = contentType?.includes('json') === true ? JSON.parse(received) : received;
    await check({ verb, path: path.split('?', 1)[0] ?? '', status: response.status, contentType, body });
    return { status: response.status, headers: response.headers, body: body as Body };
  }

  return {
    token,
    request,
    async ok<Body>(verb: string, path: string, body?: unknown): Promise<Body> {
      const answer = await request<Body>(verb, path, body === undefined ? {} : { body });
      assert.ok(answer.status < 300, `${verb} ${path} answered ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body;
    },
  };
}
