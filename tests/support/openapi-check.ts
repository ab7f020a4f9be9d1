/** Checks answers of the API against its own description: what is not documented fails. */
import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formatsPlugin from 'ajv-formats';

interface Content {
  readonly schema?: object;
  /** Matches the schema. */
  readonly example?: unknown;
}

interface DocumentedResponse {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, Content>>;
}

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly 'x-roles': readonly string[];
  /** What an API key must hold for it. */
  readonly 'x-scope'?: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: 'path' | 'query' | 'header';
    readonly required: boolean;
    readonly schema: object;
    readonly example?: unknown;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<Record<string, DocumentedResponse>>;
}

export interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly responses: Readonly<Record<string, DocumentedResponse>>;
  };
}

export interface CheckedAnswer {
  readonly verb: string;
  /** Without the query. */
  readonly path: string;
  readonly status: number;
  readonly contentType: string | null;
  /** Parsed where it is JSON. */
  readonly body: unknown;
}

export interface OpenApiCheck {
  /** Fails when the answer is not documented, or does not match what is documented. */
  check(answer: CheckedAnswer): void;
  /** The operation that a request is for; undefined when there is none. */
  find(verb: string, path: string): Operation | undefined;
}

/** The schema is picked by path template, method, status and content type. */
export function createOpenApiCheck(document: OpenApi): OpenApiCheck {
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  // Its types say that the module is the default member; the module itself is callable.
  (formatsPlugin as unknown as (ajv: Ajv2020) => void)(ajv);
  const compiled = new Map<object, ValidateFunction>();

  function compile(schema: object): ValidateFunction {
    const known = compiled.get(schema) ?? ajv.compile({ ...schema, components: document.components });
    compiled.set(schema, known);
    return known;
  }

  function find(verb: string, path: string): Operation | undefined {
    const matching = Object.keys(document.paths)
      .filter((template) => matchesTemplate(template, path))
      // A fixed segment is nearer than a parameter.
      .sort((a, b) => a.split('{').length - b.split('{').length);
    return matching.map((template) => document.paths[template]?.[verb.toLowerCase()]).find((found) => found);
  }

  return {
    find,
    check({ verb, path, status, contentType, body }) {
      const what = `${verb} ${path} answered ${status}`;
      const operation = find(verb, path);
      assert.ok(operation !== undefined, `${what}: the operation is not documented`);
      const documented = operation.responses[status] ?? (status >= 400 ? operation.responses['default'] : undefined);
      assert.ok(documented !== undefined, `${what}: the status is not documented`);
      const response =
        documented.$ref === undefined ? documented : document.components.responses[nameOf(documented.$ref)];
      const type = contentType?.split(';', 1)[0]?.trim();
      if (response?.content === undefined) {
        assert.equal(type, undefined, `${what} with ${type}: no content is documented`);
        return;
      }
      const content = response.content[type ?? ''];
      assert.ok(content !== undefined, `${what} with ${type}: the content type is not documented`);
      // A stream of JSON of another type.
      if (content.schema === undefined) return;
      const validate = compile(content.schema);
      assert.ok(validate(body), `${what}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(body)}`);
    },
  };
}

const nameOf = (reference: string): string => reference.slice(reference.lastIndexOf('/') + 1);

function matchesTemplate(template: string, path: string): boolean {
  const wanted = template.split('/');
  const given = path.split('/');
  return (
    wanted.length === given.length &&
    wanted.every((segment, index) => (segment.startsWith('{') ? given[index] !== '' : segment === given[index]))
  );
}
