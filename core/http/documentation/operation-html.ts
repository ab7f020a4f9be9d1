import { escapeHtml } from '../html-page.ts';
import { operationId } from '../openapi.ts';
import { headerParameters } from '../openapi-headers.ts';
import type { Route } from '../route.ts';
import type { SchemaCheck } from '../schema-compiler.ts';
import type { JsonSchema } from '../schema-policy.ts';
import { toCurl, toText } from './curl-command.ts';
import { createOperationExample, type OperationExample } from './operation-example.ts';
import { limitsText, toSchemaHtml, typeText } from './schema-list.ts';
import { toSizeText } from './size-text.ts';
import { toTryHtml } from './try-form.ts';

const withoutBody = new Set([204, 205, 304]);

export interface OperationHtmlOptions {
  readonly nowMs: number;
  /** Of a body of lines. */
  readonly linesMaxBytes: number;
}

/** One operation; closed until somebody wants to know more, which needs no script. */
export function toOperationHtml(route: Route, { nowMs, linesMaxBytes }: OperationHtmlOptions): string {
  const example = createOperationExample(route, nowMs);
  const id = operationId(route);
  const roles = typeof route.roles === 'string' ? [route.roles] : route.roles;
  return [
    `<details class="operation" id="${id}"><summary>`,
    `<span class="verb ${route.verb.toLowerCase()}">${route.verb}</span> <code class="path">${toPathHtml(route)}</code>`,
    ` <span class="summary">${escapeHtml(route.summary)}</span>`,
    `<span class="roles">${roles.map((role) => `<span class="role">${escapeHtml(role)}</span>`).join('')}</span>`,
    '</summary><div class="columns"><div class="facts">',
    toParametersHtml('In the path', route.params, example.params),
    toParametersHtml('In the query', route.query, example.query),
    toHeadersHtml(route),
    toBodyHtml(route, linesMaxBytes),
    ...[...route.response].map(([status, check]) => toResponseHtml(status, check)),
    '</div><div class="examples">',
    toCodeHtml('Paste it into a shell', toCurl(route, example)),
    ...toAnswerHtml(example),
    toTryHtml(route, { example, linesMaxBytes }),
    '</div></div></details>',
  ].join('');
}

function toPathHtml({ path }: Route): string {
  return escapeHtml(path.template).replaceAll(/\{\w+\}/g, (name) => `<span class="param">${name}</span>`);
}

function toBodyHtml({ body, upload }: Route, linesMaxBytes: number): string {
  if (body !== undefined) return `<h4>Body</h4>${toSchemaHtml(body.schema)}`;
  if (upload === undefined) return '';
  const types = upload.contentTypes.map((type) => `<code>${escapeHtml(type)}</code>`).join(', ');
  if (upload.as === 'bytes') return `<h4>Body</h4><p>A file of ${types}, of at most ${toSizeText(upload.bytesMax)}</p>`;
  return `<h4>Body</h4><p>Lines of ${types}, together of at most ${toSizeText(linesMaxBytes)}, each of them</p>${toSchemaHtml(upload.check.schema)}`;
}

function propertiesOf(check: SchemaCheck | undefined): readonly (readonly [string, JsonSchema])[] {
  return Object.entries((check?.schema['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>);
}

function requiredOf(check: SchemaCheck | undefined): readonly string[] {
  return (check?.schema['required'] ?? []) as readonly string[];
}

function toParametersHtml(title: string, check: SchemaCheck | undefined, example: OperationExample['query']): string {
  const rows = propertiesOf(check).map(([name, schema]) => {
    const required = requiredOf(check).includes(name) ? ' <span class="required">required</span>' : '';
    const { description } = schema;
    const about = typeof description === 'string' ? ` <span class="about">${escapeHtml(description)}</span>` : '';
    const shown =
      name in example ? ` <span class="about">such as <code>${escapeHtml(toText(example[name]))}</code></span>` : '';
    return `<li><code class="name">${escapeHtml(name)}</code> <span class="type">${typeText(schema)}${limitsText(schema)}</span>${required}${about}${shown}</li>`;
  });
  return rows.length === 0 ? '' : `<h4>${title}</h4><ul class="schema">${rows.join('')}</ul>`;
}

function toHeadersHtml(route: Route): string {
  const rows = headerParameters(route).map(
    ({ name, description }) =>
      `<li><code class="name">${name}</code> <span class="about">${escapeHtml(description)}</span></li>`,
  );
  return rows.length === 0 ? '' : `<h4>In the header</h4><ul class="schema">${rows.join('')}</ul>`;
}

function toResponseHtml(status: number, check: SchemaCheck): string {
  const body = withoutBody.has(status) ? '' : toSchemaHtml(check.schema);
  return `<h4>Answer <span class="status">${status}</span></h4>${body}`;
}

export function toCodeHtml(title: string, text: string): string {
  return `<figure class="code"><figcaption>${escapeHtml(title)}</figcaption><pre><code>${escapeHtml(text)}</code></pre></figure>`;
}

function toAnswerHtml({ responses }: OperationExample): readonly string[] {
  // A booking that is new is what most come for, not the repetition.
  const status = responses.has(201) ? 201 : [...responses.keys()][0];
  if (status === undefined) return [];
  const value = responses.get(status);
  return withoutBody.has(status) ? [] : [toCodeHtml(`Answer ${status}`, JSON.stringify(value, null, 2))];
}
