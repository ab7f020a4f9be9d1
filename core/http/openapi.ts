import { apiKeyPrefix } from './api-keys/api-key.ts';
import { scopeOf } from './api-keys/scopes.ts';
import { credentialNames } from './device-credentials.ts';
import { createOperationExample, type OperationExample } from './documentation/operation-example.ts';
import { answerHeaders, headerComponents, headerParameters, headersOf } from './openapi-headers.ts';
import type { Route, UploadForm } from './route.ts';
import { isBinary } from './streamed-type.ts';
import type { JsonSchema } from './schema-policy.ts';
import { problemContentType } from '#core/errors/problem-type.ts';

export interface OpenApiOptions {
  readonly title: string;
  readonly version: string;
  readonly routes: readonly Route[];
  /** Examples are in the future. */
  readonly nowMs: number;
}

export type OpenApiDocument = Readonly<Record<string, unknown>>;

/** The API as OpenAPI 3.1, from the schemas that requests and responses are checked against: it cannot say anything else. */
export function createOpenApi(options: OpenApiOptions): OpenApiDocument {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of options.routes) {
    (paths[route.path.template] ??= {})[route.verb.toLowerCase()] = toOperation(
      route,
      createOperationExample(route, options.nowMs),
    );
  }
  const tags = [...new Set(options.routes.map((route) => route.owner.name))].sort();
  return {
    openapi: '3.1.0',
    info: {
      title: options.title,
      version: options.version,
      description:
        'Errors are problem details (RFC 9457). `x-roles` says who may call an operation, `x-scope` what an API key must hold for it.',
    },
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    servers: [{ url: '/' }],
    tags: tags.map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        apiKey: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: `${apiKeyPrefix}…`,
          description: "A partner's API key, in place of its token; it may what its scopes say",
        },
        device: { type: 'http', scheme: 'basic', description: "A device's credentials, the same as for MQTT" },
        deviceUsername: { type: 'apiKey', in: 'query', name: credentialNames.username },
        devicePassword: { type: 'apiKey', in: 'query', name: credentialNames.password },
      },
      schemas: { Problem: problemSchema },
      headers: headerComponents,
      responses: {
        Problem: problemResponse('What was wrong', {}),
        Conflict: problemResponse(
          'Not as things are, or a request with this Idempotency-Key is under way',
          headersOf('Retry-After'),
        ),
        PreconditionFailed: problemResponse('It has changed since: read it again, then decide', {}),
        TooManyRequests: problemResponse(
          'Too many requests in this minute, or a budget is spent',
          headersOf('RateLimit-Policy', 'RateLimit', 'Retry-After'),
        ),
        Unavailable: problemResponse('Not at the moment', headersOf('Retry-After')),
      },
    },
  };
}

function problemResponse(description: string, headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return {
    description,
    ...headers,
    content: { [problemContentType]: { schema: { $ref: '#/components/schemas/Problem' } } },
  };
}

const fieldErrorSchema: JsonSchema = {
  type: 'object',
  required: ['in', 'pointer', 'detail'],
  properties: {
    in: { enum: ['path', 'query', 'body'] },
    pointer: { type: 'string', description: 'JSON pointer as URI fragment' },
    detail: { type: 'string', description: 'What it is and what would be right' },
  },
};

const problemSchema: JsonSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'trace_id'],
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: { type: 'string' },
    instance: { type: 'string' },
    code: { type: 'string', description: 'Stable; what programs should decide by' },
    trace_id: { type: 'string', description: 'Names this request in logs and traces' },
    errors: { type: 'array', items: fieldErrorSchema },
  },
};

function toOperation(route: Route, example: OperationExample): Record<string, unknown> {
  return {
    operationId: operationId(route),
    summary: route.summary,
    tags: [route.owner.name],
    'x-roles': typeof route.roles === 'string' ? [route.roles] : route.roles,
    ...(takesApiKeys(route) ? { 'x-scope': scopeOf(route) } : {}),
    security: toSecurity(route),
    parameters: [...pathParameters(route, example), ...queryParameters(route, example), ...headerParameters(route)],
    ...toRequestBody(route, example),
    responses: toResponses(route, example),
  };
}

const takesApiKeys = ({ roles }: Route): boolean => typeof roles !== 'string' && roles.includes('partner');

function toSecurity(route: Route): Record<string, unknown>[] {
  const { roles, credentialsInQuery } = route;
  if (roles === 'public') return [{}, { token: [] }];
  if (roles !== 'device') return [{ token: [] }, ...(takesApiKeys(route) ? [{ apiKey: [] }] : [])];
  return [{ device: [] }, ...(credentialsInQuery ? [{ deviceUsername: [], devicePassword: [] }] : [])];
}

