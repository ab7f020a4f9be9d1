import { credentialNames } from './device-credentials.ts';
import { createOperationExample, type OperationExample } from './documentation/operation-example.ts';
import type { Route } from './route.ts';
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
      description: 'Errors are problem details (RFC 9457). `x-roles` says who may call an operation.',
    },
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    servers: [{ url: '/' }],
    tags: tags.map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        device: { type: 'http', scheme: 'basic', description: "A device's credentials, the same as for MQTT" },
        deviceUsername: { type: 'apiKey', in: 'query', name: credentialNames.username },
        devicePassword: { type: 'apiKey', in: 'query', name: credentialNames.password },
      },
      schemas: { Problem: problemSchema },
      responses: {
        Problem: {
          description: 'What was wrong',
          content: { [problemContentType]: { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
    },
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
    security: toSecurity(route),
    parameters: [...pathParameters(route, example), ...queryParameters(route, example)],
    ...(route.body === undefined ? {} : { requestBody: toRequestBody(route, example) }),
    responses: toResponses(route, example),
  };
}

function toSecurity({ roles, credentialsInQuery }: Route): Record<string, unknown>[] {
  if (roles === 'public') return [{}, { token: [] }];
  if (roles !== 'device') return [{ token: [] }];
  return [{ device: [] }, ...(credentialsInQuery ? [{ deviceUsername: [], devicePassword: [] }] : [])];
}

function toRequestBody(route: Route, example: OperationExample): Record<string, unknown> {
  const { bodyAs } = route;
  const content = {
    schema: route.body?.schema,
    ...(example.body === undefined ? {} : { example: example.body.value }),
  };
  return { required: bodyAs === 'json', content: { [bodyAs === 'json' ? 'application/json' : '*/*']: content } };
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
    responses[status] = { description: descriptions[status] ?? 'Success', ...(hasBody ? { content } : {}) };
  }
  if (route.verb === 'GET') responses['304'] ??= { description: descriptions[304] };
  if (route.response.size === 0) responses['200'] = { description: 'OK', ...toContent(route) };
  for (const status of problemStatuses(route)) responses[status] = { $ref: '#/components/responses/Problem' };
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
    route.streams.map((type) => [type, /[/+]json$/.test(type) ? {} : { schema: { type: 'string' } }]),
  );
}

const descriptions: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No content',
  303: 'See other',
  304: 'Not modified',
};

function problemStatuses(route: Route): readonly string[] {
  return [
    ...(route.body === undefined ? [] : ['400', '413', '415']),
    '401',
    ...(route.roles === 'public' ? [] : ['403']),
    ...(route.roles === 'device' ? ['429'] : []),
    ...(route.owner.name === 'core' ? [] : ['422', '503', '504']),
  ];
}

function propertiesOf(schema: JsonSchema | undefined): Readonly<Record<string, unknown>> {
  return (schema?.['properties'] ?? {}) as Readonly<Record<string, unknown>>;
}
