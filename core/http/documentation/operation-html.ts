import { escapeHtml } from '../html-page.ts';
import { operationId } from '../openapi.ts';
import type { Route } from '../route.ts';
import type { SchemaCheck } from '../schema-compiler.ts';
import type { JsonSchema } from '../schema-policy.ts';
import { toCurl, toText } from './curl-command.ts';
import { createOperationExample, type OperationExample } from './operation-example.ts';
import { limitsText, toSchemaHtml, typeText } from './schema-list.ts';

const withoutBody = new Set([204, 205, 304]);

/** One operation; closed until somebody wants to know more, which needs no script. */
export function toOperationHtml(route: Route, nowMs: number): string {
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
    toBodyHtml(route),
    ...[...route.response].map(([status, check]) => toResponseHtml(status, check)),
    '</div><div class="examples">',
    toCodeHtml('Paste it into a shell', toCurl(route, example)),
    ...toAnswerHtml(example),
    toTryHtml(route, example),
    '</div></div></details>',
  ].join('');
}

function toPathHtml({ path }: Route): string {
  return escapeHtml(path.template).replaceAll(/\{\w+\}/g, (name) => `<span class="param">${name}</span>`);
}

function toBodyHtml({ body, upload }: Route): string {
  if (body !== undefined) return `<h4>Body</h4>${toSchemaHtml(body.schema)}`;
  if (upload === undefined) return '';
  const types = upload.contentTypes.map((type) => `<code>${escapeHtml(type)}</code>`).join(', ');
  if (upload.as === 'bytes') return `<h4>Body</h4><p>A file of ${types}, of at most ${upload.bytesMax} bytes</p>`;
  return `<h4>Body</h4><p>Any number of lines of ${types}, each of them</p>${toSchemaHtml(upload.check.schema)}`;
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

/** Filled in and sent by the page's script; without it the command above does the same. */
function toTryHtml(route: Route, example: OperationExample): string {
  if (route.roles === 'device') return '';
  const field = (place: 'path' | 'query', name: string, value: unknown): string =>
    `<label><span>${escapeHtml(name)}</span><input name="${escapeHtml(name)}" data-in="${place}" value="${escapeHtml(value === undefined ? '' : toText(value))}"></label>`;
  const fields = [
    ...route.path.names.map((name) => field('path', name, example.params[name])),
    ...propertiesOf(route.query).map(([name]) => field('query', name, example.query[name])),
  ];
  const { body } = example;
  const text =
    body === undefined ? '' : route.bodyAs === 'text' ? String(body.value) : JSON.stringify(body.value, null, 2);
  const area =
    route.body === undefined
      ? ''
      : `<label><span>Body</span><textarea name="body" rows="${Math.min(24, text.split('\n').length + 1)}" spellcheck="false">${escapeHtml(text)}</textarea></label>`;
  return `<form class="try" hidden data-verb="${route.verb}" data-path="${escapeHtml(route.path.template)}">${fields.join('')}${area}<button>Send</button><output></output></form>`;
}