function toRequestBody({ body, bodyAs, upload }: Route, example: OperationExample): Record<string, unknown> {
  if (upload !== undefined) return { requestBody: toUploadBody(upload) };
  if (body === undefined) return {};
  const type = bodyAs === 'json' ? 'application/json' : '*/*';
  const content = { schema: body.schema, ...(example.body === undefined ? {} : { example: example.body.value }) };
  return { requestBody: { required: bodyAs === 'json', content: { [type]: content } } };
}

/** Of lines the schema is that of one: a body of one line is a body. */
function toUploadBody(upload: UploadForm): Record<string, unknown> {
  const schema = upload.as === 'lines' ? upload.check.schema : { type: 'string', format: 'binary' };
  const description =
    upload.as === 'lines'
      ? 'NDJSON: one JSON text a line, each as this schema says. Read the answer while you send.'
      : `A file of at most ${upload.bytesMax} bytes`;
  return {
    required: true,
    description,
    content: Object.fromEntries(upload.contentTypes.map((type) => [type, { schema }])),
  };
}

export function operationId(route: Route): string {
  const words = route.path.template.split(/[^A-Za-z0-9]+/).filter((word) => word !== '');
  return [route.verb.toLowerCase(), ...words].join('_');
}

function pathParameters(route: Route, { params }: OperationExample): Record<string, unknown>[] {
  const properties = propertiesOf(route.params?.schema);
  return route.path.names.map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: properties[name] ?? { type: 'string' },
    ...(name in params ? { example: params[name] } : {}),
  }));
}

function queryParameters(route: Route, { query }: OperationExample): Record<string, unknown>[] {
  const required = (route.query?.schema['required'] ?? []) as readonly string[];
  return Object.entries(propertiesOf(route.query?.schema)).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
    ...(name in query ? { example: query[name] } : {}),
  }));
}

function toResponses(route: Route, example: OperationExample): Record<string, unknown> {
  const responses: Record<string, unknown> = {};
  for (const [status, check] of route.response) {
    const hasBody = ![204, 205, 304].includes(status);
    const shown = example.responses.has(status) ? { example: example.responses.get(status) } : {};
    const content = { ...streamsOf(route, status), 'application/json': { schema: check.schema, ...shown } };
    responses[status] = {
      description: descriptions[status] ?? 'Success',
      ...answerHeaders(route),
      ...(hasBody ? { content } : {}),
    };
  }
  if (route.verb === 'GET') responses['304'] ??= { description: descriptions[304] };
  if (route.response.size === 0) responses['200'] = { description: 'OK', ...answerHeaders(route), ...toContent(route) };
  for (const status of problemStatuses(route))
    responses[status] = { $ref: `#/components/responses/${ownResponses[status] ?? 'Problem'}` };
  return { ...responses, default: { $ref: '#/components/responses/Problem' } };
}

function toContent({ content }: Route): Record<string, unknown> {
  if (content === undefined) return {};
  return { content: Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema }])) };
}

/** A stream has status 200 and no schema: JSON of another type, or text. */
function streamsOf(route: Route, status: number): Record<string, unknown> {
  if (status !== 200) return {};
  return Object.fromEntries(
    route.streams.map((type) => [type, /[/+]json$/.test(type) ? {} : { schema: streamSchema(type) }]),
  );
}

function streamSchema(type: string): JsonSchema {
  return isBinary(type) ? { type: 'string', format: 'binary' } : { type: 'string' };
}

const descriptions: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No content',
  303: 'See other',
  304: 'Not modified',
};

const ownResponses: Readonly<Record<string, string>> = {
  409: 'Conflict',
  412: 'PreconditionFailed',
  429: 'TooManyRequests',
  503: 'Unavailable',
};

function problemStatuses(route: Route): readonly string[] {
  return [
    ...(route.body === undefined && route.upload === undefined ? [] : ['400', '408', '413', '415']),
    ...(route.idempotency === undefined ? [] : ['400']),
    '401',
    ...(route.roles === 'public' ? [] : ['403']),
    ...(route.idempotency === undefined ? [] : ['409']),
    ...(route.ifMatch ? ['412'] : []),
    '429',
    ...(route.owner.name === 'core' ? [] : ['422', '503', '504']),
  ];
}

function propertiesOf(schema: JsonSchema | undefined): Readonly<Record<string, unknown>> {
  return (schema?.['properties'] ?? {}) as Readonly<Record<string, unknown>>;
}
